//! Operators, literals, and everything else that is no name and no call.

use super::builder::Builder;
use super::{Lowered, Lowering, Part};
use crate::check::{self, Shape};
use crate::environment::Environment;
use crate::function::{Function, constant};
use crate::ir::{Arithmetic, Comparison, Node, NodeId, Root, Span};
use crate::problem::Fault;
use crate::syntax::{Binary, Element, Entry, ExprId, Kind, Tree};
use crate::value::{Key, List, Map, Type, Value};

/// Lowers a syntax tree.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn lower(tree: &Tree<'_>, environment: &Environment) -> Result<Lowered, Vec<Fault>> {
    let mut lowering = Lowering {
        tree,
        environment,
        builder: Builder::new(tree.len()),
        scope: Vec::new(),
        spare: Vec::new(),
        nesting: 0,
        faults: Vec::new(),
    };
    match lowering.expr(tree.root) {
        Ok(part) => {
            if environment.bool_only() && !part.shape.may_be(Type::Bool) {
                let message = format!("a filter must be a bool, this is {}", part.shape);
                lowering.refuse(tree.get(tree.root).span, message);
            }
        }
        Err(fault) => lowering.faults.push(fault),
    }
    if lowering.faults.is_empty() { Ok(lowering.builder.finish()) } else { Err(lowering.faults) }
}

