//! What an expression makes of an event: a value as JSON text.

use crate::failure::Failure;
use crate::function::string;
use crate::value::{Key, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Writes a value as JSON, of at most `most` bytes: what JSON has no form for is written as the text that `string()` makes of
/// it, octets in base64, an optional as its value.
///
/// # Errors
/// The value has no form in JSON (a number that is not finite, an optional without a value, a type), or is longer.
pub(crate) fn to_json(value: &Value<'_>, most: usize) -> Result<String, Failure> {
    let mut writer = Writer { text: String::new(), most };
    writer.value(value)?;
    Ok(writer.text)
}

struct Writer {
    text: String,
    most: usize,
}

impl Writer {
    fn push(&mut self, text: &str) -> Result<(), Failure> {
        if self.text.len().saturating_add(text.len()) > self.most {
            return Err(Failure::TooLong);
        }
        self.text.push_str(text);
        Ok(())
    }

    /// The nesting of values is bounded where they are made: by the depth of an expression and of what is read of a body.
    fn value(&mut self, value: &Value<'_>) -> Result<(), Failure> {
        match value {
            Value::Null => self.push("null"),
            Value::Bool(value) => self.push(if *value { "true" } else { "false" }),
            Value::Int(value) => self.push(&value.to_string()),
            Value::Uint(value) => self.push(&value.to_string()),
            Value::Double(value) if value.is_finite() => self.push(&value.to_string()),
            Value::String(text) => self.quoted(text),
            Value::Bytes(bytes) => self.quoted(&STANDARD.encode(&**bytes)),
            Value::List(items) => {
                self.push("[")?;
                for (place, item) in items.iter().enumerate() {
                    self.separate(place)?;
                    self.value(item)?;
                }
                self.push("]")
            }
            Value::Map(map) => {
                self.push("{")?;
                for (place, (key, value)) in map.entries().iter().enumerate() {
                    self.separate(place)?;
                    match key {
                        Key::Bool(key) => self.quoted(if *key { "true" } else { "false" })?,
                        Key::Int(key) => self.quoted(&key.to_string())?,
                        Key::Uint(key) => self.quoted(&key.to_string())?,
                        Key::String(key) => self.quoted(key)?,
                    }
                    self.push(":")?;
                    self.value(value)?;
                }
                self.push("}")
            }
            Value::Optional(Some(value)) => self.value(value),
            Value::Optional(None) => Err(Failure::EmptyOptional),
            Value::Timestamp(_) | Value::Duration(_) | Value::Address(_) | Value::Network(_) => {
                let text = string(value)?;
                self.quoted(text.as_str().unwrap_or_default())
            }
            Value::Double(_) | Value::Type(_) => Err(Failure::NoOverload),
        }
    }

    fn separate(&mut self, place: usize) -> Result<(), Failure> {
        if place == 0 { Ok(()) } else { self.push(",") }
    }

    fn quoted(&mut self, text: &str) -> Result<(), Failure> {
        self.push("\"")?;
        let mut rest = text;
        // Everything up to the next character that JSON wants escaped goes in one piece (RFC 8259, section 7).
        while let Some(at) = rest.find(|char: char| char < ' ' || char == '"' || char == '\\') {
            let (plain, behind) = rest.split_at(at);
            self.push(plain)?;
            let mut chars = behind.chars();
            match chars.next() {
                Some('"') => self.push("\\\"")?,
                Some('\\') => self.push("\\\\")?,
                Some('\n') => self.push("\\n")?,
                Some(char) => self.push(&format!("\\u{:04x}", u32::from(char)))?,
                None => {}
            }
            rest = chars.as_str();
        }
        self.push(rest)?;
        self.push("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Duration, Map, Text, Timestamp};

    #[test]
    fn writes_what_json_has_and_the_rest_as_text() {
        let key = |text: &'static str| Key::String(Text::Borrowed(text));
        let map = Map::with_last(vec![
            (
                key("b"),
                Value::list(vec![Value::Int(-1), Value::Double(1.5), Value::Double(2.0), Value::Null]),
            ),
            (Key::Int(7), Value::str("a\"\\\n\u{1}é")),
            (Key::Bool(true), Value::bytes(*b"abc")),
            (
                key("t"),
                Value::list(vec![
                    Value::Timestamp(Timestamp::from_millis(1500).unwrap()),
                    Value::Duration(Duration::from_nanos(90_000_000_000)),
                    Value::Optional(Some(Value::Uint(1).into())),
                ]),
            ),
        ]);
        let text = to_json(&Value::Map(map), 1000).unwrap();
        let expected = [
            r#"{"b":[-1,1.5,2,null],"7":"a\"\\\n\u0001é","true":"YWJj","#,
            r#""t":["1970-01-01T00:00:01.5Z","90s",1]}"#,
        ];
        assert_eq!(text, expected.concat());
    }

    #[test]
    fn refuses_what_json_cannot_say_and_what_is_too_long() {
        assert_eq!(to_json(&Value::Double(f64::NAN), 10), Err(Failure::NoOverload));
        assert_eq!(to_json(&Value::Optional(None), 10), Err(Failure::EmptyOptional));
        assert_eq!(to_json(&Value::str("abcd"), 5), Err(Failure::TooLong));
        assert_eq!(to_json(&Value::str("abc"), 5).unwrap(), "\"abc\"");
    }
}
