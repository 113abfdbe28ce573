//! What can go wrong between the shell and the component.

use super::component::CompileError;
use super::instance::Fault;
use crate::store::StoreError;
use anglerfish_core::problem::Problem;

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The component does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The component found problems in the configuration.
    #[error("the configuration has problems")]
    Problems(Vec<Problem>),
    /// The sources and subscriptions need more memory than a table may have.
    #[error("{0}")]
    Full(String),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else.
    #[error("the engine cannot start: {0}")]
    Internal(String),
}

/// Why a call gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// More calls wait than the queue takes.
    #[error("too many calls wait for the component")]
    Overloaded,
    /// The component trapped; it was replaced.
    #[error("the component trapped: {0}")]
    Trapped(String),
    /// The component ran into its deadline; it was replaced.
    #[error("the component ran into its deadline")]
    Deadline,
    /// There is no instance with a routing table; one is tried again with later calls.
    #[error("the routing table is not loaded: {0}")]
    NotLoaded(String),
    /// The thread that worked on the call broke down; another one takes its place.
    #[error("the call broke off")]
    BrokenOff,
    /// The engine is stopping.
    #[error("the engine is stopped")]
    Stopped,
}

impl From<Fault> for EngineError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Deadline => Self::Deadline,
            Fault::Memory | Fault::Trapped(_) => Self::Trapped(fault.to_string()),
        }
    }
}

/// Why the routing table was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TableError {
    /// The component refuses the change.
    #[error("the component found {} problem(s)", .0.len())]
    Problems(Vec<Problem>),
    /// The table would need more memory than it may have.
    #[error("{0}")]
    Full(String),
    /// The component cannot be asked now.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
