//! The syntax tree, in one list: its parts refer to each other by position.

use crate::ir::{Arithmetic, Comparison, Span};
use crate::value::Value;

/// The position of an [`Expr`] in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExprId(u32);

/// An operator between two operands that are always both evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Comparison(Comparison),
    Arithmetic(Arithmetic),
    In,
}

/// Operands or arguments, in the order in which they stand in the text: a part of the tree's list of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    start: u32,
    count: u32,
}

/// An element of a list literal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element {
    pub(crate) value: ExprId,
    pub(crate) optional: bool,
}

/// An entry of a map literal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) key: ExprId,
    pub(crate) value: ExprId,
    pub(crate) optional: bool,
}

/// What an expression is.
#[derive(Debug, Clone)]
pub(crate) enum Kind<'a> {
    Literal(Value<'static>),
    /// A name; with a leading dot it is `absolute`.
    Name {
        name: &'a str,
        absolute: bool,
    },
    Select {
        target: ExprId,
        field: &'a str,
        optional: bool,
    },
    Index {
        target: ExprId,
        index: ExprId,
        optional: bool,
    },
    /// `name(arguments)` or `target.name(arguments)`.
    Call {
        target: Option<ExprId>,
        name: &'a str,
        absolute: bool,
        arguments: Run,
    },
    List(Vec<Element>),
    Map(Vec<Entry>),
    Not(ExprId),
    Negate(ExprId),
    Binary(Binary, ExprId, ExprId),
    /// At least two operands, none of them a conjunction unless it was in parentheses.
    And(Run),
    Or(Run),
    Conditional(ExprId, ExprId, ExprId),
}

/// A part of the syntax tree.
#[derive(Debug, Clone)]
pub(crate) struct Expr<'a> {
    pub(crate) kind: Kind<'a>,
    /// All of its text.
    pub(crate) span: Span,
    /// The operator, the field or the function's name in it: where a caret should point.
    pub(crate) mark: Span,
    /// One more than its deepest child's.
    pub(crate) depth: u16,
}

/// A syntax tree in one array, so that dropping it needs no stack.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    exprs: Vec<Expr<'a>>,
    runs: Vec<ExprId>,
    pub(crate) root: ExprId,
}

impl<'a> Tree<'a> {
    /// An empty tree with room for a text of so many bytes.
    pub(crate) fn new(length: usize) -> Self {
        Self { exprs: Vec::with_capacity(length / 5 + 4), runs: Vec::with_capacity(8), root: ExprId(0) }
    }

    /// The number of parts.
    pub(crate) fn len(&self) -> usize {
        self.exprs.len()
    }

    pub(crate) fn push(&mut self, expr: Expr<'a>) -> ExprId {
        let id = ExprId(u32::try_from(self.exprs.len()).unwrap_or(u32::MAX));
        self.exprs.push(expr);
        id
    }

    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "only push makes ids, and nothing is ever removed")]
    pub(crate) fn get(&self, id: ExprId) -> &Expr<'a> {
        &self.exprs[id.0 as usize]
    }

    pub(crate) fn keep(&mut self, ids: impl Iterator<Item = ExprId>) -> Run {
        let cut = |length| u32::try_from(length).unwrap_or(u32::MAX);
        let start = self.runs.len();
        self.runs.extend(ids);
        Run { start: cut(start), count: cut(self.runs.len() - start) }
    }

    pub(crate) fn run(&self, run: Run) -> &[ExprId] {
        let start = run.start as usize;
        self.runs.get(start..start + run.count as usize).unwrap_or_default()
    }

    pub(crate) fn depth(&self, id: ExprId) -> u16 {
        self.get(id).depth
    }
}
