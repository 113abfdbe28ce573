//! Conditions, split into what several expressions can share.

use super::chain::Chain;
use super::scalar::Scalar;
use super::test::Test;
use crate::ir::{Node, Program};
use crate::json::NodeId;
use crate::value::Value;
use std::hash::{Hash, Hasher};

/// A gate in a [`super::Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GateId(pub(super) u32);

impl GateId {
    /// The gate that is always true; every graph has it.
    pub(crate) const TRUE: Self = Self(0);

    #[inline]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A condition, in CEL's logic of false, true and error.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Gate {
    /// Always the same.
    Constant(bool),
    /// A test of one path.
    Test(NodeId, Test),
    /// `!`
    Not(GateId),
    /// `&&`
    And(Box<[GateId]>),
    /// `||`
    Or(Box<[GateId]>),
    /// `condition ? then : otherwise`
    Choose(GateId, GateId, GateId),
    /// What only the evaluator can answer.
    Opaque(Box<Opaque>),
    /// Nothing is known about it; only in hints, never asked.
    Unknown,
}

/// A part of a program, as a program of its own whose paths are nodes of the table's trie.
#[derive(Debug, Clone)]
pub(crate) struct Opaque {
    /// A shorter way to the answer, for most events.
    pub(crate) chain: Option<Chain>,
    pub(crate) program: Program,
    /// The paths that it reads, each once.
    pub(crate) paths: Box<[NodeId]>,
    /// Of these, the ones without which it fails.
    pub(crate) strict: Box<[NodeId]>,
    /// What holds for some element of a list if the whole is true.
    pub(crate) hint: Option<Hint>,
}

/// If the opaque gate is true, then `gate` is true of some element of the array at `path`, or there is an object at `path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) path: NodeId,
    pub(crate) gate: GateId,
}

// The chain, the strict paths and the hint follow from the program.
impl PartialEq for Opaque {
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = (&self.program, &other.program);
        left.nodes == right.nodes
            && left.children == right.children
            && left.comprehensions == right.comprehensions
            && left.constants.len() == right.constants.len()
            && left.constants.iter().zip(&right.constants).all(|(left, right)| same(left, right))
    }
}

impl Eq for Opaque {}

impl Hash for Opaque {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.program.nodes.hash(state);
        self.program.children.hash(state);
        for constant in &self.program.constants {
            Scalar::new(constant).hash(state);
        }
    }
}

/// Whether two constants are the same in every respect, not only equal. Patterns are compared by their text, which is a
/// constant as well.
fn same(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| same(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.entries().iter().zip(right.entries()).all(|((key, value), (other_key, other))| {
                    same(&key.value(), &other_key.value()) && same(value, other)
                })
        }
        (Value::Bytes(left), Value::Bytes(right)) => **left == **right,
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::Type(left), Value::Type(right)) => left == right,
        _ => match (Scalar::new(left), Scalar::new(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
    }
}

impl Opaque {
    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        let program = &self.program;
        let text: usize =
            program.constants.iter().filter_map(Value::as_str).map(|text| text.len() + 16).sum();
        size_of::<Self>()
            + size_of_val::<[Node]>(&program.nodes)
            + size_of_val(&*program.children)
            + size_of_val(&*program.constants)
            + size_of_val(&*program.comprehensions)
            + size_of_val(&*program.patterns)
            + size_of_val(&*self.paths)
            + size_of_val(&*self.strict)
            + text
    }
}
