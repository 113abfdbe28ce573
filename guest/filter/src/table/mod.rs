//! Many expressions, of which one event asks which are true.

mod class;
#[cfg(test)]
mod differential;
mod input;
mod matches;
mod reading;
mod sight;
mod store;

pub use class::Class;
pub use input::EventInput;
pub use matches::{Failure, Matches};
pub use reading::{Element, Pointer, Reading};
pub use sight::Sight;
pub use store::{RuleKey, Table};
