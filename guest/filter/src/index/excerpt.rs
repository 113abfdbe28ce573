//! Cutting a part out of a program.

use crate::function::Pattern;
use crate::ir::{Children, Comprehension, ConstantId, Node, NodeId, PathId, PatternId, Program, ScopeId};
use crate::value::Value;

/// The part of `program` below `root` as a program of its own, in an order that depends on nothing but that part. `path`
/// renames its paths.
pub(super) fn excerpt(program: &Program, root: NodeId, path: impl FnMut(PathId) -> PathId) -> Program {
    let mut cut = Cut {
        program,
        path,
        nodes: Vec::new(),
        children: Vec::new(),
        constants: Vec::new(),
        comprehensions: Vec::new(),
        patterns: Vec::new(),
    };
    cut.copy(root);
    Program {
        nodes: cut.nodes.into(),
        children: cut.children.into(),
        constants: cut.constants.into(),
        comprehensions: cut.comprehensions.into(),
        patterns: cut.patterns.into(),
        paths: Box::default(),
        debug: None,
    }
}

struct Cut<'p, F> {
    program: &'p Program,
    path: F,
    nodes: Vec<Node>,
    children: Vec<NodeId>,
    constants: Vec<Value<'static>>,
    comprehensions: Vec<Comprehension>,
    patterns: Vec<Pattern>,
}

/// A position in an excerpt, which is never longer than the program.
fn position(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

impl<F: FnMut(PathId) -> PathId> Cut<'_, F> {
    /// Copies a node with all below it. As deep as the program, which is bounded.
    fn copy(&mut self, id: NodeId) -> NodeId {
        let node = match self.program.node(id) {
            Node::Constant(constant) => Node::Constant(self.constant(constant)),
            Node::Path(path) => Node::Path((self.path)(path)),
            Node::Has(path) => Node::Has((self.path)(path)),
            Node::OptionalPath { from, path } => Node::OptionalPath { from, path: (self.path)(path) },
            Node::Local(slot) => Node::Local(slot),
            Node::Not(operand) => Node::Not(self.copy(operand)),
            Node::Negate(operand) => Node::Negate(self.copy(operand)),
            Node::And(run) => Node::And(self.run(run)),
            Node::Or(run) => Node::Or(self.run(run)),
            Node::Conditional { condition, then, otherwise } => Node::Conditional {
                condition: self.copy(condition),
                then: self.copy(then),
                otherwise: self.copy(otherwise),
            },
            Node::Compare { relation, left, right } => {
                Node::Compare { relation, left: self.copy(left), right: self.copy(right) }
            }
            Node::Arithmetic { operator, left, right } => {
                Node::Arithmetic { operator, left: self.copy(left), right: self.copy(right) }
            }
            Node::In { item, container } => {
                Node::In { item: self.copy(item), container: self.copy(container) }
            }
            Node::Index { target, index } => {
                Node::Index { target: self.copy(target), index: self.copy(index) }
            }
            Node::OptionalIndex { target, index } => {
                Node::OptionalIndex { target: self.copy(target), index: self.copy(index) }
            }
            Node::Select { target, field } => {
                Node::Select { target: self.copy(target), field: self.constant(field) }
            }
            Node::HasField { target, field } => {
                Node::HasField { target: self.copy(target), field: self.constant(field) }
            }
            Node::OptionalSelect { target, field } => {
                Node::OptionalSelect { target: self.copy(target), field: self.constant(field) }
            }
            Node::Call { function, arguments } => Node::Call { function, arguments: self.run(arguments) },
            Node::Matches { subject, pattern, source } => Node::Matches {
                subject: self.copy(subject),
                pattern: self.pattern(pattern),
                source: self.constant(source),
            },
            Node::List(run) => Node::List(self.run(run)),
            Node::Map(run) => Node::Map(self.run(run)),
            Node::Optional(operand) => Node::Optional(self.copy(operand)),
            Node::Comprehension(scope) => Node::Comprehension(self.scope(scope)),
        };
        self.nodes.push(node);
        NodeId(position(self.nodes.len() - 1))
    }

    fn run(&mut self, run: Children) -> Children {
        let copies: Vec<NodeId> = self.program.children(run).iter().map(|child| self.copy(*child)).collect();
        let start = position(self.children.len());
        self.children.extend(copies);
        Children { start, count: run.count }
    }

    fn constant(&mut self, id: ConstantId) -> ConstantId {
        self.constants.push(self.program.constant(id).clone());
        ConstantId(position(self.constants.len() - 1))
    }

    fn pattern(&mut self, id: PatternId) -> PatternId {
        self.patterns.extend(self.program.pattern(id).cloned());
        PatternId(position(self.patterns.len().saturating_sub(1)))
    }

    fn scope(&mut self, id: ScopeId) -> ScopeId {
        if let Some(comprehension) = self.program.comprehension(id) {
            let copy = Comprehension {
                range: self.copy(comprehension.range),
                filter: comprehension.filter.map(|filter| self.copy(filter)),
                body: self.copy(comprehension.body),
                ..*comprehension
            };
            self.comprehensions.push(copy);
        }
        ScopeId(position(self.comprehensions.len().saturating_sub(1)))
    }
}
