//! The functions of optionals.

use super::Function;
use crate::failure::Failure;
use crate::value::{List, Value};
use std::sync::Arc;

/// The functions of optionals. `or` and `orValue` come here only with both sides evaluated; the evaluator skips the second where it can.
pub(super) fn optional<'a>(function: Function, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure> {
    match (function, arguments) {
        (Function::OptionalNone, []) => Ok(Value::Optional(None)),
        (Function::OptionalOf, [value]) => Ok(Value::Optional(Some(Arc::new(value.clone())))),
        (Function::OptionalOfNonZeroValue, [value]) => {
            Ok(Value::Optional((!is_zero(value)).then(|| Arc::new(value.clone()))))
        }
        (Function::OptionalUnwrap, [Value::List(list)]) => {
            let mut present = Vec::with_capacity(list.len());
            for element in list.iter() {
                match element {
                    Value::Optional(Some(value)) => present.push((**value).clone()),
                    Value::Optional(None) => {}
                    _ => return Err(Failure::NoOverload),
                }
            }
            Ok(Value::List(List::new(present)))
        }
        (Function::HasValue, [Value::Optional(inner)]) => Ok(Value::Bool(inner.is_some())),
        (Function::OptionalValue, [Value::Optional(inner)]) => {
            inner.as_deref().cloned().ok_or(Failure::EmptyOptional)
        }
        (Function::Or, [Value::Optional(Some(inner)), _]) => Ok(Value::Optional(Some(Arc::clone(inner)))),
        (Function::Or, [Value::Optional(None), other @ Value::Optional(_)]) => Ok(other.clone()),
        (Function::OrValue, [Value::Optional(Some(inner)), _]) => Ok((**inner).clone()),
        (Function::OrValue, [Value::Optional(None), other]) => Ok(other.clone()),
        _ => Err(Failure::NoOverload),
    }
}

/// Whether a value is the one that a field without a value has.
fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::Optional(None) => true,
        Value::Bool(bool) => !bool,
        Value::Int(int) => *int == 0,
        Value::Uint(uint) => *uint == 0,
        Value::Double(double) => *double == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Duration(duration) => duration.nanos() == 0,
        Value::Timestamp(timestamp) => timestamp.seconds() == 0 && timestamp.nanos() == 0,
        Value::Type(_) | Value::Optional(Some(_)) | Value::Address(_) | Value::Network(_) => false,
    }
}
