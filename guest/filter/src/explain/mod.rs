//! Why an expression matched an event, or not.

mod reason;
mod render;

pub use reason::explain;

use crate::eval::EvalError;
use crate::ir::Span;
use std::fmt;

/// What an expression made of one event, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in words, with the values from the event; at most a few hundred characters. Empty for a match.
    pub reason: String,
    /// The part of the source text that decided.
    pub span: Span,
}

/// What an expression made of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is true.
    Matched,
    /// It is false.
    NotMatched,
    /// It has no value; that is not a match.
    Failed(EvalError),
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict {
            Verdict::Matched => f.write_str("matched"),
            _ => f.write_str(&self.reason),
        }
    }
}
