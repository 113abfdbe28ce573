//! Why a flow could not be started, found or changed, or what its code asked for not be had.

use super::StoredFlow;
use crate::store::StoreError;
use anglerfish_core::problem::Problem;

/// Why a flow could not be started, found or changed, or what its code asked for not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FlowError {
    /// What is asked for makes no sense.
    #[error("the flow has {} problem(s)", .0.len())]
    Invalid(Vec<Problem>),
    /// This program has no code of this name.
    #[error("this program has no flow `{0}`")]
    NoCode(String),
    /// There is no such flow.
    #[error("there is no flow `{0}/{1}`")]
    Unknown(String, String),
    /// One of this id was started with another input.
    #[error("flow `{}/{}` was started with another input", .0.flow, .0.id)]
    OtherInput(Box<StoredFlow>),
    /// It stands so that this cannot be done.
    #[error("{1}: it is {word} already", word = .0.state().word())]
    State(Box<StoredFlow>, &'static str),
    /// It has ended without a result.
    #[error("flow `{}/{}` ended as {}: {}", .0.flow, .0.id, .0.state().word(), .0.reason())]
    NoResult(Box<StoredFlow>),
    /// A step failed; that is in the journal, and the code decides what follows.
    #[error("step {0:?} failed: {1}")]
    Step(String, String),
    /// A value is none of the type that is asked for, or cannot be written as JSON.
    #[error("{0} cannot be read or written as JSON: {1}")]
    Json(String, String),
    /// Somebody else changed it at the same time.
    #[error("others change it at the same time")]
    Contended,
    /// The gateway stops; what runs goes on after its next start.
    #[error("the gateway is stopping")]
    Stopping,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}
