//! Bodies of requests, read as Go's `json.Decoder` reads them: the first value counts, and what follows it is not looked at.

use super::fault::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

const TITLE: &str = "error during body parse";

/// The object that a body begins with.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::bad(TITLE, "EOF"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    match Value::deserialize(&mut reader) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(mistyped("", &other, "an object")),
        Err(error) => Err(Fault::bad(TITLE, error.to_string())),
    }
}

/// A member of another type than it has.
pub(super) fn mistyped(key: &str, value: &Value, expected: &str) -> Fault {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let place = if key.is_empty() { "the body".to_owned() } else { format!("'{key}'") };
    Fault::bad(TITLE, format!("cannot unmarshal {found} into {place}: it must be {expected}"))
}

/// A text, or nothing if it is not there or null.
pub(super) fn text(members: &Map<String, Value>, key: &str, path: &str) -> Result<Option<String>, Fault> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(mistyped(path, other, "a string")),
    }
}

/// An object, or an empty one if it is not there or null.
pub(super) fn table(
    members: &Map<String, Value>,
    key: &str,
    path: &str,
) -> Result<Map<String, Value>, Fault> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(table)) => Ok(table.clone()),
        Some(other) => Err(mistyped(path, other, "an object")),
    }
}

/// A boolean, or what it is if it is not there or null.
pub(super) fn flag(
    members: &Map<String, Value>,
    key: &str,
    path: &str,
    default: bool,
) -> Result<bool, Fault> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(mistyped(path, other, "a boolean")),
    }
}
