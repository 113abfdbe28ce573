//! A program while it is made.

use super::Lowered;
use crate::function::Pattern;
use crate::ir::{
    Children, Code, Comprehension, ConstantId, Node, NodeId, Path, PathId, PatternId, Program, ScopeId, Span,
};
use crate::problem::Fault;
use crate::value::Value;
use std::sync::Arc;

/// A program in the making.
#[derive(Debug, Default)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    spans: Vec<Span>,
    children: Vec<NodeId>,
    constants: Vec<Value<'static>>,
    comprehensions: Vec<Comprehension>,
    patterns: Vec<Pattern>,
    paths: Vec<Path>,
}

fn too_large(span: Span) -> Fault {
    Fault::new(span, "the expression has too many parts")
}

impl Builder {
    /// A program of about so many nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(nodes),
            spans: Vec::with_capacity(nodes),
            children: Vec::with_capacity(8),
            constants: Vec::with_capacity(8),
            paths: Vec::with_capacity(8),
            ..Self::default()
        }
    }

    pub(super) fn node(&mut self, node: Node, span: Span) -> Result<NodeId, Fault> {
        let id = u16::try_from(self.nodes.len()).map_err(|_| too_large(span))?;
        self.nodes.push(node);
        self.spans.push(span);
        Ok(NodeId(id))
    }

    pub(super) fn get(&self, id: NodeId) -> Option<Node> {
        self.nodes.get(id.index()).copied()
    }

    pub(super) fn children(&mut self, ids: &[NodeId], span: Span) -> Result<Children, Fault> {
        let start = u16::try_from(self.children.len()).map_err(|_| too_large(span))?;
        let count = u16::try_from(ids.len()).map_err(|_| too_large(span))?;
        self.children.extend_from_slice(ids);
        Ok(Children { start, count })
    }

    pub(super) fn constant(&mut self, value: Value<'static>, span: Span) -> Result<ConstantId, Fault> {
        let id = u16::try_from(self.constants.len()).map_err(|_| too_large(span))?;
        self.constants.push(value);
        Ok(ConstantId(id))
    }

    pub(super) fn comprehension(
        &mut self,
        comprehension: Comprehension,
        span: Span,
    ) -> Result<ScopeId, Fault> {
        let id = u16::try_from(self.comprehensions.len()).map_err(|_| too_large(span))?;
        self.comprehensions.push(comprehension);
        Ok(ScopeId(id))
    }

    pub(super) fn pattern(&mut self, pattern: Pattern, span: Span) -> Result<PatternId, Fault> {
        let id = u16::try_from(self.patterns.len()).map_err(|_| too_large(span))?;
        self.patterns.push(pattern);
        Ok(PatternId(id))
    }

    /// The path's id; the same path has one.
    pub(super) fn path(&mut self, path: Path, span: Span) -> Result<PathId, Fault> {
        let position = self.paths.iter().position(|known| *known == path).unwrap_or(self.paths.len());
        if position == self.paths.len() {
            self.paths.push(path);
        }
        u32::try_from(position).map(PathId).map_err(|_| too_large(span))
    }

    pub(super) fn known_path(&self, id: PathId) -> Option<&Path> {
        self.paths.get(id.0 as usize)
    }

    /// The constant at a node, if it is one.
    pub(super) fn value(&self, id: NodeId) -> Option<&Value<'static>> {
        let Some(Node::Constant(constant)) = self.get(id) else { return None };
        self.constants.get(usize::from(constant.0))
    }

    /// Puts the constant text at a node into lower case, if it is one.
    pub(super) fn lower_case(&mut self, id: NodeId) {
        let Some(Node::Constant(constant)) = self.get(id) else { return };
        if let Some(value) = self.constants.get_mut(usize::from(constant.0))
            && let Value::String(text) = value
        {
            *value = Value::string(text.to_ascii_lowercase());
        }
    }

    /// Takes back the last nodes, if they are exactly these and all of them constants, so that one constant can stand for them.
    pub(super) fn take_constants(&mut self, ids: &[NodeId]) -> Option<Vec<Value<'static>>> {
        let first = self.nodes.len().checked_sub(ids.len())?;
        let mine = self.constants.len().checked_sub(ids.len())?;
        for (offset, id) in ids.iter().enumerate() {
            let Some(Node::Constant(constant)) = self.get(*id) else { return None };
            if id.index() != first + offset || usize::from(constant.0) != mine + offset {
                return None;
            }
        }
        self.nodes.truncate(first);
        self.spans.truncate(first);
        Some(self.constants.split_off(mine))
    }

    /// Takes back a node that nothing refers to, if it is the last one.
    pub(super) fn replace_last(&mut self, id: NodeId) {
        if id.index() + 1 == self.nodes.len() {
            self.nodes.pop();
            self.spans.pop();
        }
    }

    /// Forgets the paths that no node reads, like `message` in `message["id"]`.
    fn drop_unused_paths(&mut self) {
        const UNUSED: u32 = u32::MAX;
        let mut ids = vec![UNUSED; self.paths.len()];
        for node in &self.nodes {
            if let Node::Path(id) | Node::Has(id) | Node::OptionalPath { path: id, .. } = node
                && let Some(used) = ids.get_mut(id.0 as usize)
            {
                *used = 0;
            }
        }
        if !ids.contains(&UNUSED) {
            return;
        }
        for (kept, id) in (0..).zip(ids.iter_mut().filter(|id| **id != UNUSED)) {
            *id = kept;
        }
        let mut used = ids.iter().map(|id| *id != UNUSED);
        self.paths.retain(|_| used.next().unwrap_or(true));
        for node in &mut self.nodes {
            if let Node::Path(id) | Node::Has(id) | Node::OptionalPath { path: id, .. } = node
                && let Some(renamed) = ids.get(id.0 as usize)
            {
                id.0 = *renamed;
            }
        }
    }

    pub(super) fn finish(mut self) -> Lowered {
        self.drop_unused_paths();
        let code = Code {
            nodes: self.nodes.into(),
            children: self.children.into(),
            comprehensions: self.comprehensions.into(),
        };
        let program = Program {
            code: Arc::new(code),
            constants: self.constants.into(),
            patterns: self.patterns.into(),
        };
        Lowered { program, paths: self.paths.into(), spans: self.spans.into() }
    }
}
