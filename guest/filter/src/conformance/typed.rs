//! The suite's typed values in JSON.

use crate::value::{Duration, Key, Map, Timestamp, Type, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        other => other.parse().ok(),
    }
}

/// Whole seconds and nanoseconds, as strings or numbers.
fn parts(json: &Json) -> Option<(i64, i64)> {
    let number = |name: &str| match json.get(name) {
        None => Some(0),
        Some(Json::String(text)) => text.parse().ok(),
        Some(other) => other.as_i64(),
    };
    Some((number("seconds")?, number("nanos")?))
}

/// Reads a typed value.
pub(super) fn value(json: &Json) -> Option<Value<'static>> {
    let (kind, inner) = json.as_object()?.iter().next()?;
    let text = inner.as_str();
    Some(match kind.as_str() {
        "null" => Value::Null,
        "bool" => Value::Bool(inner.as_bool()?),
        "int" => Value::Int(text?.parse().ok()?),
        "uint" => Value::Uint(text?.parse().ok()?),
        "double" => Value::Double(double(text?)?),
        "string" => Value::string(text?),
        "bytes" => Value::bytes(STANDARD.decode(text?).ok()?),
        "list" => Value::list(inner.as_array()?.iter().map(value).collect::<Option<_>>()?),
        "map" => {
            let entries = inner.as_array()?.iter().map(|pair| {
                let [key, inner] = pair.as_array()?.as_slice() else { return None };
                Some((Key::new(value(key)?)?, value(inner)?))
            });
            Value::Map(Map::try_new(entries.collect::<Option<_>>()?).ok()?)
        }
        "timestamp" => {
            let (seconds, nanos) = parts(inner)?;
            Value::Timestamp(Timestamp::new(seconds, u32::try_from(nanos).ok()?)?)
        }
        "duration" => {
            let (seconds, nanos) = parts(inner)?;
            Value::Duration(Duration::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
        }
        "type" => Value::Type(Type::ALL.into_iter().find(|kind| Some(kind.name()) == text)?),
        _ => return None,
    })
}

/// Whether a value is the expected one, in type as well.
pub(super) fn same(found: &Value<'_>, expected: &Json) -> bool {
    value(expected).is_some_and(|expected| identical(found, &expected))
}

fn identical(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Uint(left), Value::Uint(right)) => left == right,
        (Value::Double(left), Value::Double(right)) => {
            (left.is_nan() && right.is_nan()) || left.to_bits() == right.to_bits()
        }
        (Value::String(left), Value::String(right)) => **left == **right,
        (Value::Bytes(left), Value::Bytes(right)) => **left == **right,
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::Type(left), Value::Type(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left.iter().zip(right.iter()).all(|(left, right)| identical(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.entries().iter().all(|(key, left)| {
                    let same_key = |other: &Key<'_>| identical(&key.value(), &other.value());
                    right.entries().iter().any(|(other, right)| same_key(other) && identical(left, right))
                })
        }
        _ => false,
    }
}
