//! Conditions, split into what several expressions can share.

use super::scalar::Scalar;
use super::test::Test;
use crate::ir::{Node, Program};
use crate::json::NodeId;
use crate::value::Value;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

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
    /// What only the evaluator can answer for all events.
    Opaque(Shortcut, Box<Opaque>),
    /// Nothing is known about it; only in hints, never asked.
    Unknown,
}

/// The number of the graph's chain that answers an opaque gate for most events; it follows from the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shortcut(pub(super) u32);

impl Shortcut {
    pub(super) const NONE: Self = Self(u32::MAX);
}

impl PartialEq for Shortcut {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Shortcut {}

impl Hash for Shortcut {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A part of a program, as a program of its own whose paths are nodes of the table's trie.
#[derive(Debug, Clone)]
pub(crate) struct Opaque {
    /// Its code is the graph's, which has each code once.
    pub(crate) program: Program,
    /// What holds for some element of a list if the whole is true.
    pub(crate) hint: Option<Hint>,
}

/// If the opaque gate is true, then `gate` is true of some element of the array at `path`, or there is an object at `path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) path: NodeId,
    pub(crate) gate: GateId,
}

// The hint follows from the program.
impl PartialEq for Opaque {
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = (&self.program, &other.program);
        Arc::ptr_eq(&left.code, &right.code)
            && left.constants.len() == right.constants.len()
            && left.constants.iter().zip(&right.constants).all(|(left, right)| same(left, right))
    }
}

impl Eq for Opaque {}

impl Hash for Opaque {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.program.code).hash(state);
        self.program.constants.iter().for_each(|constant| hash(constant, state));
    }
}

/// Constants that are the same have the same hash, and hardly any others, also when they are lists.
fn hash(value: &Value<'_>, state: &mut impl Hasher) {
    match value {
        Value::List(list) => list.iter().for_each(|element| hash(element, state)),
        Value::Map(map) => {
            for (key, value) in map.entries() {
                hash(&key.value(), state);
                hash(value, state);
            }
        }
        Value::Bytes(bytes) => (**bytes).hash(state),
        Value::Timestamp(time) => time.hash(state),
        Value::Duration(duration) => duration.hash(state),
        Value::Address(address) => address.hash(state),
        Value::Network(network) => network.hash(state),
        _ => Scalar::new(value).hash(state),
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
        (Value::Address(left), Value::Address(right)) => left == right,
        (Value::Network(left), Value::Network(right)) => left == right,
        _ => match (Scalar::new(left), Scalar::new(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
    }
}

impl Opaque {
    /// The paths that it reads, as often as it does.
    pub(super) fn paths(&self) -> impl Iterator<Item = NodeId> {
        self.program.code.nodes.iter().filter_map(|node| match node {
            Node::Path(path) | Node::Has(path) | Node::OptionalPath { path, .. } => Some((*path).into()),
            _ => None,
        })
    }

    /// Bytes on the heap, without the code.
    pub(crate) fn heap_size(&self) -> usize {
        let program = &self.program;
        let text: usize =
            program.constants.iter().filter_map(Value::as_str).map(|text| text.len() + 16).sum();
        size_of::<Self>() + size_of_val(&*program.constants) + size_of_val(&*program.patterns) + text
    }
}

#[cfg(test)]
mod tests {
    use super::{hash, same};
    use crate::value::Value;
    use std::hash::{DefaultHasher, Hasher as _};

    #[test]
    fn lists_that_differ_have_different_hashes() {
        let hashed = |value: &Value<'_>| {
            let mut hasher = DefaultHasher::new();
            hash(value, &mut hasher);
            hasher.finish()
        };
        let [one, same_one, other] = [1, 1, 2].map(|number| Value::list(vec![Value::Int(number)]));
        assert!(same(&one, &same_one) && hashed(&one) == hashed(&same_one));
        assert!(!same(&one, &other) && hashed(&one) != hashed(&other));
    }
}
