//! CEL filters over JSON events.
//!
//! - [`Expression`]: one expression, compiled, evaluated and explained; [`CompileError`] points at what is wrong with it.
//! - [`value`]: CEL's values, with exact numbers.
//! - [`ir`]: an expression after it was parsed and lowered.
//! - [`json`]: one pass over an event's body.
//! - [`table`]: many expressions, filed under what an event must have for them to be true.
//! - [`pack`]: bytes that are read where they lie.
//! - [`fact`]: what an evaluator asks an event for.
//! - [`eval`]: the evaluator, with a budget of steps.
//! - [`explain`]: why an expression matched, or not.
//! - [`function`]: what an expression can call.
//! - `conformance`, with the feature of that name: runs the CEL specification's test suite.

mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
mod environment;
pub mod eval;
pub mod explain;
mod expression;
pub mod fact;
mod failure;
pub mod function;
mod index;
pub mod ir;
pub mod json;
mod limit;
mod lower;
pub mod pack;
mod problem;
mod projection;
mod review;
mod syntax;
pub mod table;
pub mod value;

pub use check::Shape;
pub use environment::Environment;
pub use eval::EvalError;
pub use expression::Expression;
pub use failure::{Failure, Unreadable};
pub use limit::Limits;
pub use problem::{CompileError, Problem};
pub use review::ComparedText;
