//! What can be known of an expression's types before any event is there.

mod call;
mod operator;
mod shape;

pub(crate) use call::call;
pub(crate) use operator::{arithmetic, comparison, membership};
pub use shape::Shape;
