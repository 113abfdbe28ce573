//! The functions that an expression can call.

mod pattern;
mod table;

pub use pattern::Pattern;
pub use table::Function;
