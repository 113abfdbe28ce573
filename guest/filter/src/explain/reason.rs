//! The part of an expression that decided.

use super::render;
use super::{Explanation, Verdict};
use crate::Expression;
use crate::eval::EvalError;
use crate::eval::Evaluator;
use crate::fact::{Fact, Facts};
use crate::function::Function;
use crate::ir::{Comparison, Fields, Node, NodeId, Path, PathId, Program};
use crate::value::Value;
use std::cell::Cell;

/// The most characters of a reason.
const REASON: usize = 400;
/// How many alternatives of a disjunction are gone into.
const ALTERNATIVES: usize = 3;
/// How many values of the event are shown with one part.
const VALUES: usize = 3;

/// Evaluates an expression once more and finds the first part that made it false or failed.
#[must_use]
pub fn explain<F: Facts + ?Sized>(expression: &Expression, facts: &F) -> Explanation {
    let (program, steps) = (expression.program(), expression.steps());
    // The verdict has the same budget as the evaluation that it explains; the search for the reason has one of its own.
    let reasons = Reasons { expression, program, facts, left: Cell::new(steps.saturating_mul(4)) };
    let root = program.root();
    let (verdict, (reason, at)) = match Evaluator::new(program, facts, steps).test() {
        Ok(true) => (Verdict::Matched, (String::new(), root)),
        Ok(false) => (Verdict::NotMatched, reasons.why(root, false)),
        Err(error) => (Verdict::Failed(error), reasons.failure(root, error)),
    };
    Explanation { verdict, reason: render::cut(&reason, REASON), span: expression.span(at) }
}

struct Reasons<'a, F: Facts + ?Sized> {
    expression: &'a Expression,
    program: &'a Program,
    facts: &'a F,
    /// Steps left: parts are evaluated again and again on the way down.
    left: Cell<u32>,
}

