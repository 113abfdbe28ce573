//! Values and places in words, short enough to be read, without credentials.

use crate::fact::Fact;
use crate::failure::Unreadable;
use crate::ir::{Fields, Path, Root};
use crate::value::{Key, Value};

/// The most characters of one text that are shown.
const TEXT: usize = 60;
/// The most characters of a part of the expression that are shown.
const SOURCE: usize = 120;

/// Cuts a text after so many characters, and says so with dots.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A part of the expression on one line.
pub(super) fn source(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    cut(&words.join(" "), SOURCE)
}

/// A value, shortened.
pub(super) fn value(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Uint(uint) => format!("{uint}u"),
        Value::Double(double) => double.to_string(),
        Value::String(text) => format!("{:?}", cut(text, TEXT)),
        Value::Bytes(bytes) => format!("{} octets", bytes.len()),
        Value::List(list) => match list.len() {
            0 => "[]".to_owned(),
            1..=4 if list.iter().all(scalar) => {
                let elements: Vec<String> = list.iter().map(self::value).collect();
                cut(&format!("[{}]", elements.join(", ")), TEXT)
            }
            count => format!("a list of {count}"),
        },
        Value::Map(map) => {
            let names: Vec<String> = map.entries().iter().take(6).map(|(key, _)| name(key)).collect();
            let more = if map.len() > names.len() { ", …" } else { "" };
            cut(&format!("an object with {{{}{more}}}", names.join(", ")), TEXT)
        }
        Value::Timestamp(_) | Value::Duration(_) | Value::Address(_) | Value::Network(_) => {
            let text = crate::function::constant(crate::function::Function::String, &[owned(value)]);
            text.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
        }
        Value::Type(kind) => kind.name().to_owned(),
        Value::Optional(None) => "optional.none()".to_owned(),
        Value::Optional(Some(inner)) => format!("optional.of({})", self::value(inner)),
    }
}

/// A value without text, made independent of the event.
fn owned(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Timestamp(timestamp) => Value::Timestamp(*timestamp),
        Value::Duration(duration) => Value::Duration(*duration),
        Value::Address(address) => Value::Address(address.clone()),
        Value::Network(network) => Value::Network(network.clone()),
        _ => Value::Null,
    }
}

const fn scalar(value: &Value<'_>) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_) | Value::Optional(_))
}

fn name(key: &Key<'_>) -> String {
    match key {
        Key::String(text) => (**text).to_owned(),
        other => value(&other.value()),
    }
}

/// Words in the names of header fields that carry credentials: their values are not repeated.
const CREDENTIALS: [&str; 8] =
    ["authorization", "cookie", "signature", "secret", "token", "password", "hmac", "api-key"];

/// What the event has at a path.
pub(super) fn fact(path: &Path, fact: &Fact<'_>) -> String {
    let credential = |name: &str| CREDENTIALS.iter().any(|word| name.to_ascii_lowercase().contains(word));
    match fact {
        Fact::Value(_) if path.root == Root::HEADERS && path.fields.iter().any(credential) => {
            format!("{path} is there, but not shown")
        }
        Fact::Value(found) => format!("{path} is {}", value(found)),
        Fact::Missing { at, .. } => format!("{} is missing", head(path, *at)),
        Fact::NotMap { at } => match at.checked_sub(1) {
            Some(before) => format!("{} is not an object", head(path, before)),
            None => format!("{} is not an object", Path { root: path.root, fields: Fields::default() }),
        },
        Fact::Unreadable(Unreadable::NotJson) => "the body is not JSON".to_owned(),
        Fact::Unreadable(Unreadable::NumberTooLarge) => format!("{path} is a number too large to compare"),
        Fact::Unreadable(Unreadable::TooLarge) => format!("{path} is too large or too deeply nested"),
        Fact::Unreadable(Unreadable::Unbound) => format!("{path} has no value"),
    }
}

/// The path up to and with field number `at`.
fn head(path: &Path, at: usize) -> Path {
    Path { root: path.root, fields: Fields::new(path.fields.iter().take(at.saturating_add(1))) }
}

#[cfg(test)]
mod tests {
    use super::{cut, value};
    use crate::value::Value;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(cut("ééé", 2), "éé…");
        assert_eq!(cut("éé", 2), "éé");
        assert!(value(&Value::string("x".repeat(1000))).chars().count() < 70);
    }
}
