//! Documents: the HTTP API of Flare over the core's resources. A producer puts a document under its own URL; each subscriber
//! of its resource is told of it when that is news to it.
//!
//! [`Notices`] says what a delivery has to tell and writes down what a subscriber has; [`Documents`] takes changes in;
//! [`Resources`] knows which resources there are; `flare` is the API.

mod backfill;
mod changes;
mod flare;
mod notices;
mod port;
mod resources;
mod section;

pub use changes::{ChangeError, Documents};
pub use flare::{Flare, router};
pub use notices::Notices;
pub use port::DocumentDecider;
pub use resources::{ResourceEntry, ResourceError, Resources};
pub use section::DocumentsConfig;
