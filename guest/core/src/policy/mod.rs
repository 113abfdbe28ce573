//! What follows from an attempt: delivered, discarded, to be tried again at a certain time, or given up; and whether its
//! subscription is left alone for a while, or for good.
//!
//! The clock and the random number are arguments, so that a schedule can be computed, shown and tested without
//! waiting for it.

mod classify;
mod outcome;
mod plan;
mod rate_limit_reset;
mod retry_after;
mod schedule;

pub use classify::{Consequences, Past, Settled, classify, give_back};
pub use outcome::{Answered, AttemptOutcome, FailureKind};
pub use plan::{PlannedAttempt, plan};
pub use rate_limit_reset::rate_limit_reset;
pub use retry_after::retry_after;
