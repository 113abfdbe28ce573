//! The evaluator: truth, values and steps.

use super::EvalError;
use super::{arithmetic, selection};
use crate::fact::{Fact, Facts};
use crate::failure::Failure;
use crate::function::{Function, apply};
use crate::ir::{Children, Comparison, Node, NodeId, PathId, Program};
use crate::value::{Budget, Text, Value, equal, number};
use std::cmp::Ordering;

/// Evaluates one program for one event.
///
/// `&&` and `||` absorb errors as CEL says: what the other operands decide is decided, in whatever order they stand. Comparisons of what the
/// event has with constants neither allocate nor count references.
#[derive(Debug)]
pub struct Evaluator<'a, F: Facts + ?Sized> {
    pub(super) program: &'a Program,
    facts: &'a F,
    /// The variables of the comprehensions around, outermost first.
    pub(super) locals: Vec<Value<'a>>,
    pub(super) budget: Budget,
}

impl<'a, F: Facts + ?Sized> Evaluator<'a, F> {
    /// An evaluator that may take so many steps.
    #[must_use]
    pub const fn new(program: &'a Program, facts: &'a F, steps: u32) -> Self {
        Self { program, facts, locals: Vec::new(), budget: Budget::new(steps) }
    }

    /// Whether the program is true.
    ///
    /// # Errors
    /// It has no value, or one that is not a bool.
    pub fn test(&mut self) -> Result<bool, EvalError> {
        self.truth(self.program.root())
    }

