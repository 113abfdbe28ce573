//! Macros: `has`, `cel.bind` and the comprehensions.

use super::{Local, Lowering, Part};
use crate::check::Shape;
use crate::ir::{Comprehension, Fold, Node, NodeId, Root, Slot, Span};
use crate::problem::Fault;
use crate::syntax::{ExprId, Kind};
use crate::value::{Type, Value};

impl<'a> Lowering<'a> {
    /// `has(target.field)`.
    pub(super) fn global_macro(
        &mut self,
        name: &str,
        arguments: &[ExprId],
        span: Span,
        mark: Span,
    ) -> Result<Option<Part>, Fault> {
        if name != "has" {
            return Ok(None);
        }
        let tree = self.tree;
        let [argument] = arguments else {
            return Err(Fault::new(mark, format!("has takes 1 arguments, not {}", arguments.len())));
        };
        let expr = tree.get(*argument);
        let Kind::Select { target, field, optional: false } = &expr.kind else {
            let hint = match &expr.kind {
                Kind::Literal(Value::String(_)) => ", without quotes",
                Kind::Index { .. } => "; whether there is one of another name asks \"a name\" in message",
                Kind::Name { .. } => "",
                _ => " alone; what it is to be stands behind: has(message.a) && message.a == 1",
            };
            return Err(Fault::new(
                expr.span,
                format!("has needs a field, as in has(message.customer){hint}"),
            ));
        };
        if self.is_chain(*argument) {
            let whole = self.expr(*argument)?;
            return match self.builder.get(whole.id) {
                // A declared name with dots has no field to look for.
                Some(Node::Path(path))
                    if self.builder.known_path(path).is_none_or(|path| path.fields.is_empty()) =>
                {
                    self.builder.replace_last(whole.id);
                    self.constant(Value::Bool(true), span).map(Some)
                }
                Some(Node::Path(path)) => {
                    self.builder.replace_last(whole.id);
                    self.node(Node::Has(path), Shape::BOOL, span).map(Some)
                }
                Some(Node::Select { target, field }) => {
                    self.builder.replace_last(whole.id);
                    self.node(Node::HasField { target, field }, Shape::BOOL, span).map(Some)
                }
                _ => Err(Fault::new(expr.span, "has needs a field, as in has(message.customer)")),
            };
        }
        let target = self.expr(*target)?;
        if let Some(Node::Path(_)) = self.builder.get(target.id) {
            let whole = self.select(&target, field, false, span, expr.mark)?;
            if let Some(Node::Path(path)) = self.builder.get(whole.id) {
                self.builder.replace_last(whole.id);
                return self.node(Node::Has(path), Shape::BOOL, span).map(Some);
            }
        }
        self.check_map(&target, expr.mark);
        let (target, field) = (target.id, self.builder.constant(Value::string(*field), span)?);
        self.node(Node::HasField { target, field }, Shape::BOOL, span).map(Some)
    }

    /// `cel.bind(x, init, body)`.
    pub(super) fn qualified_macro(
        &mut self,
        name: &str,
        arguments: &[ExprId],
        span: Span,
        mark: Span,
    ) -> Result<Option<Part>, Fault> {
        if name != "cel.bind" {
            return Ok(None);
        }
        let [variable, range, body] = arguments else {
            return Err(Fault::new(mark, format!("cel.bind takes 3 arguments, not {}", arguments.len())));
        };
        let variable = self.variable(*variable)?;
        let range = self.expr(*range)?;
        let alias = self.alias(range.id);
        let slot = self.enter(&[(variable, range.shape.clone())]);
        if let Some(local) = self.scope.last_mut() {
            local.alias = alias;
        }
        let body = self.expr(*body);
        self.leave(slot);
        let body = body?;
        let scope =
            Scope { fold: Fold::Bind, variables: 1, slot, range: range.id, filter: None, body: body.id };
        self.comprehension(scope, body.shape, span).map(Some)
    }

