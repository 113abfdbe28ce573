//! The lowered form of an expression: a compact tree in one array, with its constants and the paths into the event that it reads.
//!
//! Everything is reached through ids. A [`Node`] takes eight bytes; a child's id is always smaller than its parent's.

mod comprehension;
mod node;
mod path;
mod program;

pub use comprehension::{Comprehension, Fold};
pub use node::{Arithmetic, Children, Comparison, ConstantId, Node, NodeId, PatternId, ScopeId, Slot};
pub use path::{Fields, Path, PathId, Root};
pub use program::{Code, Program, Span};
