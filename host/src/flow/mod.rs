//! Flows: functions of the program that survive, because what they have done is journaled.
//!
//! [`Flows`] knows the code of each flow and runs those that have not ended; [`FlowContext`] is what the code does everything
//! through; [`event`] starts one by each event of a subscription; [`ledger`] keeps flows and their journals as keys of the store; [`waiting`] is how what was begun ends. What the code
//! may do next is the core's to say ([`anglerfish_core::flow`]).

mod context;
mod document;
mod error;
mod event;
mod flows;
mod handle;
mod ledger;
mod metric;
mod run;
mod waiting;

pub use context::{FlowContext, Pending};
pub use document::{FlowEnd, FlowState, StoredFlow};
pub use error::FlowError;
pub use flows::{FlowParts, Flows};
pub use handle::{Flow, FlowBuilder, FlowRun};
pub use metric::FlowMetrics;
pub use waiting::{FlowAnswer, FlowEvent, FlowOutcome};
