//! What an evaluator asks an event for.

mod binding;
mod event;

pub use binding::Bindings;
pub use event::EventInput;

use crate::failure::Unreadable;
use crate::ir::PathId;
use crate::value::Value;

/// What is at the end of a path in one event.
#[derive(Debug, Clone)]
pub enum Fact<'a> {
    /// A value.
    Value(Value<'a>),
    /// Field number `at` of the path is not in the map that it should be in. `has()` is false if it is the last field.
    Missing {
        /// The number of the field, 0 for the first after the root.
        at: usize,
        /// Whether it is the last field of the path.
        last: bool,
    },
    /// What should contain field number `at` of the path is not a map; also `has()` is an error then.
    NotMap {
        /// The number of the field, 0 for the first after the root.
        at: usize,
    },
    /// There is no such value at all, for instance because the body is not JSON or the number is too large for a double: every use is an error.
    Unreadable(Unreadable),
}

/// One event, seen through the paths of a program or of a table of programs.
///
/// An implementation is asked for the same path again and again, so it has to answer from slots that it filled in one pass over the body. Scalars borrow;
/// containers are made into values when they are first asked for.
pub trait Facts {
    /// What is at the end of the path.
    fn path(&self, path: PathId) -> Fact<'_>;

    /// The same, but the value itself does not matter, only that there is one: answers without making values of containers.
    fn presence(&self, path: PathId) -> Fact<'_> {
        self.path(path)
    }
}
