//! What follows from an attempt: delivered, discarded, to be tried again at a certain time, or given up.
//!
//! The clock and the random number are arguments, so that a schedule can be computed, shown and tested without
//! waiting for it.

mod classify;
mod retry_after;

pub use classify::{AttemptOutcome, Settled, classify};
pub use retry_after::{RETRY_AFTER_LIMIT, retry_after};
