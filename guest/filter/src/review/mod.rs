//! What an expression asks for: so that one which can never be true of the events that there are is found when it is written.

mod contradiction;
mod never;
mod source;

pub use source::ComparedText;
