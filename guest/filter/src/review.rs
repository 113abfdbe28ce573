//! What an expression asks for: so that one which can never be true of the events that there are is found when it is written.

use crate::Expression;
use crate::ir::{Comparison, Node, NodeId, Path, PathId, Root, Span};
use crate::value::Value;

/// A text that an expression compares something with, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedText {
    /// The text.
    pub text: String,
    /// The part of the expression that compares it.
    pub span: Span,
}

/// A value that equals no other of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plain<'v> {
    Null,
    Bool(bool),
    Number(i128),
    Text(&'v str),
}

fn plain<'v>(value: &'v Value<'_>) -> Option<Plain<'v>> {
    match value {
        Value::Null => Some(Plain::Null),
        Value::Bool(value) => Some(Plain::Bool(*value)),
        Value::Int(value) => Some(Plain::Number((*value).into())),
        Value::Uint(value) => Some(Plain::Number((*value).into())),
        value => value.as_str().map(Plain::Text),
    }
}

impl Expression {
    /// The texts that the source's name is compared with: `source == "shop"`, `event.source in ["shop", "desk"]`.
    #[must_use]
    pub fn compared_sources(&self) -> Vec<ComparedText> {
        let program = self.program();
        let mut found = Vec::new();
        for (place, node) in (0..).zip(program.nodes()) {
            let (one, other) = match *node {
                Node::Compare { relation: Comparison::Equal | Comparison::NotEqual, left, right } => {
                    (left, right)
                }
                Node::In { item, container } => (item, container),
                _ => continue,
            };
            let constant = match (self.is_source(one), self.is_source(other)) {
                (true, false) => other,
                (false, true) => one,
                _ => continue,
            };
            let Node::Constant(constant) = program.node(constant) else { continue };
            let span = self.span(NodeId(place));
            let texts = match program.constant(constant) {
                Value::List(list) => list.iter().filter_map(Value::as_str).collect(),
                value => Vec::from_iter(value.as_str()),
            };
            found.extend(texts.into_iter().map(|text| ComparedText { text: text.to_owned(), span }));
        }
        found
    }

    /// The fields named `length` that it reads, which is how other languages write [`size`](crate::function).
    #[must_use]
    pub fn length_fields(&self) -> Vec<&Path> {
        let is_length = |path: &&Path| path.fields.iter().last() == Some("length");
        self.paths().iter().filter(|path| path.root == Root::MESSAGE).filter(is_length).collect()
    }

    /// What one `&&` asks of a path to be at once, though it can only be one: `a == 1 && a == 2`, `a in ["x"] && a == "y"`. Each
    /// with the part of the expression that asks it. Numbers with a fraction are left out.
    #[must_use]
    pub fn contradictions(&self) -> Vec<(&Path, Span)> {
        let program = self.program();
        let mut found = Vec::new();
        for (place, node) in (0..).zip(program.nodes()) {
            let Node::And(children) = *node else { continue };
            let mut allowed: Vec<(PathId, Vec<Plain<'_>>)> = Vec::new();
            for child in program.children(children) {
                let Some((path, values)) = self.asked(*child) else { continue };
                match allowed.iter_mut().find(|(known, _)| *known == path) {
                    Some((_, known)) => {
                        let before = known.len();
                        known.retain(|value| values.contains(value));
                        if known.is_empty() && before > 0 {
                            let path = self.paths().get(path.0 as usize);
                            found.extend(path.map(|path| (path, self.span(NodeId(place)))));
                        }
                    }
                    None => allowed.push((path, values)),
                }
            }
        }
        found
    }

    /// The values one of which a comparison asks a path to have; none if it is no such comparison.
    fn asked(&self, node: NodeId) -> Option<(PathId, Vec<Plain<'_>>)> {
        let program = self.program();
        let (path, constant) = match program.node(node) {
            Node::Compare { relation: Comparison::Equal, left, right } => {
                match (program.node(left), program.node(right)) {
                    (Node::Path(path), Node::Constant(constant))
                    | (Node::Constant(constant), Node::Path(path)) => (path, constant),
                    _ => return None,
                }
            }
            Node::In { item, container } => match (program.node(item), program.node(container)) {
                (Node::Path(path), Node::Constant(constant)) => match program.constant(constant) {
                    Value::List(list) => {
                        let values: Option<Vec<Plain<'_>>> = list.iter().map(plain).collect();
                        return Some((path, values?));
                    }
                    _ => return None,
                },
                _ => return None,
            },
            _ => return None,
        };
        Some((path, vec![plain(program.constant(constant))?]))
    }

    fn is_source(&self, node: NodeId) -> bool {
        let Node::Path(path) = self.program().node(node) else { return false };
        let Some(path) = self.paths().get(path.0 as usize) else { return false };
        match path.root {
            Root::SOURCE => path.fields.is_empty(),
            Root::EVENT => path.fields.iter().eq(["source"]),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Expression;
    use crate::table::{RuleKey, Table};

    fn sources(text: &str) -> Vec<String> {
        Expression::compile(text).unwrap().compared_sources().into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn finds_what_asks_two_things_of_one_path() {
        let found = |text: &str| {
            let expression = Expression::compile(text).unwrap();
            expression.contradictions().iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("message.a == 1 && message.b == 2 && 2 == message.a"), ["message.a"]);
        assert_eq!(found("event.type in ['a', 'b'] && event.type == 'c'"), ["event.type"]);
        assert_eq!(found("source == 'x' || (message.a == 'y' && message.a == true)"), ["message.a"]);
        for fine in [
            "message.a == 1 || message.a == 2",
            "message.a == 1 && message.b == 2",
            "event.type in ['a', 'b'] && event.type == 'b'",
            "message.a == 1 && message.a == 1.0",
            "message.a == 1 && message.a != 2",
        ] {
            assert!(found(fine).is_empty(), "{fine}");
        }
    }

    #[test]
    fn finds_every_name_that_the_source_is_compared_with() {
        assert_eq!(sources("source == 'shop' || 'desk' != event.source"), ["shop", "desk"]);
        assert_eq!(sources("event['source'] in ['a', 'b'] && message.source == 'c'"), ["a", "b"]);
        assert!(sources("source.startsWith('sh') && message.x == source").is_empty());
    }

    #[test]
    fn finds_fields_that_may_be_meant_as_a_length() {
        let lengths = |text: &str| Expression::compile(text).unwrap().length_fields().len();
        assert_eq!(lengths("message.list.length > 2"), 1);
        assert_eq!(lengths("headers.length == '1' && size(message.list) > 2 && message.length.x == 1"), 0);
    }

    #[test]
    fn knows_which_expressions_are_true_only_of_events_with_a_body() {
        let needs = |text: &str| {
            let mut table = Table::new();
            table.insert(RuleKey(0), &Expression::compile(text).unwrap(), None);
            table.needs_message(RuleKey(0))
        };
        for text in
            ["message.a == 1", "has(message.a) && source == 's'", "message.a == 1 || message.b + 1 > 2"]
        {
            assert!(needs(text), "{text}");
        }
        for text in ["source == 's'", "message.a == 1 || source == 's'", "!has(message.a) || true", "true"] {
            assert!(!needs(text), "{text}");
        }
    }
}