    /// How many steps are left.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.budget.left()
    }

    fn step(&mut self, node: NodeId) -> Result<(), EvalError> {
        self.budget.spend(1).map_err(|_| EvalError { failure: Failure::Exhausted, node })
    }

    /// Whether a part of the program is true.
    ///
    /// # Errors
    /// It has no value, or one that is not a bool.
    pub fn truth(&mut self, id: NodeId) -> Result<bool, EvalError> {
        let fail = |failure| EvalError { failure, node: id };
        match self.program.node(id) {
            Node::And(operands) => self.junction(operands, false, id),
            Node::Or(operands) => self.junction(operands, true, id),
            Node::Not(operand) => {
                self.step(id)?;
                self.truth(operand).map(|truth| !truth)
            }
            Node::Compare { relation, left, right } => {
                self.step(id)?;
                let left = self.operand(left)?;
                let right = self.operand(right)?;
                compare(relation, &left, &right, &mut self.budget).map_err(fail)
            }
            Node::Has(path) => self.has(path).map_err(fail),
            Node::In { item, container } => {
                self.step(id)?;
                self.membership(item, container, id)
            }
            Node::Conditional { condition, then, otherwise } => {
                self.step(id)?;
                let branch = if self.truth(condition)? { then } else { otherwise };
                self.truth(branch)
            }
            _ => match self.value(id)? {
                Value::Bool(bool) => Ok(bool),
                _ => Err(fail(Failure::NotBool)),
            },
        }
    }

    /// A conjunction or disjunction: `decisive` is the truth that settles it.
    fn junction(&mut self, operands: Children, decisive: bool, id: NodeId) -> Result<bool, EvalError> {
        self.step(id)?;
        let mut error = None;
        for operand in self.program.children(operands) {
            match self.truth(*operand) {
                Ok(truth) if truth == decisive => return Ok(decisive),
                Ok(_) => {}
                // Running out of steps is not an answer that another operand may absorb.
                Err(exhausted) if exhausted.failure == Failure::Exhausted => return Err(exhausted),
                Err(first) => error = error.or(Some(first)),
            }
        }
        error.map_or(Ok(!decisive), Err)
    }

    /// The value of a leaf without a step, of anything else with.
    #[inline]
    pub(super) fn operand(&mut self, id: NodeId) -> Result<Value<'a>, EvalError> {
        match self.program.node(id) {
            Node::Constant(constant) => Ok(self.program.constant(constant).borrowed()),
            Node::Path(path) => self.path(path).map_err(|failure| EvalError { failure, node: id }),
            _ => self.value(id),
        }
    }

    fn path(&self, path: PathId) -> Result<Value<'a>, Failure> {
        match self.facts.path(path) {
            Fact::Value(value) => Ok(value),
            Fact::Missing { .. } => Err(Failure::NoSuchKey),
            Fact::NotMap { .. } => Err(Failure::NotMap),
            Fact::Unreadable(why) => Err(Failure::Unreadable(why)),
        }
    }

    fn has(&self, path: PathId) -> Result<bool, Failure> {
        match self.facts.presence(path) {
            Fact::Value(_) => Ok(true),
            Fact::Missing { last: true, .. } => Ok(false),
            Fact::Missing { .. } => Err(Failure::NoSuchKey),
            Fact::NotMap { .. } => Err(Failure::NotMap),
            Fact::Unreadable(why) => Err(Failure::Unreadable(why)),
        }
    }

    fn membership(&mut self, item: NodeId, container: NodeId, id: NodeId) -> Result<bool, EvalError> {
        let item = self.operand(item)?;
        let held;
        let container = match self.program.node(container) {
            Node::Constant(constant) => self.program.constant(constant),
            _ => {
                held = self.operand(container)?;
                &held
            }
        };
        selection::contains(&item, container, &mut self.budget)
            .map_err(|failure| EvalError { failure, node: id })
    }

    /// The value of a part of the program.
    ///
    /// # Errors
    /// It has none.
    pub fn value(&mut self, id: NodeId) -> Result<Value<'a>, EvalError> {
        let fail = |failure| EvalError { failure, node: id };
        self.step(id)?;
        match self.program.node(id) {
            Node::Constant(constant) => Ok(self.program.constant(constant).borrowed()),
            Node::Path(path) => self.path(path).map_err(fail),
            Node::OptionalPath { from, path } => match self.facts.path(path) {
                Fact::Missing { at, .. } if at >= usize::from(from) => Ok(Value::Optional(None)),
                _ => self.path(path).map(|value| Value::Optional(Some(value.into()))).map_err(fail),
            },
            Node::Local(slot) => {
                self.locals.get(usize::from(slot.0)).cloned().ok_or(fail(Failure::NoOverload))
            }
            Node::Not(_)
            | Node::And(_)
            | Node::Or(_)
            | Node::Compare { .. }
            | Node::Has(_)
            | Node::In { .. } => self.truth(id).map(Value::Bool),
            Node::Conditional { condition, then, otherwise } => {
                let branch = if self.truth(condition)? { then } else { otherwise };
                self.value(branch)
            }
            Node::Negate(operand) => {
                let operand = self.operand(operand)?;
                arithmetic::negate(&operand).map_err(fail)
            }
            Node::Arithmetic { operator, left, right } => {
                let left = self.operand(left)?;
                let right = self.operand(right)?;
                arithmetic::arithmetic(operator, &left, &right, &mut self.budget).map_err(fail)
            }
            Node::Index { target, index } => {
                let target = self.operand(target)?;
                let index = self.operand(index)?;
                selection::index(&target, &index).map_err(fail)
            }
            Node::OptionalIndex { target, index } => {
                let target = self.operand(target)?;
                let index = self.operand(index)?;
                selection::optional(&target, &index).map_err(fail)
            }
            Node::Select { target, field } => {
                let target = self.operand(target)?;
                selection::field(&target, self.program.text(field)).map_err(fail)
            }
            Node::HasField { target, field } => {
                let target = self.operand(target)?;
                selection::has(&target, self.program.text(field)).map(Value::Bool).map_err(fail)
            }
            Node::OptionalSelect { target, field } => {
                let target = self.operand(target)?;
                let field = Value::str(self.program.text(field));
                selection::optional_field(&target, &field).map_err(fail)
            }
            Node::Matches { subject, pattern, .. } => {
                match (self.operand(subject)?, self.program.pattern(pattern)) {
                    (Value::String(text), Some(pattern)) => {
                        pattern.test(&text, &mut self.budget).map(Value::Bool).map_err(fail)
                    }
                    _ => Err(fail(Failure::NoOverload)),
                }
            }
            Node::Call { function, arguments } => self.call(function, arguments, id),
            Node::List(elements) => self.list(elements, id),
            Node::Map(entries) => self.map(entries, id),
            Node::Optional(element) => self.value(element),
            Node::Comprehension(scope) => self.comprehension(scope, id),
        }
    }

    fn call(&mut self, function: Function, arguments: Children, id: NodeId) -> Result<Value<'a>, EvalError> {
        let fail = |failure| EvalError { failure, node: id };
        match *self.program.children(arguments) {
            [first] => {
                let first = self.operand(first)?;
                apply(function, &[first], &mut self.budget).map_err(fail)
            }
            [first, second] => {
                let first = self.operand(first)?;
                // The second side of or() and orValue() is only looked at if it is needed.
                match (function, first) {
                    (Function::OrValue, Value::Optional(Some(inner))) => Ok((*inner).clone()),
                    (Function::Or, first @ Value::Optional(Some(_))) => Ok(first),
                    (_, first) => {
                        let second = self.operand(second)?;
                        apply(function, &[first, second], &mut self.budget).map_err(fail)
                    }
                }
            }
            ref many => {
                let values: Result<Vec<_>, _> = many.iter().map(|argument| self.operand(*argument)).collect();
                apply(function, &values?, &mut self.budget).map_err(fail)
            }
        }
    }
}

/// Compares two values.
pub(crate) fn compare(
    relation: Comparison,
    left: &Value<'_>,
    right: &Value<'_>,
    budget: &mut Budget,
) -> Result<bool, Failure> {
    match relation {
        Comparison::Equal => return Ok(equal(left, right, budget)?),
        Comparison::NotEqual => return Ok(!equal(left, right, budget)?),
        _ => {}
    }
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => Some(text(left).cmp(text(right))),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Bytes(left), Value::Bytes(right)) => Some((**left).cmp(&**right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        _ => match (left.number(), right.number()) {
            (Some(left), Some(right)) => number::order(left, right),
            _ => return Err(Failure::NoOverload),
        },
    };
    // NaN has no order: every relation with it is false.
    Ok(match relation {
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}

fn text<'t>(text: &'t Text<'_>) -> &'t str {
    text
}
