//! Calls of functions and methods.

use super::{Lowering, Part, hint};
use crate::check::{self, Shape};
use crate::function::{Function, Overload, Pattern, is_zone, overloads};
use crate::ir::{Node, Span};
use crate::problem::Fault;
use crate::syntax::{ExprId, Kind};
use crate::value::Value;

impl Lowering<'_> {
    pub(super) fn call(&mut self, id: ExprId) -> Result<Part, Fault> {
        let tree = self.tree;
        let expr = tree.get(id);
        let Kind::Call { target, name, absolute, arguments } = &expr.kind else {
            return Err(Fault::new(expr.span, "this is not a call"));
        };
        let (span, mark) = (expr.span, expr.mark);
        let arguments = tree.run(*arguments);
        let Some(target) = target else {
            if let Some(part) = self.global_macro(name, arguments, span, mark)? {
                return Ok(part);
            }
            let found = self.function(name, *absolute);
            return self.apply(name, found, None, arguments, span, mark);
        };
        if let Some(chain) = self.qualifier(*target) {
            let qualified = format!("{}.{name}", chain.joined(chain.names.len()));
            if let Some(part) = self.qualified_macro(&qualified, arguments, span, mark)? {
                return Ok(part);
            }
            let found = self.function(&qualified, chain.absolute);
            if !found.is_empty() {
                return self.apply(&qualified, found, None, arguments, span, mark);
            }
        }
        if let Some(part) = self.method_macro(*target, name, arguments, span, mark)? {
            return Ok(part);
        }
        let found = overloads(name, true);
        self.apply(name, found, Some(*target), arguments, span, mark)
    }

    fn function(&self, name: &str, absolute: bool) -> &'static [Overload] {
        let found = overloads(name, false);
        if self.environment.is_rooted() {
            return found;
        }
        let mut candidates = self.environment.candidates(name, absolute).map(|name| overloads(&name, false));
        candidates.find(|found| !found.is_empty()).unwrap_or_default()
    }

    fn apply(
        &mut self,
        name: &str,
        found: &'static [Overload],
        receiver: Option<ExprId>,
        arguments: &[ExprId],
        span: Span,
        mark: Span,
    ) -> Result<Part, Fault> {
        let mut ids = Vec::with_capacity(arguments.len() + 1);
        let mut shapes = Vec::with_capacity(arguments.len() + 1);
        for argument in receiver.iter().chain(arguments) {
            let part = self.expr(*argument)?;
            ids.push(part.id);
            shapes.push(part.shape);
        }
        let (function, shape) = if found.is_empty() {
            self.refuse(mark, unknown(name));
            (Function::Unknown, Shape::Any)
        } else {
            match check::call(name, found, &shapes) {
                Ok(result) => result,
                Err(message) => {
                    self.refuse(mark, message);
                    (found.first().map_or(Function::Unknown, |overload| overload.function), Shape::Any)
                }
            }
        };
        if function == Function::Matches
            && let [subject, pattern] = *ids
            && let Some(text) = self.builder.value(pattern).and_then(Value::as_str)
        {
            match Pattern::new(text) {
                Ok(compiled) => {
                    let source = self.builder.constant(Value::string(text.to_owned()), mark)?;
                    let pattern = self.builder.pattern(compiled, span)?;
                    return self.node(Node::Matches { subject, pattern, source }, Shape::BOOL, span);
                }
                Err(message) => self.refuse(mark, message),
            }
        }
        if let Some(value) = self.fold(function, &ids) {
            return self.constant(value, span);
        }
        if let [only] = *ids
            && let Some(value) = self.builder.value(only)
            && let Value::String(text) = value
            && let Some(what) = parsed(function)
        {
            let message = format!("{:?} is not {what}", &**text);
            self.refuse(span, message);
        }
        if let [_, zone] = *ids
            && function.is_of_time()
            && let Some(name) = self.builder.value(zone).and_then(Value::as_str)
            && !is_zone(name)
        {
            let message = format!("{name:?} is not a time zone like \"Europe/Berlin\" or \"+01:00\"");
            self.refuse(mark, message);
        }
        let arguments = self.builder.children(&ids, span)?;
        self.node(Node::Call { function, arguments }, shape, span)
    }
}

/// What a conversion reads from a string, so that a constant string that is none is refused.
const fn parsed(function: Function) -> Option<&'static str> {
    Some(match function {
        Function::Timestamp => "a timestamp like '2026-01-31T12:00:00Z'",
        Function::Duration => "a duration like '1h30m'",
        Function::Ip => "an IP address",
        Function::Cidr => "a network like '10.0.0.0/8'",
        _ => return None,
    })
}

/// The message for an unknown function, with what was probably meant.
fn unknown(name: &str) -> String {
    match hint::function(name) {
        Some(hint) => format!("unknown function {name}; {hint}"),
        None => format!("unknown function {name}"),
    }
}