    /// The macros that stand after a dot.
    pub(super) fn method_macro(
        &mut self,
        target: ExprId,
        name: &str,
        arguments: &[ExprId],
        span: Span,
        mark: Span,
    ) -> Result<Option<Part>, Fault> {
        // The number of variables, whether there is a filter, and what is made of the bodies.
        let (variables, filter, fold) = match (name, arguments.len()) {
            ("all", 2 | 3) => (arguments.len() - 1, false, Fold::All),
            ("exists", 2 | 3) => (arguments.len() - 1, false, Fold::Exists),
            ("exists_one" | "existsOne", 2 | 3) => (arguments.len() - 1, false, Fold::ExistsOne),
            ("filter", 2) => (1, false, Fold::Filter),
            ("map", 2 | 3) => (1, arguments.len() == 3, Fold::List),
            ("transformList", 3 | 4) => (2, arguments.len() == 4, Fold::List),
            ("transformMap", 3 | 4) => (2, arguments.len() == 4, Fold::Map),
            ("transformMapEntry", 3 | 4) => (2, arguments.len() == 4, Fold::Entries),
            ("optMap", 2) => (1, false, Fold::Optional),
            ("optFlatMap", 2) => (1, false, Fold::FlatOptional),
            (
                "all" | "exists" | "exists_one" | "existsOne" | "filter" | "map" | "transformList"
                | "transformMap" | "transformMapEntry" | "optMap" | "optFlatMap",
                _,
            ) => {
                let message = format!("{name} takes a variable and an expression, as in x.{name}(e, e > 0)");
                self.refuse(mark, message);
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let range = self.expr(target)?;
        let names: Vec<&'a str> =
            arguments.iter().take(variables).map(|id| self.variable(*id)).collect::<Result<_, _>>()?;
        if let [first, second] = *names
            && first == second
        {
            return Err(Fault::new(mark, format!("both variables are called {first}")));
        }
        let iterates = !matches!(fold, Fold::Optional | Fold::FlatOptional);
        let shapes = self.shapes(&range.shape, names.len(), iterates, mark, name);
        if iterates && self.nesting >= self.environment.limits().comprehensions {
            let most = self.environment.limits().comprehensions;
            return Err(Fault::new(mark, format!("comprehensions are nested more than {most} levels deep")));
        }
        let locals: Vec<(&'a str, Shape)> = names.into_iter().zip(shapes).collect();
        self.nesting += u16::from(iterates);
        let slot = self.enter(&locals);
        let inner = self.bodies(arguments.get(variables..).unwrap_or_default(), filter, fold, name);
        self.leave(slot);
        self.nesting -= u16::from(iterates);
        let (filter, body) = inner?;
        let shape = folded(fold, &range.shape, body.shape);
        let variables = u8::try_from(variables).unwrap_or(1);
        let scope = Scope { fold, variables, slot, range: range.id, filter, body: body.id };
        self.comprehension(scope, shape, span).map(Some)
    }

    fn bodies(
        &mut self,
        arguments: &[ExprId],
        filter: bool,
        fold: Fold,
        name: &str,
    ) -> Result<(Option<NodeId>, Part), Fault> {
        let (filter, body) = match *arguments {
            [filter_id, body] if filter => (Some(self.bool(filter_id, name)?), body),
            [body] => (None, body),
            _ => return Err(Fault::new(Span::default(), format!("{name} lacks an argument"))),
        };
        let part = self.expr(body)?;
        let wanted = match fold {
            Fold::All | Fold::Exists | Fold::ExistsOne | Fold::Filter => Some((Type::Bool, "a bool")),
            Fold::Entries => Some((Type::Map, "a map")),
            Fold::FlatOptional => Some((Type::Optional, "an optional")),
            Fold::List | Fold::Map | Fold::Bind | Fold::Optional => None,
        };
        if let Some((kind, words)) = wanted
            && !part.shape.may_be(kind)
        {
            self.refuse(self.tree.get(body).span, format!("{name} needs {words}, this is {}", part.shape));
        }
        Ok((filter, part))
    }

    /// What is known of the variables.
    fn shapes(&mut self, range: &Shape, count: usize, iterates: bool, mark: Span, name: &str) -> Vec<Shape> {
        if !iterates {
            if !range.may_be(Type::Optional) {
                self.refuse(mark, format!("{name} needs an optional, this is {range}"));
            }
            return match range {
                Shape::Optional(inner) => vec![(**inner).clone()],
                _ => vec![Shape::Any],
            };
        }
        if !range.may_be(Type::List) && !range.may_be(Type::Map) {
            self.refuse(mark, format!("{name} needs a list or map, this is {range}"));
        }
        match (range, count) {
            (Shape::List(_), 2) => vec![Shape::Is(Type::Int), range.element()],
            (Shape::Map(..), 2) => vec![range.element(), range.member()],
            (_, 2) => vec![Shape::Any, Shape::Any],
            _ => vec![range.element()],
        }
    }

    /// The name of a variable that a macro declares.
    fn variable(&self, id: ExprId) -> Result<&'a str, Fault> {
        let expr = self.tree.get(id);
        match &expr.kind {
            Kind::Name { name, absolute: false } => Ok(name),
            _ => Err(Fault::new(expr.span, "this must be the name of a variable")),
        }
    }

    /// The variable that a part is, if every event has it: naming it in one place or another is then the same.
    fn alias(&self, id: NodeId) -> Option<Root> {
        let Some(Node::Path(path)) = self.builder.get(id) else { return None };
        let path = self.builder.known_path(path)?;
        (path.fields.is_empty() && self.environment.is_certain(path.root)).then_some(path.root)
    }

    fn enter(&mut self, locals: &[(&'a str, Shape)]) -> Slot {
        let first = u16::try_from(self.scope.len()).unwrap_or(u16::MAX);
        for (offset, (name, shape)) in locals.iter().enumerate() {
            let slot = Slot(first.saturating_add(u16::try_from(offset).unwrap_or(u16::MAX)));
            self.scope.push(Local { name, slot, shape: shape.clone(), alias: None });
        }
        Slot(first)
    }

    fn leave(&mut self, slot: Slot) {
        self.scope.truncate(usize::from(slot.0));
    }

    fn comprehension(&mut self, scope: Scope, shape: Shape, span: Span) -> Result<Part, Fault> {
        let id = self.builder.comprehension(scope, span)?;
        self.node(Node::Comprehension(id), shape, span)
    }
}

type Scope = Comprehension;

/// What is known of a comprehension's value.
fn folded(fold: Fold, range: &Shape, body: Shape) -> Shape {
    match fold {
        Fold::All | Fold::Exists | Fold::ExistsOne => Shape::BOOL,
        Fold::List => Shape::List(Box::new(body)),
        Fold::Filter => Shape::List(Box::new(range.element())),
        Fold::Map => Shape::Map(Box::new(range.element()), Box::new(body)),
        Fold::Entries => Shape::Map(Box::new(Shape::Any), Box::new(Shape::Any)),
        Fold::Bind | Fold::FlatOptional => body,
        Fold::Optional => Shape::Optional(Box::new(body)),
    }
}
