//! Why a callback could not be had, awaited or answered.

use crate::store::StoreError;
use anglerfish_core::problem::Problem;

/// Why a callback could not be had, awaited or answered. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallbackError {
    /// What is asked for makes no sense.
    #[error("the callback cannot be made: {}", first(.0))]
    Invalid(Vec<Problem>),
    /// Nobody knows under which address this gateway is reached.
    #[error("the address of callbacks is not known: say it in `server.public_url`")]
    NoAddress,
    /// The system gives no random numbers, and an address that can be guessed is none.
    #[error("the system gives no random numbers")]
    NoRandomNumbers,
    /// There is none of this name.
    #[error("there is no callback `{0}`")]
    Unknown(String),
    /// Somebody else awaits it by now.
    #[error("callback `{0}` is held by somebody else by now")]
    Fenced(String),
    /// Nobody waits for an answer to this one any more: they have one, or their time was over.
    #[error("nobody waits for an answer to the callback at position {0} any more")]
    Answered(i64),
    /// What is at this position did not come in at this callback.
    #[error("what is at position {1} did not come in at callback `{0}`")]
    Elsewhere(String, i64),
    /// The gateway stops; what comes in from now on is there after its next start.
    #[error("the gateway is stopping")]
    Stopping,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn first(problems: &[Problem]) -> String {
    let Some(first) = problems.first() else { return "for no reason that is known".to_owned() };
    let more = problems.len() - 1;
    let and = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    format!("{}: {}{and}", first.path, first.message)
}
