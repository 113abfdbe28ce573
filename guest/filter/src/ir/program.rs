//! A lowered expression.

use super::{Children, Comprehension, ConstantId, Node, NodeId, PatternId, ScopeId};
use crate::function::Pattern;
use crate::value::Value;
use std::sync::Arc;

/// A part of the source text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Where it starts.
    pub start: u16,
    /// Where it ends, exclusively.
    pub end: u16,
}

impl Span {
    /// The text of this part.
    #[must_use]
    pub fn of(self, source: &str) -> &str {
        source.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// The part from the start of this one to the end of the other.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// The operations of a program, without its constants.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Code {
    pub(crate) nodes: Box<[Node]>,
    pub(crate) children: Box<[NodeId]>,
    pub(crate) comprehensions: Box<[Comprehension]>,
}

impl Code {
    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        size_of_val::<[Node]>(&self.nodes) + size_of_val(&*self.children) + size_of_val(&*self.comprehensions)
    }
}

/// One expression, lowered: what an evaluator needs.
#[derive(Debug, Clone)]
pub struct Program {
    /// Programs that differ in nothing but their constants can share it.
    pub(crate) code: Arc<Code>,
    pub(crate) constants: Box<[Value<'static>]>,
    pub(crate) patterns: Box<[Pattern]>,
}

impl Program {
    /// The node whose value is the program's: the last one.
    #[must_use]
    pub fn root(&self) -> NodeId {
        NodeId(u16::try_from(self.code.nodes.len().saturating_sub(1)).unwrap_or(u16::MAX))
    }

    /// All nodes, children before their parents.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.code.nodes
    }

    /// The node.
    ///
    /// An id of another program gives some node of this one, or the constant number 0, but does not panic.
    #[must_use]
    #[inline]
    pub fn node(&self, id: NodeId) -> Node {
        self.code.nodes.get(id.index()).copied().unwrap_or(Node::Constant(ConstantId(0)))
    }

    /// The children in a run.
    #[must_use]
    #[inline]
    pub fn children(&self, run: Children) -> &[NodeId] {
        let start = usize::from(run.start);
        self.code.children.get(start..start.saturating_add(usize::from(run.count))).unwrap_or_default()
    }

    /// The nodes directly below a node, in the order in which they stand in the text.
    #[must_use]
    pub fn operands(&self, id: NodeId) -> Vec<NodeId> {
        match self.node(id) {
            Node::Constant(_) | Node::Path(_) | Node::Has(_) | Node::OptionalPath { .. } | Node::Local(_) => {
                Vec::new()
            }
            Node::Not(one)
            | Node::Negate(one)
            | Node::Optional(one)
            | Node::Select { target: one, .. }
            | Node::HasField { target: one, .. }
            | Node::OptionalSelect { target: one, .. }
            | Node::Matches { subject: one, .. } => vec![one],
            Node::Compare { left, right, .. } | Node::Arithmetic { left, right, .. } => vec![left, right],
            Node::In { item, container } => vec![item, container],
            Node::Index { target, index } | Node::OptionalIndex { target, index } => vec![target, index],
            Node::Conditional { condition, then, otherwise } => vec![condition, then, otherwise],
            Node::And(run)
            | Node::Or(run)
            | Node::List(run)
            | Node::Map(run)
            | Node::Call { arguments: run, .. } => self.children(run).to_vec(),
            Node::Comprehension(scope) => self.comprehension(scope).map_or_else(Vec::new, |scope| {
                std::iter::once(scope.range).chain(scope.filter).chain([scope.body]).collect()
            }),
        }
    }

    /// The constant; null for an id of another program.
    #[must_use]
    #[inline]
    pub fn constant(&self, id: ConstantId) -> &Value<'static> {
        const NULL: &Value<'static> = &Value::Null;
        self.constants.get(usize::from(id.0)).unwrap_or(NULL)
    }

    /// The text of a string constant; empty if it is none.
    #[must_use]
    pub fn text(&self, id: ConstantId) -> &str {
        self.constant(id).as_str().unwrap_or_default()
    }

    /// The comprehension.
    #[must_use]
    pub fn comprehension(&self, id: ScopeId) -> Option<&Comprehension> {
        self.code.comprehensions.get(usize::from(id.0))
    }

    /// The compiled regular expression.
    #[must_use]
    pub fn pattern(&self, id: PatternId) -> Option<&Pattern> {
        self.patterns.get(usize::from(id.0))
    }
}
