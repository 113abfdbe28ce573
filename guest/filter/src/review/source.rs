//! What an expression asks of the source and of lengths.

use crate::Expression;
use crate::ir::{Comparison, Node, NodeId, Path, Root, Span};
use crate::value::Value;

/// A text that an expression compares something with, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedText {
    /// The text.
    pub text: String,
    /// The part of the expression that compares it.
    pub span: Span,
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

    /// Whether a node is the name of the event's source, as `source` or as an attribute.
    fn is_source(&self, node: NodeId) -> bool {
        let Node::Path(path) = self.program().node(node) else { return false };
        self.paths().get(path.0 as usize).is_some_and(is_source)
    }
}

/// Whether a path is the name of the event's source.
pub(super) fn is_source(path: &Path) -> bool {
    match path.root {
        Root::SOURCE => path.fields.is_empty(),
        Root::EVENT => path.fields.iter().eq(["source"]),
        _ => false,
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
