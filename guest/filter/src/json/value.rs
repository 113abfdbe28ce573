//! Making values of arrays and objects.

use super::number;
use super::scan::{self, byte, skip_space};
use super::slot::Raw;
use super::text::unescape;
use crate::failure::Unreadable;
use crate::value::{Key, Map, Text, Value};

/// An array or object that is not finished.
enum Open<'a> {
    Array(Vec<Value<'a>>),
    Object(Vec<(Key<'a>, Value<'a>)>, Text<'a>),
}

/// The value whose text is `text`, which was read as part of a whole before.
///
/// # Errors
///
/// A number in it is too large for a double; then the whole cannot be read.
pub(crate) fn materialise(text: &str) -> Result<Value<'_>, Unreadable> {
    let bytes = text.as_bytes();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    loop {
        at = skip_space(bytes, at);
        let value = match byte(bytes, at) {
            b'"' => {
                let (string, end) = string(text, at)?;
                at = end;
                Value::String(string)
            }
            b'{' => {
                at = skip_space(bytes, at + 1);
                if byte(bytes, at) == b'}' {
                    at += 1;
                    Value::Map(Map::with_last(Vec::new()))
                } else {
                    let (key, end) = key(text, at)?;
                    at = end;
                    open.push(Open::Object(Vec::new(), key));
                    continue;
                }
            }
            b'[' => {
                at = skip_space(bytes, at + 1);
                if byte(bytes, at) == b']' {
                    at += 1;
                    Value::list(Vec::new())
                } else {
                    open.push(Open::Array(Vec::new()));
                    continue;
                }
            }
            b't' => {
                at += 4;
                Value::Bool(true)
            }
            b'f' => {
                at += 5;
                Value::Bool(false)
            }
            b'n' => {
                at += 4;
                Value::Null
            }
            _ => {
                let (end, integral) = number::scan(bytes, at).map_err(|_| Unreadable::NotJson)?;
                let raw = number::value(text.get(at..end).unwrap_or_default(), integral);
                at = end;
                match raw {
                    Raw::Int(value) => Value::Int(value),
                    Raw::Uint(value) => Value::Uint(value),
                    Raw::Double(value) => Value::Double(value),
                    _ => return Err(Unreadable::NumberTooLarge),
                }
            }
        };
        let mut done = value;
        loop {
            let Some(container) = open.pop() else { return Ok(done) };
            at = skip_space(bytes, at);
            let more = byte(bytes, at) == b',';
            at += 1;
            match container {
                Open::Array(mut values) => {
                    values.push(done);
                    if more {
                        open.push(Open::Array(values));
                        break;
                    }
                    done = Value::list(values);
                }
                Open::Object(mut entries, name) => {
                    entries.push((Key::String(name), done));
                    if more {
                        let (name, end) = key(text, skip_space(bytes, at))?;
                        at = end;
                        open.push(Open::Object(entries, name));
                        break;
                    }
                    done = Value::Map(Map::with_last(entries));
                }
            }
        }
    }
}

/// A key and its colon; the position after it.
fn key(text: &str, at: usize) -> Result<(Text<'_>, usize), Unreadable> {
    let (key, end) = string(text, at)?;
    Ok((key, skip_space(text.as_bytes(), end) + 1))
}

fn string(text: &str, at: usize) -> Result<(Text<'_>, usize), Unreadable> {
    let scanned = scan::string(text.as_bytes(), at + 1).map_err(|_| Unreadable::NotJson)?;
    let raw = text.get(at + 1..scanned.end).unwrap_or_default();
    let string = if scanned.escaped {
        let mut decoded = String::with_capacity(raw.len());
        unescape(raw, &mut decoded);
        Text::Shared(decoded.into())
    } else {
        Text::Borrowed(raw)
    };
    Ok((string, scanned.end + 1))
}

#[cfg(test)]
mod tests {
    use super::materialise;
    use crate::failure::Unreadable;
    use crate::value::Value;

    #[test]
    fn makes_nested_values_of_which_the_last_equal_key_wins() {
        let value = materialise(
            r#"{ "a" : [ 1 , -2.5, "x\ty", true, null, {} , [] ], "b\u0061": {"c": 1, "c": 2} }"#,
        );
        let Ok(Value::Map(map)) = value else { panic!("{value:?}") };
        let Some(Value::List(list)) = map.field("a") else { panic!("{map:?}") };
        assert_eq!(list.len(), 7);
        assert_eq!(list[2].as_str(), Some("x\ty"));
        assert!(matches!(list[1], Value::Double(-2.5)));
        let Some(Value::Map(inner)) = map.field("ba") else { panic!("{map:?}") };
        assert_eq!(inner.len(), 1);
        assert!(matches!(inner.field("c"), Some(Value::Int(2))));
    }

    #[test]
    fn a_number_that_no_double_holds_makes_the_whole_unreadable() {
        assert_eq!(materialise("[1, 1e400]").err(), Some(Unreadable::NumberTooLarge));
    }
}
