//! What one conjunction asks of a value to be at once, though it can only be one.

use super::source::is_source;
use crate::Expression;
use crate::eval::compare;
use crate::ir::{Comparison, Node, NodeId, Path, PathId, Span};
use crate::value::{Budget, Value};
use std::collections::BTreeMap;

/// Constants of an expression are short; what takes longer to compare is not looked at.
const STEPS: u32 = 10_000;

/// What is asked of one path.
#[derive(Debug, Default)]
struct Asked<'v> {
    /// Relations to constants, the path on the left.
    relations: Vec<(Comparison, &'v Value<'static>)>,
    /// Lists one of whose elements it is to be.
    lists: Vec<Vec<&'v Value<'static>>>,
    /// Whether it is to be there, and whether it is to be absent.
    present: bool,
    absent: bool,
}

impl Expression {
    /// What one `&&` asks of a path to be at once, though it can only be one: `a == 1 && a == 2`, `a > 5 && a < 3`,
    /// `a in ["x"] && a == "y"`, `has(a) && !has(a)`. Each with the part of the expression that asks it.
    #[must_use]
    pub fn contradictions(&self) -> Vec<(&Path, Span)> {
        let program = self.program();
        let mut found = Vec::new();
        for (place, node) in (0..).zip(program.nodes()) {
            let Node::And(children) = *node else { continue };
            let mut asked: BTreeMap<PathId, Asked<'_>> = BTreeMap::new();
            for child in program.children(children) {
                self.collect(*child, true, &mut asked);
            }
            let impossible = asked.iter().filter(|(_, asked)| !asked.is_possible());
            found.extend(impossible.filter_map(|(path, _)| {
                Some((self.paths().get(path.0 as usize)?, self.span(NodeId(place))))
            }));
        }
        found
    }

    /// Adds what a part asks if it is to have this truth.
    fn collect<'e>(&'e self, node: NodeId, truth: bool, asked: &mut BTreeMap<PathId, Asked<'e>>) {
        let program = self.program();
        match program.node(node) {
            Node::Not(inner) => self.collect(inner, !truth, asked),
            Node::Has(path) => {
                let asked = asked.entry(self.same(path)).or_default();
                if truth {
                    asked.present = true;
                } else {
                    asked.absent = true;
                }
            }
            Node::Compare { relation, left, right } => {
                let (path, relation, constant) = match (program.node(left), program.node(right)) {
                    (Node::Path(path), Node::Constant(constant)) => (path, relation, constant),
                    (Node::Constant(constant), Node::Path(path)) => (path, relation.mirrored(), constant),
                    _ => return,
                };
                let relation = if truth { relation } else { relation.opposite() };
                let asked = asked.entry(self.same(path)).or_default();
                asked.present = true;
                asked.relations.push((relation, program.constant(constant)));
            }
            Node::In { item, container } if truth => {
                let (Node::Path(path), Node::Constant(constant)) =
                    (program.node(item), program.node(container))
                else {
                    return;
                };
                let Value::List(list) = program.constant(constant) else { return };
                asked.entry(self.same(path)).or_default().lists.push(list.iter().collect());
            }
            _ => {}
        }
    }

    /// One path for all that are the same value: the source's name has two.
    fn same(&self, path: PathId) -> PathId {
        if !self.paths().get(path.0 as usize).is_some_and(is_source) {
            return path;
        }
        let first = (0..).map(PathId).zip(self.paths()).find(|(_, other)| is_source(other));
        first.map_or(path, |(first, _)| first)
    }
}

