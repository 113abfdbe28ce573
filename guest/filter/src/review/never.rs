//! Comparisons that hold of no event, whatever it is.

use crate::Expression;
use crate::function::Function;
use crate::ir::{Comparison, Fold, Node, NodeId, Path, Root, Span};
use crate::value::Value;

impl Expression {
    /// The paths that are compared with `null` and have a text or an instant if they have anything: attributes of the event and
    /// header fields. Each with the part of the expression that compares it.
    #[must_use]
    pub fn never_null(&self) -> Vec<(&Path, Span)> {
        let program = self.program();
        let mut found = Vec::new();
        for (place, node) in (0..).zip(program.nodes()) {
            let Node::Compare { relation: Comparison::Equal, left, right } = *node else { continue };
            let (path, constant) = match (program.node(left), program.node(right)) {
                (Node::Path(path), Node::Constant(constant))
                | (Node::Constant(constant), Node::Path(path)) => (path, constant),
                _ => continue,
            };
            let Some(path) = self.paths().get(path.0 as usize) else { continue };
            if matches!(program.constant(constant), Value::Null) && path.root != Root::MESSAGE {
                found.push((path, self.span(NodeId(place))));
            }
        }
        found
    }

    /// The texts with capital letters that names of header fields are compared with while they are gone through: `headers.exists(name,
    /// name == "X-A")`. Names are in lower case here. Each with the part of the expression that compares it.
    #[must_use]
    pub fn capital_header_names(&self) -> Vec<(String, Span)> {
        let program = self.program();
        let mut found = Vec::new();
        for node in program.nodes() {
            let Node::Comprehension(scope) = *node else { continue };
            let Some(scope) = program.comprehension(scope) else { continue };
            if matches!(scope.fold, Fold::Bind | Fold::Optional | Fold::FlatOptional) {
                continue;
            }
            let Node::Path(path) = program.node(scope.range) else { continue };
            let names = self.paths().get(path.0 as usize);
            if !names.is_some_and(|path| path.root == Root::HEADERS && path.fields.is_empty()) {
                continue;
            }
            let name = Node::Local(scope.slot);
            let mut ahead: Vec<NodeId> = scope.filter.into_iter().chain([scope.body]).collect();
            while let Some(id) = ahead.pop() {
                found.extend(self.capital_texts(id, name).into_iter().map(|text| (text, self.span(id))));
                ahead.extend(program.operands(id));
            }
        }
        found
    }

    /// The texts with capital letters that a node compares with another one.
    fn capital_texts(&self, id: NodeId, with: Node) -> Vec<String> {
        let program = self.program();
        let constant = |id: NodeId| match program.node(id) {
            Node::Constant(constant) => Some(program.constant(constant)),
            _ => None,
        };
        let other = match program.node(id) {
            Node::Compare { relation: Comparison::Equal, left, right } => {
                match (program.node(left) == with, program.node(right) == with) {
                    (true, _) => constant(right),
                    (_, true) => constant(left),
                    _ => None,
                }
            }
            Node::In { item, container } if program.node(item) == with => constant(container),
            Node::Call {
                function: Function::Contains | Function::StartsWith | Function::EndsWith,
                arguments,
            } => match program.children(arguments) {
                [first, second] if program.node(*first) == with => constant(*second),
                _ => None,
            },
            _ => None,
        };
        let texts: Vec<&str> = match other {
            Some(Value::List(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(value) => Vec::from_iter(value.as_str()),
            None => Vec::new(),
        };
        let capital = |text: &&str| text.bytes().any(|byte| byte.is_ascii_uppercase());
        texts.into_iter().filter(capital).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::Expression;

    #[test]
    fn finds_what_is_never_null() {
        let found = |text: &str| {
            let expression = Expression::compile(text).unwrap();
            expression.never_null().iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("event.id == null"), ["event.id"]);
        assert_eq!(found("null == event.subject || message.x == null"), ["event.subject"]);
        assert_eq!(found("source == null").len() + found("headers['X-A'] == null").len(), 2);
        assert!(found("event.id != null && message == null").is_empty());
    }

    #[test]
    fn finds_capitals_in_names_of_header_fields() {
        let found = |text: &str| {
            let expression = Expression::compile(text).unwrap();
            expression.capital_header_names().into_iter().map(|(text, _)| text).collect::<Vec<_>>()
        };
        for (text, names) in [
            ("headers.exists(n, n == 'X-A')", &["X-A"][..]),
            ("headers.exists(n, headers[n] == 'A' && 'X-A' == n)", &["X-A"]),
            ("headers.exists(n, v, n == 'X-A' && v == 'B')", &["X-A"]),
            ("headers.exists(n, n.startsWith('X-'))", &["X-"]),
            ("headers.filter(n, n in ['X-A', 'x-b', 'X-C']).size() > 0", &["X-A", "X-C"]),
        ] {
            assert_eq!(found(text), names, "{text}");
        }
        for fine in [
            "headers.exists(n, n == 'x-a')",
            "headers.exists(n, v, v == 'B')",
            "message.list.exists(n, n == 'X-A')",
            "headers.exists(n, message.list.exists(m, m == 'X-A'))",
            "'X-A' in headers",
        ] {
            assert!(found(fine).is_empty(), "{fine}");
        }
    }
}