impl Lowering<'_> {
    /// Lowers one expression. Its recursion is as deep as the tree, which the parser bounds.
    pub(super) fn expr(&mut self, id: ExprId) -> Result<Part, Fault> {
        let tree = self.tree;
        let expr = tree.get(id);
        let (span, mark) = (expr.span, expr.mark);
        match &expr.kind {
            Kind::Literal(value) => self.constant(value.clone(), span),
            Kind::Name { .. } => self.chain(id),
            Kind::Select { target, field, optional } => {
                if !optional && self.is_chain(id) {
                    return self.chain(id);
                }
                let target = self.expr(*target)?;
                self.select(&target, field, *optional, span, mark)
            }
            Kind::Index { target, index, optional } => {
                let target = self.expr(*target)?;
                self.index(&target, *index, *optional, span, mark)
            }
            Kind::Call { .. } => self.call(id),
            Kind::List(elements) => self.list(elements, span),
            Kind::Map(entries) => self.map(entries, span),
            Kind::Not(operand) => {
                let operand = self.bool(*operand, "!")?;
                self.node(Node::Not(operand), Shape::BOOL, span)
            }
            Kind::Negate(operand) => self.negate(*operand, span, mark),
            Kind::Binary(operator, left, right) => self.binary(*operator, *left, *right, span, mark),
            Kind::And(operands) => self.junction(tree.run(*operands), span, "&&"),
            Kind::Or(operands) => self.junction(tree.run(*operands), span, "||"),
            Kind::Conditional(condition, then, otherwise) => {
                let condition = self.bool(*condition, "?")?;
                let then = self.expr(*then)?;
                let otherwise = self.expr(*otherwise)?;
                let shape = Shape::common([then.shape, otherwise.shape].into_iter());
                self.node(
                    Node::Conditional { condition, then: then.id, otherwise: otherwise.id },
                    shape,
                    span,
                )
            }
        }
    }

    pub(super) fn node(&mut self, node: Node, shape: Shape, span: Span) -> Result<Part, Fault> {
        Ok(Part { id: self.builder.node(node, span)?, shape })
    }

    pub(super) fn constant(&mut self, value: Value<'static>, span: Span) -> Result<Part, Fault> {
        let shape = Shape::of(&value);
        let constant = self.builder.constant(value, span)?;
        self.node(Node::Constant(constant), shape, span)
    }

    pub(super) fn bool(&mut self, id: ExprId, operator: &str) -> Result<NodeId, Fault> {
        let part = self.expr(id)?;
        if !part.shape.may_be(Type::Bool) {
            self.refuse(self.tree.get(id).span, format!("{operator} needs a bool, this is {}", part.shape));
        }
        Ok(part.id)
    }

    /// A conjunction or disjunction; one directly inside another of its kind becomes part of it.
    fn junction(&mut self, operands: &[ExprId], span: Span, operator: &'static str) -> Result<Part, Fault> {
        let mut ids = Vec::with_capacity(operands.len());
        self.operands(operands, operator, &mut ids)?;
        let children = self.builder.children(&ids, span)?;
        let node = if operator == "&&" { Node::And(children) } else { Node::Or(children) };
        self.node(node, Shape::BOOL, span)
    }

    /// As deep as the tree, which the parser bounds.
    fn operands(
        &mut self,
        operands: &[ExprId],
        operator: &'static str,
        ids: &mut Vec<NodeId>,
    ) -> Result<(), Fault> {
        let tree = self.tree;
        for operand in operands {
            match &tree.get(*operand).kind {
                Kind::And(inner) if operator == "&&" => self.operands(tree.run(*inner), operator, ids)?,
                Kind::Or(inner) if operator == "||" => self.operands(tree.run(*inner), operator, ids)?,
                _ => ids.push(self.bool(*operand, operator)?),
            }
        }
        Ok(())
    }

    fn negate(&mut self, operand: ExprId, span: Span, mark: Span) -> Result<Part, Fault> {
        let part = self.expr(operand)?;
        if !part.shape.may_be(Type::Int) && !part.shape.may_be(Type::Double) {
            self.refuse(mark, format!("{} cannot be negated", part.shape));
        }
        self.node(Node::Negate(part.id), part.shape, span)
    }

    fn binary(
        &mut self,
        operator: Binary,
        left: ExprId,
        right: ExprId,
        span: Span,
        mark: Span,
    ) -> Result<Part, Fault> {
        let (before, behind) = (self.tree.get(left).span, self.tree.get(right).span);
        let begun = self.faults.len();
        let left = self.expr(left)?;
        let faults = self.faults.len();
        let right = self.expr(right)?;
        // `headers.x-event`: what stands behind the minus without a space is the rest of a name.
        let is_name = matches!(operator, Binary::Arithmetic(Arithmetic::Subtract))
            && before.end == mark.start
            && mark.end == behind.start;
        if is_name && self.faults.len() > begun {
            // What was told of the beginning of the name is enough.
            let told = if faults > begun { faults } else { self.faults.len() };
            self.faults.truncate(told);
            if faults == begun
                && let Some(fault) = self.faults.last_mut()
            {
                fault
                    .message
                    .push_str("; a name with a minus stands in brackets, as in headers[\"x-event\"]");
            }
            return self.node(
                Node::Arithmetic { operator: Arithmetic::Subtract, left: left.id, right: right.id },
                Shape::Any,
                span,
            );
        }
        let (node, shape) = match operator {
            Binary::In => {
                if !check::membership(&left.shape, &right.shape) {
                    self.refuse(mark, format!("{} cannot be in {}", left.shape, right.shape));
                }
                if self.is_caseless(right.id) {
                    self.builder.lower_case(left.id);
                }
                (Node::In { item: left.id, container: right.id }, Shape::BOOL)
            }
            Binary::Comparison(relation) => {
                if !check::comparison(relation, &left.shape, &right.shape) {
                    let is_type =
                        [&left.shape, &right.shape].iter().any(|shape| shape.kind() == Some(Type::Type));
                    let shapes = [&left.shape, &right.shape].map(Shape::kind);
                    let hint = if is_type {
                        "; `type` is a function here, the event's is event.type"
                    } else if self.is_whole(left.id, Root::EVENT) || self.is_whole(right.id, Root::EVENT) {
                        "; the event's type is event.type"
                    } else if self.is_whole(left.id, Root::HEADERS) || self.is_whole(right.id, Root::HEADERS)
                    {
                        "; a header field is headers[\"name\"]"
                    } else if shapes.contains(&Some(Type::Timestamp)) && shapes.contains(&Some(Type::String))
                    {
                        "; an instant is written timestamp(\"2026-01-31T12:00:00Z\")"
                    } else {
                        ""
                    };
                    let message = format!(
                        "{} {} {} is not possible{hint}",
                        left.shape,
                        comparison(relation),
                        right.shape
                    );
                    self.refuse(mark, message);
                }
                (Node::Compare { relation, left: left.id, right: right.id }, Shape::BOOL)
            }
            Binary::Arithmetic(operator) => {
                let shape = check::arithmetic(operator, &left.shape, &right.shape);
                if shape.is_none() {
                    let message =
                        format!("{} {} {} is not possible", left.shape, arithmetic(operator), right.shape);
                    self.refuse(mark, message);
                }
                (Node::Arithmetic { operator, left: left.id, right: right.id }, shape.unwrap_or(Shape::Any))
            }
        };
        self.node(node, shape, span)
    }

    /// Whether a part is a whole variable.
    fn is_whole(&self, id: NodeId, root: Root) -> bool {
        let Some(Node::Path(path)) = self.builder.get(id) else { return false };
        self.builder.known_path(path).is_some_and(|path| path.root == root && path.fields.is_empty())
    }

    /// Whether a part is a variable whose fields have no case.
    fn is_caseless(&self, id: NodeId) -> bool {
        let Some(Node::Path(path)) = self.builder.get(id) else { return false };
        let path = self.builder.known_path(path);
        path.is_some_and(|path| path.fields.is_empty() && self.environment.is_caseless(path.root))
    }

    fn optional(&mut self, part: &Part, span: Span) -> Result<Part, Fault> {
        let shape = match &part.shape {
            Shape::Optional(inner) => (**inner).clone(),
            Shape::Any => Shape::Any,
            other => {
                let message = format!("'?' needs an optional, this is {other}");
                self.refuse(span, message);
                Shape::Any
            }
        };
        self.node(Node::Optional(part.id), shape, span)
    }

    fn list(&mut self, elements: &[Element], span: Span) -> Result<Part, Fault> {
        let mut ids = Vec::with_capacity(elements.len());
        let mut shapes = Vec::with_capacity(elements.len());
        for element in elements {
            let mut part = self.expr(element.value)?;
            if element.optional {
                part = self.optional(&part, self.tree.get(element.value).span)?;
            }
            ids.push(part.id);
            shapes.push(part.shape);
        }
        if let Some(values) = self.builder.take_constants(&ids) {
            return self.constant(Value::List(List::new(values)), span);
        }
        let children = self.builder.children(&ids, span)?;
        let shape = Shape::List(Box::new(Shape::common(shapes.into_iter())));
        self.node(Node::List(children), shape, span)
    }

    fn map(&mut self, entries: &[Entry], span: Span) -> Result<Part, Fault> {
        let mut ids = Vec::with_capacity(entries.len() * 2);
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for entry in entries {
            let key = self.expr(entry.key)?;
            let possible = [Type::Bool, Type::Int, Type::Uint, Type::String];
            if !possible.into_iter().any(|kind| key.shape.may_be(kind)) {
                let message = format!("{} cannot be a map's key", key.shape);
                self.refuse(self.tree.get(entry.key).span, message);
            }
            let mut value = self.expr(entry.value)?;
            if entry.optional {
                value = self.optional(&value, self.tree.get(entry.value).span)?;
            }
            ids.extend([key.id, value.id]);
            keys.push(key.shape);
            values.push(value.shape);
        }
        if ids.iter().all(|id| self.builder.value(*id).is_some())
            && let Some(map) = self.constant_map(&ids)
            && self.builder.take_constants(&ids).is_some()
        {
            return self.constant(Value::Map(map), span);
        }
        let children = self.builder.children(&ids, span)?;
        let key = Box::new(Shape::common(keys.into_iter()));
        let value = Box::new(Shape::common(values.into_iter()));
        self.node(Node::Map(children), Shape::Map(key, value), span)
    }

    fn constant_map(&self, ids: &[NodeId]) -> Option<Map<'static>> {
        let mut entries = Vec::with_capacity(ids.len() / 2);
        for pair in ids.chunks_exact(2) {
            let [key, value] = pair else { return None };
            entries.push((Key::new(self.builder.value(*key)?.clone())?, self.builder.value(*value)?.clone()));
        }
        Map::try_new(entries).ok()
    }

    /// Evaluates a call of constants now, if it succeeds.
    pub(super) fn fold(&mut self, function: Function, ids: &[NodeId]) -> Option<Value<'static>> {
        if function == Function::Dyn {
            // It is there to hide the type.
            return None;
        }
        // Asking first saves the room for a list in nearly all cases.
        ids.iter().try_for_each(|id| self.builder.value(*id).map(|_| ()))?;
        let arguments: Vec<_> = ids.iter().filter_map(|id| self.builder.value(*id).cloned()).collect();
        let value = constant(function, &arguments)?;
        self.builder.take_constants(ids).map(|_| value)
    }
}

pub(crate) const fn comparison(relation: Comparison) -> &'static str {
    match relation {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

const fn arithmetic(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::Remainder => "%",
    }
}