impl Asked<'_> {
    /// Whether some value may have all that is asked.
    fn is_possible(&self) -> bool {
        if self.present && self.absent {
            return false;
        }
        let equal = self.relations.iter().filter(|(relation, _)| *relation == Comparison::Equal);
        let candidates: Vec<&Value<'_>> = match (equal.map(|(_, value)| *value).next(), self.lists.first()) {
            (Some(value), _) => vec![value],
            (None, Some(list)) => list.clone(),
            (None, None) => return self.bounds_are_possible(),
        };
        candidates.into_iter().any(|value| self.holds(value))
    }

    fn holds(&self, value: &Value<'_>) -> bool {
        let listed = |list: &Vec<&Value<'_>>| list.iter().any(|one| is(Comparison::Equal, value, one));
        self.relations.iter().all(|(relation, constant)| is(*relation, value, constant))
            && self.lists.iter().all(listed)
    }

    /// Whether anything is above every lower bound and below every upper one.
    fn bounds_are_possible(&self) -> bool {
        use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
        let lower = self.relations.iter().filter(|(one, _)| matches!(one, Greater | GreaterOrEqual));
        lower.into_iter().all(|(above, low)| {
            let upper = self.relations.iter().filter(|(one, _)| matches!(one, Less | LessOrEqual));
            upper.into_iter().all(|(below, high)| {
                let touching = *above == GreaterOrEqual && *below == LessOrEqual;
                is(if touching { LessOrEqual } else { Less }, low, high)
            })
        })
    }
}

/// Whether a relation holds; what is too long to compare is held to be so.
fn is(relation: Comparison, left: &Value<'_>, right: &Value<'_>) -> bool {
    let mut budget = Budget::new(STEPS);
    let holds = compare(relation, left, right, &mut budget);
    holds.unwrap_or(budget.left() == 0)
}

#[cfg(test)]
mod tests {
    use crate::Expression;

    fn found(text: &str) -> Vec<String> {
        let expression = Expression::compile(text).unwrap();
        expression.contradictions().iter().map(|(path, _)| path.to_string()).collect()
    }

    #[test]
    fn finds_what_asks_two_things_of_one_path() {
        for (text, path) in [
            ("message.a == 1 && message.b == 2 && 2 == message.a", "message.a"),
            ("message.a == 1 && message.a == 1.5", "message.a"),
            ("message.a == 1 && message.a != 1", "message.a"),
            ("message.a == 1 && !(message.a == 1.0)", "message.a"),
            ("event.type in ['a', 'b'] && event.type == 'c'", "event.type"),
            ("message.a in [1, 2] && message.a in [3]", "message.a"),
            ("message.a in [1, 2] && message.a > 2", "message.a"),
            ("source == 'x' || (message.a == 'y' && message.a == true)", "message.a"),
            ("has(message.a) && !has(message.a)", "message.a"),
            ("message.a == 1 && !has(message.a)", "message.a"),
        ] {
            assert_eq!(found(text), [path], "{text}");
        }
        assert_eq!(found("event.source == 'a' && source == 'b'").len(), 1);
        assert_eq!(found("source in ['a'] && event['source'] == 'b'").len(), 1);
    }

    #[test]
    fn finds_bounds_that_leave_nothing_between_them() {
        for text in [
            "message.n > 5 && message.n < 3",
            "message.n > 5 && message.n < 5.0",
            "message.n >= 5 && message.n < 5",
            "5 < message.n && message.n <= 5",
            "message.n > 5 && message.n == 3",
            "message.s > 'b' && message.s < 'a'",
            "message.n > 5 && message.n < 'a'",
            "event.time > timestamp('2026-01-02T00:00:00Z') && event.time < timestamp('2026-01-01T00:00:00Z')",
            "!(message.n <= 5) && message.n < 3 && message.x == 1",
        ] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn finds_nothing_in_what_can_be() {
        for fine in [
            "message.a == 1 || message.a == 2",
            "message.a == 1 && message.b == 2",
            "event.type in ['a', 'b'] && event.type == 'b'",
            "message.a == 1 && message.a == 1.0",
            "message.a == 1 && message.a != 2",
            "message.n > 3 && message.n < 5",
            "message.n >= 5 && message.n <= 5",
            "message.n > 3 && message.n > 5",
            "has(message.a) && message.a == 1",
            "!(message.a in [1]) && message.a == 1 || true",
            "source == 'a' && event.source == 'a' && message.source == 'b'",
        ] {
            assert!(found(fine).is_empty(), "{fine}: {:?}", found(fine));
        }
    }
}
