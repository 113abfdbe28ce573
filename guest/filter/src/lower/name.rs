//! Names: variables and the fields after them.

use super::{Lowering, Part, hint};
use crate::check::Shape;
use crate::ir::{Fields, Node, Path, Root, Span};
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
    fn names(&mut self, mut id: ExprId) -> Option<Chain<'a>> {
        let tree = self.tree;
        let mut names = std::mem::take(&mut self.spare);
        names.clear();
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

    /// The chain of names that a function's name may start with: one that is not certainly a variable and its fields.
    pub(super) fn qualifier(&mut self, id: ExprId) -> Option<Chain<'a>> {
        let mut first = id;
        while let Kind::Select { target, optional: false, .. } = &self.tree.get(first).kind {
            first = *target;
        }
        let Kind::Name { name, absolute } = &self.tree.get(first).kind else { return None };
        let local = !absolute && self.scope.iter().any(|local| local.name == *name);
        let environment = self.environment;
        if local || environment.plain(name).is_some() || environment.alias(name).is_some() {
            None
        } else {
            self.names(id)
        }
    }

    /// Resolves `a.b.c`: a variable of a comprehension, else the longest name of a variable or type, in the innermost container that has it.
    pub(super) fn chain(&mut self, id: ExprId) -> Result<Part, Fault> {
        let span = self.tree.get(id).span;
        let Some(chain) = self.names(id) else { return Err(Fault::new(span, "this is not a name")) };
        let part = self.resolve(&chain, span);
        self.spare = chain.names;
        part
    }

    fn resolve(&mut self, chain: &Chain<'a>, span: Span) -> Result<Part, Fault> {
        let (Some((first, first_span)), Some((_, last_span))) = (chain.names.first(), chain.names.last())
        else {
            return Err(Fault::new(span, "this is not a name"));
        };
        let start = span.start.min(first_span.start);
        let upto = |span: Span| Span { start, end: span.end };
        if !chain.absolute
            && let Some(local) = self.scope.iter().rev().find(|local| local.name == *first)
        {
            if let Some(root) = local.alias {
                return self.whole_path(root, chain, upto);
            }
            let (node, shape) = (Node::Local(local.slot), local.shape.clone());
            let part = self.node(node, shape, *first_span)?;
            return self.fields(part, chain, 1, upto);
        }
        if let Some((root, field)) = self.environment.alias(first) {
            let names = chain.names.iter().skip(1).map(|(field, _)| *field);
            let fields = Fields::new(std::iter::once(field).chain(names));
            return self.path(root, fields, upto(*last_span));
        }
        if let Some(root) = self.environment.plain(first) {
            return self.whole_path(root, chain, upto);
        }
        for count in (1..=chain.names.len()).rev() {
            let joined = chain.joined(count);
            for name in self.environment.candidates(&joined, chain.absolute) {
                if let Some(root) = self.environment.variable(&name) {
                    let place = chain.names.get(count - 1).map_or(span, |(_, span)| *span);
                    let part = self.path(root, Fields::default(), upto(place))?;
                    return self.fields(part, chain, count, upto);
                }
                if let Some(kind) = Type::ALL.into_iter().find(|kind| kind.name() == name) {
                    let place = chain.names.get(count - 1).map_or(span, |(_, span)| *span);
                    let part = self.constant(Value::Type(kind), upto(place))?;
                    return self.fields(part, chain, count, upto);
                }
            }
        }
        let known: Vec<&str> = self.environment.names().collect();
        let hint = match hint::variable(first, &known) {
            Some(hint) => format!("; {hint}"),
            None if known.is_empty() => String::new(),
            None => format!("; there are {}, and a text is in quotes: {first:?}", known.join(", ")),
        };
        self.refuse(*first_span, format!("unknown variable {first}{hint}"));
        self.path(NOWHERE, Fields::default(), upto(*last_span))
    }

    /// A variable and all fields after it at once.
    fn whole_path(
        &mut self,
        root: Root,
        chain: &Chain<'_>,
        upto: impl Fn(Span) -> Span,
    ) -> Result<Part, Fault> {
        let environment = self.environment;
        let mut shape = environment.shape(root);
        let mut place = chain.names.first().map_or(Span::default(), |(_, span)| *span);
        for (at, (field, mark)) in chain.names.iter().skip(1).enumerate() {
            self.check_fields(shape, *mark);
            shape = if at == 0 { self.first_field(root, field, *mark) } else { shape.below() };
            place = *mark;
        }
        let names = chain.names.iter().skip(1).map(|(field, _)| *field);
        let fields = match self.lower_case(root, chain.names.get(1).map_or("", |(first, _)| *first)) {
            Some(first) => Fields::new([&*first].into_iter().chain(names.skip(1))),
            None => Fields::new(names),
        };
        self.path(root, fields, upto(place))
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

    /// The first field of a variable as events have it, if that is another.
    fn lower_case(&self, root: Root, field: &str) -> Option<String> {
        let other = self.environment.is_caseless(root) && field.bytes().any(|byte| byte.is_ascii_uppercase());
        other.then(|| field.to_ascii_lowercase())
    }

    fn path(&mut self, root: Root, fields: Fields, span: Span) -> Result<Part, Fault> {
        let shape = self.environment.shape_at(root, fields.iter()).clone();
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
        if let Some(part) = self.longer(target, field, optional, span, mark)? {
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
            && let Some(part) = self.longer(target, key, optional, span, mark)?
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

    /// What is known of a variable's field; refuses one that the variable never has.
    fn first_field(&mut self, root: Root, field: &str, mark: Span) -> &'a Shape {
        if let Some(message) = self.environment.lacks(root, field) {
            self.refuse(mark, message);
        }
        self.environment.field(root, field)
    }

    /// The path with one more field, if the target is a path.
    fn longer(
        &mut self,
        target: &Part,
        field: &str,
        optional: bool,
        span: Span,
        mark: Span,
    ) -> Result<Option<Part>, Fault> {
        let (path, from) = match self.builder.get(target.id) {
            Some(Node::Path(path)) => (path, None),
            Some(Node::OptionalPath { from, path }) => (path, Some(from)),
            _ => return Ok(None),
        };
        let Some(known) = self.builder.known_path(path) else { return Ok(None) };
        let (root, before) = (known.root, known.fields.len());
        let Ok(at) = u8::try_from(before) else { return Ok(None) };
        let lower = if before == 0 { self.lower_case(root, field) } else { None };
        let fields = Fields::new(known.fields.iter().chain([lower.as_deref().unwrap_or(field)]));
        if before == 0 {
            self.first_field(root, field, mark);
        }
        let shape = self.environment.shape_at(root, fields.iter()).clone();
        let path = self.builder.path(Path { root, fields }, span)?;
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
