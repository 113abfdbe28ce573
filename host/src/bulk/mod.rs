//! Work on many deliveries: retried, replayed, or given to a new subscription.
//!
//! A job is written down and done in small steps, each of them one transaction that says how far it has come. [`Jobs`] does
//! the steps of all of them in turn, [`step`] makes one ready. A job makes no more deliveries than a subscription works off:
//! it waits while there are many open ones, so that what comes new does not stand behind a million of old ones.

mod error;
mod jobs;
mod metric;
mod step;

pub use error::JobError;
pub use jobs::Jobs;
pub use metric::JobMetrics;
