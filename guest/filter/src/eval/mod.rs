//! Evaluation of a program over the facts of one event.

mod arithmetic;
mod comprehension;
mod evaluator;
mod literal;
mod selection;

pub use evaluator::Evaluator;
