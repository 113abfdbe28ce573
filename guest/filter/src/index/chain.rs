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

/// `a + b * …` compared with something, as in `message.total * 2 > message.limit`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    first: Operand,
    steps: [Option<(Arithmetic, Operand)>; LENGTH],
    relation: Comparison,
    last: Operand,
}

#[derive(Debug, Clone, Copy)]
enum Operand {
    Int(i64),
    Path(json::NodeId),
    /// The number of characters in a string.
    Size(json::NodeId),
}

/// A string longer than this is counted where it is paid for.
const COUNTED: usize = 512;

impl Chain {
    /// The chain that the root of an excerpt is, if it is one. Paths are nodes of the trie already.
    pub(crate) fn new(program: &Program) -> Option<Self> {
        let Node::Compare { relation, left, right } = program.node(program.root()) else { return None };
        let last = operand(program, right)?;
        let mut operations = Vec::new();
        let mut node = left;
        while let Node::Arithmetic { operator, left, right } = program.node(node) {
            operations.push((operator, operand(program, right)?));
            node = left;
        }
        let first = operand(program, node)?;
        if operations.len() > LENGTH {
            return None;
        }
        let mut steps = [None; LENGTH];
        for (step, operation) in steps.iter_mut().zip(operations.into_iter().rev()) {
            *step = Some(operation);
        }
        Some(Self { first, steps, relation, last })
    }

    /// The answer; `None` if something is there that only the evaluator knows: no ints, an overflow, a division by zero.
    #[inline]
    pub(crate) fn answer(&self, moment: &Moment<'_>) -> Option<bool> {
        if let (Operand::Path(left), [None, ..], Operand::Path(right)) = (self.first, &self.steps, self.last)
        {
            return compare(self.relation, moment, left, right);
        }
        let mut value = self.first.int(moment)?;
        for (operator, operand) in self.steps.iter().flatten() {
            let operand = operand.int(moment)?;
            value = match operator {
                Arithmetic::Add => value.checked_add(operand)?,
                Arithmetic::Subtract => value.checked_sub(operand)?,
                Arithmetic::Multiply => value.checked_mul(operand)?,
                Arithmetic::Divide => value.checked_div(operand)?,
                Arithmetic::Remainder => value.checked_rem(operand)?,
            };
        }
        Some(holds(self.relation, Some(value.cmp(&self.last.int(moment)?))))
    }
}

impl Operand {
    #[inline]
    fn int(self, moment: &Moment<'_>) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Path(path) => match moment.raw(path) {
                Raw::Int(value) => Some(value),
                _ => None,
            },
            Self::Size(path) => {
                let raw = moment.raw(path);
                if !matches!(raw, Raw::Plain(..) | Raw::Decoded(..)) {
                    return None;
                }
                let text = moment.text(raw).filter(|text| text.len() <= COUNTED)?;
                i64::try_from(text.chars().count()).ok()
            }
        }
    }
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
    let path = |path: PathId| json::NodeId::from(path);
    match program.node(node) {
        Node::Constant(constant) => match program.constant(constant) {
            Value::Int(value) => Some(Operand::Int(*value)),
            _ => None,
        },
        Node::Path(id) => Some(Operand::Path(path(id))),
        Node::Call { function: Function::Size, arguments } => match *program.children(arguments) {
            [only] => match program.node(only) {
                Node::Path(id) => Some(Operand::Size(path(id))),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
