//! What was refused lately: the last refused requests of each source, in memory and within bounds.
//!
//! An event that was never accepted leaves no trace in the log, and "why did it not arrive?" begins there. What is kept
//! can be looked at without its secrets, and explained again as the gateway is configured now.

mod excerpt;
mod metric;
mod record;
mod ring;

pub use metric::RejectionMetrics;
pub use record::{Explainer, Refusal, Rejection};
pub use ring::{Rejections, Wanted};
