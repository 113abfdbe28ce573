//! Arithmetic and comparisons of a few paths, answered without the evaluator where all goes as usual.

use super::moment::Moment;
use super::scalar::{Seen, equal, order};
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
    values: [i64; LENGTH + 2],
    kinds: [Kind; LENGTH + 2],
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

type Operand = (Kind, i64);

/// A string longer than this is counted where it is paid for.
const COUNTED: usize = 512;

impl Chain {
    /// The chain that the root of an excerpt is, if it is one. Paths are nodes of the trie already.
    pub(crate) fn new(program: &Program) -> Option<Self> {
        let Node::Compare { relation, left, right } = program.node(program.root()) else { return None };
        let last = operand(program, right)?;
        let mut steps = Vec::new();
        let mut node = left;
        while let Node::Arithmetic { operator, left, right } = program.node(node) {
            steps.push((operator, operand(program, right)?));
            node = left;
        }
        let first = operand(program, node)?;
        if steps.len() > LENGTH {
            return None;
        }
        let operands = [first].into_iter().chain(steps.iter().rev().map(|(_, operand)| *operand));
        let mut chain = Self {
            values: [last.1; LENGTH + 2],
            kinds: [last.0; LENGTH + 2],
            operators: [None; LENGTH],
            relation,
        };
        for ((kind, value), operand) in chain.kinds.iter_mut().zip(&mut chain.values).zip(operands) {
            (*kind, *value) = operand;
        }
        for (operator, (step, _)) in chain.operators.iter_mut().zip(steps.iter().rev()) {
            *operator = Some(*step);
        }
        Some(chain)
    }

    /// The answer; `None` if something is there that only the evaluator knows: no ints, an overflow, a division by zero.
    #[inline]
    pub(crate) fn answer(&self, moment: &Moment<'_>) -> Option<bool> {
        let [first, .., last] = self.values;
        let [first_kind, .., last_kind] = self.kinds;
        if let (Kind::Path, [None, ..], Kind::Path) = (first_kind, self.operators, last_kind) {
            return compare(self.relation, moment, path(first), path(last));
        }
        let mut value = int((first_kind, first), moment)?;
        let operands = self.kinds.iter().copied().zip(self.values).skip(1);
        for (operator, operand) in self.operators.iter().zip(operands) {
            let Some(operator) = operator else { break };
            let operand = int(operand, moment)?;
            value = match operator {
                Arithmetic::Add => value.checked_add(operand)?,
                Arithmetic::Subtract => value.checked_sub(operand)?,
                Arithmetic::Multiply => value.checked_mul(operand)?,
                Arithmetic::Divide => value.checked_div(operand)?,
                Arithmetic::Remainder => value.checked_rem(operand)?,
            };
        }
        Some(holds(self.relation, Some(value.cmp(&int((last_kind, last), moment)?))))
    }
}

fn path(value: i64) -> json::NodeId {
    PathId(u32::try_from(value).unwrap_or(u32::MAX)).into()
}

#[inline]
fn int((kind, value): Operand, moment: &Moment<'_>) -> Option<i64> {
    if kind == Kind::Int {
        return Some(value);
    }
    let raw = moment.raw(path(value));
    if kind == Kind::Path {
        let Raw::Int(value) = raw else { return None };
        return Some(value);
    }
    if !matches!(raw, Raw::Plain(..) | Raw::Decoded(..)) {
        return None;
    }
    let text = moment.text(raw).filter(|text| text.len() <= COUNTED)?;
    i64::try_from(text.chars().count()).ok()
}

/// Compares two paths that both have scalars.
fn compare(
    relation: Comparison,
    moment: &Moment<'_>,
    left: json::NodeId,
    right: json::NodeId,
) -> Option<bool> {
    let seen = |path: json::NodeId| -> Option<Seen<'_>> { moment.seen(moment.raw(path)) };
    let (left, right) = (seen(left)?, seen(right)?);
    match relation {
        Comparison::Equal => Some(equal(left, right)),
        Comparison::NotEqual => Some(!equal(left, right)),
        _ => Some(holds(relation, order(left, right)?)),
    }
}

fn operand(program: &Program, node: NodeId) -> Option<Operand> {
    let path = |kind: Kind, path: PathId| (kind, i64::from(path.0));
    match program.node(node) {
        Node::Constant(constant) => match program.constant(constant) {
            Value::Int(value) => Some((Kind::Int, *value)),
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
