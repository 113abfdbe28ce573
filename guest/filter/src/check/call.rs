//! Which overload of a function can take these types.

use super::Shape;
use crate::function::{Function, Overload, Parameter};
use crate::value::Type;

/// Finds out whether a call can succeed: the function and the shape of its result.
///
/// # Errors
/// What is wrong with the call.
pub(crate) fn call(
    name: &str,
    overloads: &[Overload],
    arguments: &[Shape],
) -> Result<(Function, Shape), String> {
    let mut fitting = overloads.iter().filter(|overload| counts(overload, arguments.len())).peekable();
    let (Some(first), Some(known)) = (fitting.peek().copied(), overloads.first()) else {
        return Err(arity(name, overloads, arguments.len()));
    };
    let mut results = fitting
        .filter(|overload| {
            arguments.iter().enumerate().all(|(at, shape)| {
                let parameter = overload.parameters.get(at).or(overload.parameters.last());
                parameter.is_some_and(|parameter| accepts(*parameter, shape))
            })
        })
        .map(|overload| result(overload.result, arguments))
        .peekable();
    if results.peek().is_none() {
        let offset = usize::from(known.method);
        let given: Vec<String> = arguments.iter().skip(offset).map(ToString::to_string).collect();
        let given = given.join(", ");
        return Err(match arguments.first().filter(|_| known.method) {
            Some(receiver) => format!("{receiver} has no method {name}({given})"),
            None => format!("{name} does not take ({given})"),
        });
    }
    Ok((first.function, Shape::common(results)))
}

fn counts(overload: &Overload, arguments: usize) -> bool {
    arguments == overload.parameters.len() || (overload.variadic && arguments > overload.parameters.len())
}

fn arity(name: &str, overloads: &[Overload], given: usize) -> String {
    let method = overloads.first().is_some_and(|overload| overload.method);
    let mut counts: Vec<usize> = Vec::new();
    for overload in overloads {
        let count = overload.parameters.len() - usize::from(method);
        if let Err(place) = counts.binary_search(&count) {
            counts.insert(place, count);
        }
    }
    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
    format!("{name} takes {} arguments, not {}", counts.join(" or "), given - usize::from(method))
}

fn accepts(parameter: Parameter, shape: &Shape) -> bool {
    match parameter {
        Parameter::Is(kind) => shape.may_be(kind),
        Parameter::Number => shape.kind().is_none() || shape.is_number(),
        Parameter::Integer => shape.may_be(Type::Int) || shape.may_be(Type::Uint),
        Parameter::Strings => match shape {
            Shape::List(element) => element.may_be(Type::String),
            other => other.kind().is_none(),
        },
        Parameter::Any | Parameter::First | Parameter::Inner | Parameter::Wrapped => true,
    }
}

fn result(result: Parameter, arguments: &[Shape]) -> Shape {
    let first = arguments.first().cloned().unwrap_or(Shape::Any);
    match result {
        Parameter::Is(Type::List) => Shape::List(Box::new(Shape::Any)),
        Parameter::Is(Type::Map) => Shape::Map(Box::new(Shape::Any), Box::new(Shape::Any)),
        Parameter::Is(Type::Optional) => Shape::Optional(Box::new(Shape::Any)),
        Parameter::Is(kind) => Shape::Is(kind),
        Parameter::Strings => Shape::List(Box::new(Shape::STRING)),
        Parameter::First => first,
        Parameter::Wrapped => Shape::Optional(Box::new(first)),
        Parameter::Inner => match first {
            Shape::Optional(inner) => *inner,
            _ => Shape::Any,
        },
        Parameter::Any | Parameter::Number | Parameter::Integer => Shape::Any,
    }
}