impl<F: Facts + ?Sized> Reasons<'_, F> {
    fn truth(&self, id: NodeId) -> Result<bool, EvalError> {
        let mut evaluator = Evaluator::new(self.program, self.facts, self.left.get());
        let truth = evaluator.truth(id);
        self.left.set(evaluator.left());
        truth
    }

    fn text(&self, id: NodeId) -> String {
        render::source(self.expression.text(id))
    }

    /// Why a part has this truth, and which part of it decides that.
    fn why(&self, id: NodeId, truth: bool) -> (String, NodeId) {
        match self.program.node(id) {
            Node::Not(operand) => self.why(operand, !truth),
            Node::And(operands) | Node::Or(operands) => {
                let decisive = matches!(self.program.node(id), Node::Or(_));
                let operands = self.program.children(operands);
                if truth == decisive {
                    // One operand settles it; errors before it do not matter.
                    let found = operands.iter().find(|operand| self.truth(**operand) == Ok(truth));
                    return found.map_or_else(|| self.leaf(id, truth), |operand| self.why(*operand, truth));
                }
                if truth {
                    return (format!("{} is true", self.text(id)), id);
                }
                let mut reasons: Vec<String> =
                    operands.iter().take(ALTERNATIVES).map(|operand| self.why(*operand, false).0).collect();
                if operands.len() > ALTERNATIVES {
                    reasons
                        .push(format!("and {} more alternatives are false", operands.len() - ALTERNATIVES));
                }
                (reasons.join("; "), id)
            }
            Node::Conditional { condition, then, otherwise } => match self.truth(condition) {
                Ok(true) => self.why(then, truth),
                Ok(false) => self.why(otherwise, truth),
                Err(error) => self.failure(condition, error),
            },
            _ => self.leaf(id, truth),
        }
    }

    fn leaf(&self, id: NodeId, truth: bool) -> (String, NodeId) {
        (format!("{} is {truth}{}", self.text(id), self.values(id)), id)
    }

    /// Why a part failed: the innermost operand that did, and what it was about.
    fn failure(&self, id: NodeId, error: EvalError) -> (String, NodeId) {
        let inner = match self.program.node(id) {
            Node::And(operands) | Node::Or(operands) => {
                self.program.children(operands).iter().find(|operand| self.truth(**operand).is_err()).copied()
            }
            Node::Not(operand) => Some(operand),
            Node::Conditional { condition, then, otherwise } => match self.truth(condition) {
                Ok(true) => Some(then),
                Ok(false) => Some(otherwise),
                Err(_) => Some(condition),
            },
            _ => None,
        };
        if let Some(inner) = inner {
            return self.failure(inner, error);
        }
        let about = self.text(error.node);
        let whole = self.text(id);
        if let Some(lack) = self.lack(error.node) {
            let instead = self.instead(id, error.node);
            return (format!("{whole} failed: {lack}{instead}"), id);
        }
        let (values, hint) = (self.values(error.node), self.hint(error.node));
        if about == whole {
            return (format!("{whole} failed: {error}{values}{hint}"), id);
        }
        (format!("{whole} failed: {about}: {error}{values}{hint}"), id)
    }

    /// What was meant by a call that looks for an element of a list as if the list were a text.
    fn hint(&self, id: NodeId) -> &'static str {
        let Node::Call { function: Function::Contains, arguments } = self.program.node(id) else { return "" };
        let first = self.program.children(arguments).first().map(|first| self.program.node(*first));
        let Some(Node::Path(path)) = first else { return "" };
        match self.facts.path(path) {
            Fact::Value(Value::List(_)) => "; an element of a list is looked for with `x in list`",
            _ => "",
        }
    }

    /// What to write so that events without a field count: who compares one with `null`, or with what it is not to be, means
    /// those as well.
    fn instead(&self, id: NodeId, operand: NodeId) -> String {
        let (Node::Compare { relation, left, right }, Node::Path(path)) =
            (self.program.node(id), self.program.node(operand))
        else {
            return String::new();
        };
        let Some(path) = self.expression.paths().get(path.0 as usize).filter(|path| !path.fields.is_empty())
        else {
            return String::new();
        };
        let is_null = |id| match self.program.node(id) {
            Node::Constant(constant) => matches!(self.program.constant(constant), Value::Null),
            _ => false,
        };
        match relation {
            Comparison::Equal if is_null(left) || is_null(right) => {
                format!("; of an event without it {} is true", path.absence())
            }
            Comparison::NotEqual => {
                format!("; with {} || before it, events without it match, too", path.absence())
            }
            _ => String::new(),
        }
    }

    /// What the event has instead of a value, if a part is a path; then that says it all.
    fn lack(&self, id: NodeId) -> Option<String> {
        let (Node::Path(id) | Node::Has(id) | Node::OptionalPath { path: id, .. }) = self.program.node(id)
        else {
            return None;
        };
        let path = self.expression.paths().get(id.0 as usize)?;
        let fact = self.facts.path(id);
        let mut told = (!matches!(fact, Fact::Value(_))).then(|| render::fact(path, &fact))?;
        if let Fact::Missing { at, .. } = fact
            && let Some(dotted) = path.fields.iter().nth(at).filter(|field| field.contains('.'))
        {
            let around = Path { root: path.root, fields: Fields::new(path.fields.iter().take(at)) };
            told.push_str(&format!(
                ", which is one name; a field within a field is written {around}.{dotted}"
            ));
        }
        Some(told)
    }

    /// What the event has at the paths inside a part: `: message.quantity is -3`.
    fn values(&self, id: NodeId) -> String {
        let mut paths = Vec::new();
        self.paths_in(id, &mut paths);
        let more = paths.len().saturating_sub(VALUES);
        let mut values: Vec<String> = paths
            .iter()
            .take(VALUES)
            .filter_map(|id| {
                self.expression
                    .paths()
                    .get(id.0 as usize)
                    .map(|path| render::fact(path, &self.facts.path(*id)))
            })
            .collect();
        if more > 0 {
            values.push("…".to_owned());
        }
        if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) }
    }

    fn paths_in(&self, id: NodeId, paths: &mut Vec<PathId>) {
        let mut add = |path: PathId| {
            if !paths.contains(&path) {
                paths.push(path);
            }
        };
        if let Node::Path(path) | Node::Has(path) | Node::OptionalPath { path, .. } = self.program.node(id) {
            add(path);
        }
        for child in self.program.operands(id) {
            self.paths_in(child, paths);
        }
    }
}
