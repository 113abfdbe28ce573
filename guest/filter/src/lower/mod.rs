//! From the syntax tree to a program: names, macros, types, constants.

mod builder;
mod call;
mod expression;
mod hint;
mod macros;
mod name;

pub(crate) use expression::lower;

use crate::check::Shape;
use crate::environment::Environment;
use crate::ir::{NodeId, Path, Program, Root, Slot, Span};
use crate::problem::Fault;
use crate::syntax::Tree;
use builder::Builder;

/// What becomes of an expression.
pub(crate) struct Lowered {
    pub(crate) program: Program,
    /// The paths that the program reads, each once.
    pub(crate) paths: Box<[Path]>,
    /// Where each node stands in the text.
    pub(crate) spans: Box<[Span]>,
}

/// A variable of a comprehension that is in scope.
#[derive(Debug)]
struct Local<'a> {
    name: &'a str,
    slot: Slot,
    shape: Shape,
    /// The variable that it is another name for: what is known of that one's fields is known of its.
    alias: Option<Root>,
}

/// The state of one lowering.
struct Lowering<'a> {
    tree: &'a Tree<'a>,
    environment: &'a Environment,
    builder: Builder,
    scope: Vec<Local<'a>>,
    /// Room for the names of a chain.
    spare: Vec<(&'a str, Span)>,
    /// How many comprehensions are around.
    nesting: u16,
    faults: Vec<Fault>,
}

/// A lowered part and what is known of its type.
#[derive(Debug, Clone)]
struct Part {
    id: NodeId,
    shape: Shape,
}

impl Lowering<'_> {
    /// Notes a problem that only a checked expression has; unchecked it fails when evaluated.
    fn refuse(&mut self, span: Span, message: impl Into<String>) {
        if self.environment.checked() {
            self.faults.push(Fault::new(span, message));
        }
    }
}
