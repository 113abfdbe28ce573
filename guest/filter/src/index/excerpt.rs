//! Cutting a part out of a program.

use crate::function::Pattern;
use crate::ir::{
    Children, Code, Comprehension, ConstantId, Node, NodeId, PathId, PatternId, Program, ScopeId,
};
use crate::value::Value;
use std::sync::Arc;

/// Room for cutting, used again and again.
#[derive(Debug, Default)]
pub(super) struct ExcerptBuffer {
    pub(super) nodes: Vec<Node>,
    pub(super) children: Vec<NodeId>,
    pub(super) comprehensions: Vec<Comprehension>,
    constants: Vec<Value<'static>>,
    patterns: Vec<Pattern>,
    /// Children of runs that are not complete.
    open: Vec<NodeId>,
}

impl ExcerptBuffer {
    /// Cuts the part of `program` below `root` out, in an order that depends on nothing but that part. `path` renames its
    /// paths.
    pub(super) fn cut(&mut self, program: &Program, root: NodeId, path: impl FnMut(PathId) -> PathId) {
        self.nodes.clear();
        self.children.clear();
        self.comprehensions.clear();
        Cut { program, path, scrap: self }.copy(root);
    }

    /// What was cut out as a program with this code, which is the same as the scrap's.
    pub(super) fn program(&mut self, code: Arc<Code>) -> Program {
        Program {
            code,
            constants: self.constants.drain(..).collect(),
            patterns: self.patterns.drain(..).collect(),
        }
    }
}

struct Cut<'p, 's, F> {
    program: &'p Program,
    path: F,
    scrap: &'s mut ExcerptBuffer,
}

/// A position in an excerpt, which is never longer than the program.
fn position(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

impl<F: FnMut(PathId) -> PathId> Cut<'_, '_, F> {
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
        self.scrap.nodes.push(node);
        NodeId(position(self.scrap.nodes.len() - 1))
    }

    fn run(&mut self, run: Children) -> Children {
        let open = self.scrap.open.len();
        for child in self.program.children(run) {
            let copy = self.copy(*child);
            self.scrap.open.push(copy);
        }
        let ExcerptBuffer { children, open: copies, .. } = &mut *self.scrap;
        let start = position(children.len());
        children.extend(copies.drain(open..));
        Children { start, count: run.count }
    }

    fn constant(&mut self, id: ConstantId) -> ConstantId {
        self.scrap.constants.push(self.program.constant(id).clone());
        ConstantId(position(self.scrap.constants.len() - 1))
    }

    fn pattern(&mut self, id: PatternId) -> PatternId {
        self.scrap.patterns.extend(self.program.pattern(id).cloned());
        PatternId(position(self.scrap.patterns.len().saturating_sub(1)))
    }

    fn scope(&mut self, id: ScopeId) -> ScopeId {
        if let Some(comprehension) = self.program.comprehension(id) {
            let copy = Comprehension {
                range: self.copy(comprehension.range),
                filter: comprehension.filter.map(|filter| self.copy(filter)),
                body: self.copy(comprehension.body),
                ..*comprehension
            };
            self.scrap.comprehensions.push(copy);
        }
        ScopeId(position(self.scrap.comprehensions.len().saturating_sub(1)))
    }
}
