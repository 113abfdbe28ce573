//! An evaluation without a value.

use crate::failure::Failure;
use crate::ir::NodeId;
use std::fmt;

/// An expression has no value for one event. That is never a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvalError {
    /// Why.
    pub failure: Failure,
    /// Where in the program.
    pub node: NodeId,
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl std::error::Error for EvalError {}
