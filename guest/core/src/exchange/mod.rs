//! From a decision to its answer: what a shell does between taking a request in and answering it.
//!
//! The steps are the same in every shell; how a step is done is the shell's own. A shell asks the component, hands the
//! decision to [`Exchange::handle_decision`] and does what the step says, until a step is the answer. How often is
//! asked again, and what the sender reads in which case, is decided here and nowhere else.

mod conclusion;
mod machine;

pub use conclusion::{Answered, Cause, Conclusion};
pub use machine::{Accepted, Committed, Exchange, MOST_CONFLICTS, RETRY_AFTER, Step};
