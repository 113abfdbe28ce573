//! Evaluation of a program over the facts of one event.

mod arithmetic;
mod comprehension;
mod error;
mod evaluator;
mod literal;
mod selection;

pub use error::EvalError;
pub use evaluator::Evaluator;
pub(crate) use evaluator::compare;
