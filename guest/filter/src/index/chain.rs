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
    first: Operand,
    /// The first without an operator and those after it are not there.
    steps: [Operand; LENGTH],
    last: Operand,
    relation: Comparison,
}

#[derive(Debug, Clone, Copy)]
struct Operand {
    value: i64,
    kind: Kind,
    /// What is done with it, unless it is the first or the last.
    operator: Option<Arithmetic>,
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
        let mut steps = Vec::new();
        let mut node = left;
        while let Node::Arithmetic { operator, left, right } = program.node(node) {
            steps.push(Operand { operator: Some(operator), ..operand(program, right)? });
            node = left;
        }
        let first = operand(program, node)?;
        if steps.len() > LENGTH {
            return None;
        }
        let mut chain = Self { first, steps: [last; LENGTH], last, relation };
        for (place, step) in chain.steps.iter_mut().zip(steps.into_iter().rev()) {
            *place = step;
        }
        Some(chain)
    }

    /// The answer; `None` if something is there that only the evaluator knows: no ints, an overflow, a division by zero.
    #[inline]
    pub(crate) fn answer(&self, moment: &Moment<'_>) -> Option<bool> {
        let [Operand { operator: only, .. }, ..] = self.steps;
        if let (Kind::Path, None, Kind::Path) = (self.first.kind, only, self.last.kind) {
            return compare(self.relation, moment, path(self.first.value), path(self.last.value));
        }
        let mut value = self.first.int(moment)?;
        for operand in &self.steps {
            let Some(operator) = operand.operator else { break };
            let operand = operand.int(moment)?;
            value = match operator {
                Arithmetic::Add => value.checked_add(operand)?,
                Arithmetic::Subtract => value.checked_sub(operand)?,
                Arithmetic::Multiply => product(value, operand)?,
                Arithmetic::Divide => value.checked_div(operand)?,
                Arithmetic::Remainder => value.checked_rem(operand)?,
            };
        }
        Some(holds(self.relation, Some(value.cmp(&self.last.int(moment)?))))
    }
}

/// WebAssembly has no multiplication that tells of an overflow; one of small numbers needs none.
#[inline]
fn product(left: i64, right: i64) -> Option<i64> {
    match (i32::try_from(left), i32::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i64::from(left) * i64::from(right)),
        _ => left.checked_mul(right),
    }
}

fn path(value: i64) -> json::NodeId {
    PathId(u32::try_from(value).unwrap_or(u32::MAX)).into()
}

impl Operand {
    #[inline]
    fn int(self, moment: &Moment<'_>) -> Option<i64> {
        match self.kind {
            Kind::Int => Some(self.value),
            Kind::Path => match moment.raw(path(self.value)) {
                Raw::Int(value) => Some(value),
                _ => None,
            },
            Kind::Size => size(moment, path(self.value)),
        }
    }
}

#[inline(never)]
fn size(moment: &Moment<'_>, path: json::NodeId) -> Option<i64> {
    let raw = moment.raw(path);
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
    let path = |kind: Kind, path: PathId| Operand { value: i64::from(path.0), kind, operator: None };
    match program.node(node) {
        Node::Constant(constant) => match program.constant(constant) {
            Value::Int(value) => Some(Operand { value: *value, kind: Kind::Int, operator: None }),
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
