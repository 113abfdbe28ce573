//! Arithmetic and comparisons of a few paths, answered without the evaluator where all goes as usual.

use super::event_view::EventView;
use super::scalar::{BorrowedScalar, equal, order};
use super::test::holds;
use crate::function::Function;
use crate::ir::{Arithmetic, Comparison, Node, NodeId, PathId, Program};
use crate::json::{self, Raw};
use crate::value::Value;

/// The most operations in a row.
const LENGTH: usize = 3;

/// `a + b * …` compared with something, as in `message.total * 2 > message.limit`. Small, because where many rules are asked the
/// time goes into fetching them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    /// The first operand, those of the steps, and the last one; what is not used is 0.
    values: [i32; LENGTH + 2],
    kinds: [Kind; LENGTH + 2],
    /// What is done with the operands of the steps; those after the first `None` are not there.
    operators: [Option<Arithmetic>; LENGTH],
    relation: Comparison,
}

/// What the value of an operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The operand itself.
    Int,
    /// A path's number.
    Path,
    /// The number of a path of which the characters are counted.
    Size,
}

/// A string longer than this is counted where it is paid for.
const COUNTED: usize = 512;

impl Chain {
    /// The chain that the root of an excerpt is, if it is one. Paths are nodes of the trie already.
    pub(crate) fn new(program: &Program) -> Option<Self> {
        let Node::Compare { relation, left, right } = program.node(program.root()) else { return None };
        let last = operand(program, right)?;
        let mut length = 0;
        let mut node = left;
        while let Node::Arithmetic { left, .. } = program.node(node) {
            (node, length) = (left, length + 1);
        }
        let first = operand(program, node)?;
        let mut chain = Self {
            values: [0; LENGTH + 2],
            kinds: [Kind::Int; LENGTH + 2],
            operators: [None; LENGTH],
            relation,
        };
        let mut put = |place: usize, (value, kind): (i32, Kind)| {
            *chain.values.get_mut(place)? = value;
            *chain.kinds.get_mut(place)? = kind;
            Some(())
        };
        put(0, first)?;
        put(LENGTH + 1, last)?;
        let mut node = left;
        while let Node::Arithmetic { operator, left, right } = program.node(node) {
            length -= 1;
            *chain.operators.get_mut(length)? = Some(operator);
            put(length + 1, operand(program, right)?)?;
            node = left;
        }
        Some(chain)
    }

    /// The answer; `None` if something is there that only the evaluator knows: no ints, an overflow, a division by zero.
    #[inline]
    pub(crate) fn answer(&self, view: &EventView<'_>) -> Option<bool> {
        if let ([Kind::Path, .., Kind::Path], [None, ..]) = (&self.kinds, &self.operators) {
            let [first, .., last] = self.values;
            return compare(self.relation, view, path(first), path(last));
        }
        let mut value = self.int(0, view)?;
        for (place, operator) in (1..).zip(&self.operators) {
            let Some(operator) = operator else { break };
            let operand = self.int(place, view)?;
            value = match operator {
                Arithmetic::Add => value.checked_add(operand)?,
                Arithmetic::Subtract => value.checked_sub(operand)?,
                Arithmetic::Multiply => product(value, operand)?,
                Arithmetic::Divide => value.checked_div(operand)?,
                Arithmetic::Remainder => value.checked_rem(operand)?,
            };
        }
        Some(holds(self.relation, Some(value.cmp(&self.int(LENGTH + 1, view)?))))
    }

    /// The value of an operand, if it is an int.
    #[inline(always)]
    fn int(&self, place: usize, view: &EventView<'_>) -> Option<i64> {
        let value = *self.values.get(place)?;
        match self.kinds.get(place)? {
            Kind::Int => Some(i64::from(value)),
            Kind::Path => match view.raw(path(value)) {
                Raw::Int(value) => Some(value),
                _ => None,
            },
            Kind::Size => size(view, path(value)),
        }
    }
}

/// WebAssembly has no multiplication that tells of an overflow; one of small numbers needs none.
#[inline(always)]
fn product(left: i64, right: i64) -> Option<i64> {
    match (i32::try_from(left), i32::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i64::from(left) * i64::from(right)),
        _ => left.checked_mul(right),
    }
}

fn path(value: i32) -> json::NodeId {
    PathId(value.cast_unsigned()).into()
}

#[inline(never)]
fn size(view: &EventView<'_>, path: json::NodeId) -> Option<i64> {
    let raw = view.raw(path);
    if !matches!(raw, Raw::Plain(..) | Raw::Decoded(..)) {
        return None;
    }
    let text = view.text(raw).filter(|text| text.len() <= COUNTED)?;
    i64::try_from(text.chars().count()).ok()
}

/// Compares two paths that both have scalars.
fn compare(
    relation: Comparison,
    view: &EventView<'_>,
    left: json::NodeId,
    right: json::NodeId,
) -> Option<bool> {
    let seen = |path: json::NodeId| -> Option<BorrowedScalar<'_>> { view.seen(view.raw(path)) };
    let (left, right) = (seen(left)?, seen(right)?);
    match relation {
        Comparison::Equal => Some(equal(left, right)),
        Comparison::NotEqual => Some(!equal(left, right)),
        _ => Some(holds(relation, order(left, right)?)),
    }
}

/// An operand that is a path, a path's size or an int of 32 bits; larger ones are left to the evaluator.
fn operand(program: &Program, node: NodeId) -> Option<(i32, Kind)> {
    let path = |kind: Kind, path: PathId| (path.0.cast_signed(), kind);
    match program.node(node) {
        Node::Constant(constant) => match program.constant(constant) {
            Value::Int(value) => Some((i32::try_from(*value).ok()?, Kind::Int)),
            _ => None,
        },
        Node::Path(id) => Some(path(Kind::Path, id)),
        Node::Call { function: Function::Size, arguments } => match *program.children(arguments) {
            [only] => match program.node(only) {
                Node::Path(id) => Some(path(Kind::Size, id)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Chain;

    #[test]
    fn a_chain_is_half_of_a_cache_line() {
        assert_eq!(size_of::<Chain>(), 32);
    }
}
