use super::{Lowering, Part};
use crate::check::Shape;
use crate::ir::{Node, Path, Root, Span};
use crate::problem::Fault;
use crate::syntax::{ExprId, Kind};
use crate::value::{Type, Value};

/// The root of a name that an unchecked expression does not know: it never has a value.
const NOWHERE: Root = Root(u8::MAX);

/// A chain of names, `a.b.c`: the names and their places, and whether it starts with a dot.
pub(super) struct Chain<'a> {
    pub(super) names: Vec<(&'a str, Span)>,
    pub(super) absolute: bool,
}

impl Chain<'_> {
    pub(super) fn joined(&self, count: usize) -> String {
        let names: Vec<&str> = self.names.iter().take(count).map(|(name, _)| *name).collect();
        names.join(".")
    }
}

impl<'a> Lowering<'a> {
    /// The chain of names that the expression is, if it is nothing else.
    pub(super) fn names(&self, mut id: ExprId) -> Option<Chain<'a>> {
        let tree = self.tree;
        let mut names = Vec::new();
        loop {
            let expr = tree.get(id);
            match &expr.kind {
                Kind::Name { name, absolute } => {
                    names.push((*name, expr.mark));
                    names.reverse();
                    return Some(Chain { names, absolute: *absolute });
                }
                Kind::Select { target, field, optional: false } => {
                    names.push((*field, expr.mark));
                    id = *target;
                }
                _ => return None,
            }
        }
    }

    pub(super) fn is_chain(&self, mut id: ExprId) -> bool {
        loop {
            match &self.tree.get(id).kind {
                Kind::Name { .. } => return true,
                Kind::Select { target, optional: false, .. } => id = *target,
                _ => return false,
            }
        }
    }

    /// Whether the chain starts with a variable of a comprehension around it.
    pub(super) fn is_local(&self, chain: &Chain<'_>) -> bool {
        let first = chain.names.first().map(|(name, _)| *name);
        !chain.absolute && self.scope.iter().any(|local| Some(local.name) == first)
    }

    /// Whether the chain can only start with a variable.
    pub(super) fn is_plain(&self, chain: &Chain<'_>) -> bool {
        chain.names.first().is_some_and(|(first, _)| self.environment.plain(first).is_some())
    }

    /// Resolves `a.b.c`: a variable of a comprehension, else the longest name of a variable or type, in the innermost container that has it.
    pub(super) fn chain(&mut self, id: ExprId) -> Result<Part, Fault> {
        let span = self.tree.get(id).span;
        let Some(chain) = self.names(id) else { return Err(Fault::new(span, "this is not a name")) };
        let (Some((first, first_span)), Some((_, last_span))) = (chain.names.first(), chain.names.last())
        else {
            return Err(Fault::new(span, "this is not a name"));
        };
        let start = span.start.min(first_span.start);
        let upto = |span: Span| Span { start, end: span.end };
        if !chain.absolute
            && let Some(local) = self.scope.iter().rev().find(|local| local.name == *first)
        {
            let (node, shape) = (Node::Local(local.slot), local.shape.clone());
            let part = self.node(node, shape, *first_span)?;
            return self.fields(part, &chain, 1, upto);
        }
        if let Some(root) = self.environment.plain(first) {
            return self.whole_path(root, &chain, upto);
        }
        for count in (1..=chain.names.len()).rev() {
            let joined = chain.joined(count);
            for name in self.environment.candidates(&joined, chain.absolute) {
                if let Some(root) = self.environment.variable(&name) {
                    let place = chain.names.get(count - 1).map_or(span, |(_, span)| *span);
                    let part = self.path(root, Box::default(), upto(place))?;
                    return self.fields(part, &chain, count, upto);
                }
                if let Some(kind) = Type::ALL.into_iter().find(|kind| kind.name() == name) {
                    let place = chain.names.get(count - 1).map_or(span, |(_, span)| *span);
                    let part = self.constant(Value::Type(kind), upto(place))?;
                    return self.fields(part, &chain, count, upto);
                }
            }
        }
        let known: Vec<&str> = self.environment.names().collect();
        let hint = if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) };
        self.refuse(*first_span, format!("unknown variable {first}{hint}"));
        self.path(NOWHERE, Box::default(), upto(*last_span))
    }

    /// A variable and all fields after it at once.
    fn whole_path(
        &mut self,
        root: Root,
        chain: &Chain<'_>,
        upto: impl Fn(Span) -> Span,
    ) -> Result<Part, Fault> {
        let mut fields: Vec<Box<str>> = Vec::with_capacity(chain.names.len());
        let mut place = chain.names.first().map_or(Span::default(), |(_, span)| *span);
        for (field, mark) in chain.names.iter().skip(1) {
            let shape = self.environment.shape(root, &fields);
            self.check_fields(&shape, *mark);
            fields.push((*field).into());
            place = *mark;
        }
        self.path(root, fields.into(), upto(place))
    }

    fn fields(
        &mut self,
        mut part: Part,
        chain: &Chain<'_>,
        from: usize,
        upto: impl Fn(Span) -> Span,
    ) -> Result<Part, Fault> {
        for (field, mark) in chain.names.iter().skip(from) {
            part = self.select(&part, field, false, upto(*mark), *mark)?;
        }
        Ok(part)
    }

    fn path(&mut self, root: Root, fields: Box<[Box<str>]>, span: Span) -> Result<Part, Fault> {
        let shape = self.environment.shape(root, &fields);
        let path = self.builder.path(Path { root, fields }, span)?;
        self.node(Node::Path(path), shape, span)
    }

    /// `target.field` or `target.?field`.
    pub(super) fn select(
        &mut self,
        target: &Part,
        field: &str,
        optional: bool,
        span: Span,
        mark: Span,
    ) -> Result<Part, Fault> {
        self.check_map(target, mark);
        if let Some(part) = self.longer(target, field, optional, span)? {
            return Ok(part);
        }
        let field = self.builder.constant(Value::string(field), mark)?;
        let through = matches!(target.shape, Shape::Optional(_));
        let inner = match &target.shape {
            Shape::Optional(inner) => inner.member(),
            shape => shape.member(),
        };
        let shape = if optional || through { Shape::Optional(Box::new(inner)) } else { inner };
        let target = target.id;
        let node =
            if optional { Node::OptionalSelect { target, field } } else { Node::Select { target, field } };
        self.node(node, shape, span)
    }

    /// `target[index]` or `target[?index]`.
    pub(super) fn index(
        &mut self,
        target: &Part,
        index: ExprId,
        optional: bool,
        span: Span,
        mark: Span,
    ) -> Result<Part, Fault> {
        let known = [Type::List, Type::Map, Type::Optional];
        if !known.into_iter().any(|kind| target.shape.may_be(kind)) {
            self.refuse(mark, format!("{} has no elements", target.shape));
        }
        if let Kind::Literal(Value::String(key)) = &self.tree.get(index).kind
            && let Some(part) = self.longer(target, key, optional, span)?
        {
            return Ok(part);
        }
        let key = self.expr(index)?;
        if matches!(target.shape, Shape::List(_)) && !key.shape.is_number() && key.shape != Shape::Any {
            self.refuse(mark, format!("a list has no element {}", key.shape));
        }
        let through = matches!(target.shape, Shape::Optional(_));
        let inner = match &target.shape {
            Shape::Optional(inner) => inner.member(),
            shape => shape.member(),
        };
        let shape = if optional || through { Shape::Optional(Box::new(inner)) } else { inner };
        let (target, index) = (target.id, key.id);
        let node =
            if optional { Node::OptionalIndex { target, index } } else { Node::Index { target, index } };
        self.node(node, shape, span)
    }

    pub(super) fn check_map(&mut self, target: &Part, mark: Span) {
        self.check_fields(&target.shape, mark);
    }

    fn check_fields(&mut self, shape: &Shape, mark: Span) {
        if !shape.may_be(Type::Map) && !shape.may_be(Type::Optional) {
            self.refuse(mark, format!("{shape} has no fields"));
        }
    }

    /// The path with one more field, if the target is a path.
    fn longer(
        &mut self,
        target: &Part,
        field: &str,
        optional: bool,
        span: Span,
    ) -> Result<Option<Part>, Fault> {
        let (path, from) = match self.builder.get(target.id) {
            Some(Node::Path(path)) => (path, None),
            Some(Node::OptionalPath { from, path }) => (path, Some(from)),
            _ => return Ok(None),
        };
        let Some(known) = self.builder.known_path(path) else { return Ok(None) };
        let root = known.root;
        let mut fields = known.fields.to_vec();
        let Ok(at) = u8::try_from(fields.len()) else { return Ok(None) };
        fields.push(field.into());
        let shape = self.environment.shape(root, &fields);
        let path = self.builder.path(Path { root, fields: fields.into() }, span)?;
        let from = from.or_else(|| optional.then_some(at));
        self.builder.replace_last(target.id);
        let part = match from {
            None => self.node(Node::Path(path), shape, span)?,
            Some(from) => {
                self.node(Node::OptionalPath { from, path }, Shape::Optional(Box::new(shape)), span)?
            }
        };
        Ok(Some(part))
    }
}
