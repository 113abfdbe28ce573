//! Forms: fields in order, and the JSON object that stands for them.

use percent_encoding::percent_decode;
use serde::de::IgnoredAny;

/// A form with more fields than any provider sends is not worth reading.
pub(crate) const MOST_FIELDS: usize = 10_000;

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Vec<u8>,
    pub(super) value: Value,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Vec<u8>),
    /// A file of a multipart form; what is in it stays in the body.
    File {
        name: String,
        content_type: Option<String>,
        size: usize,
    },
}

/// The name and value pairs of a form or a query, decoded to bytes, in order.
pub(crate) fn pairs(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (decode(halves.next().unwrap_or_default()), decode(halves.next().unwrap_or_default()))
    })
}

fn decode(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

/// The fields of a form of the type `application/x-www-form-urlencoded`.
pub(super) fn urlencoded(text: &[u8]) -> Result<Vec<Field>, String> {
    let fields: Vec<Field> = pairs(text)
        .take(MOST_FIELDS + 1)
        .map(|(name, value)| Field { name, value: Value::Text(value) })
        .collect();
    bounded(fields)
}

pub(super) fn bounded(fields: Vec<Field>) -> Result<Vec<Field>, String> {
    if fields.len() > MOST_FIELDS {
        return Err(format!("the form has more than {MOST_FIELDS} fields"));
    }
    Ok(fields)
}

/// The JSON object of the fields: a field that occurs once is a text, one that occurs several times is a list of them, and
/// what a provider writes as JSON into one of `json_fields` is that JSON. Bytes that are no UTF-8 stand as U+FFFD.
pub(super) fn to_json(fields: &[Field], json_fields: &[String]) -> Vec<u8> {
    // By name, each with its values, in the order of their first occurrence.
    let mut order: Vec<(String, Vec<&Value>)> = Vec::new();
    let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for field in fields {
        let name = String::from_utf8_lossy(&field.name).into_owned();
        let place = *places.entry(name.clone()).or_insert_with(|| {
            order.push((name, Vec::new()));
            order.len() - 1
        });
        if let Some((_, values)) = order.get_mut(place) {
            values.push(&field.value);
        }
    }
    let mut json = vec![b'{'];
    for (index, (name, values)) in order.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        text(name, &mut json);
        json.push(b':');
        let is_json = json_fields.iter().any(|known| known == name);
        match values.as_slice() {
            [only] => write(only, is_json, &mut json),
            several => {
                json.push(b'[');
                for (index, value) in several.iter().enumerate() {
                    if index > 0 {
                        json.push(b',');
                    }
                    write(value, is_json, &mut json);
                }
                json.push(b']');
            }
        }
    }
    json.push(b'}');
    json
}

fn write(value: &Value, is_json: bool, json: &mut Vec<u8>) {
    match value {
        Value::Text(value) => match is_json.then(|| structured(value)).flatten() {
            Some(inner) => json.extend_from_slice(inner.as_bytes()),
            None => text(&String::from_utf8_lossy(value), json),
        },
        Value::File { name, content_type, size } => {
            json.extend_from_slice(b"{\"filename\":");
            text(name, json);
            if let Some(content_type) = content_type {
                json.extend_from_slice(b",\"content_type\":");
                text(content_type, json);
            }
            json.extend_from_slice(format!(",\"size\":{size}}}").as_bytes());
        }
    }
}

/// The JSON object or array that a text is. A number or a word stays the text that the provider wrote.
pub(super) fn structured(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    let found = text.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok();
    found.then_some(text)
}

/// Writes a JSON string.
fn text(text: &str, json: &mut Vec<u8>) {
    json.push(b'"');
    for character in text.chars() {
        match character {
            '"' => json.extend_from_slice(b"\\\""),
            '\\' => json.extend_from_slice(b"\\\\"),
            control if u32::from(control) < 0x20 => {
                json.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
            }
            other => json.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(form: &str) -> String {
        let fields = urlencoded(form.as_bytes()).unwrap();
        String::from_utf8(to_json(&fields, &["payload".to_owned()])).unwrap()
    }

    #[test]
    fn a_form_is_an_object_of_its_fields() {
        assert_eq!(json("a=1&b=x+y%26&c=&d"), r#"{"a":"1","b":"x y&","c":"","d":""}"#);
        assert_eq!(json(""), "{}");
        assert_eq!(json("a=1&b=2&a=3"), r#"{"a":["1","3"],"b":"2"}"#);
        assert_eq!(json("%22=%5C%0A%00"), r#"{"\"":"\\\u000a\u0000"}"#);
        assert_eq!(json("a=%FF"), "{\"a\":\"\u{fffd}\"}");
    }

    #[test]
    fn only_a_field_that_is_known_to_hold_json_is_read_as_json_and_only_if_it_is_some() {
        assert_eq!(json("payload=%7B%22ref%22%3A+%22x%22%7D"), r#"{"payload":{"ref": "x"}}"#);
        assert_eq!(json("payload=%5B1%5D"), r#"{"payload":[1]}"#);
        assert_eq!(json("text=%5B1%5D&payload=7"), r#"{"text":"[1]","payload":"7"}"#);
        assert_eq!(json("payload=%7B"), r#"{"payload":"{"}"#);
    }

    #[test]
    fn a_form_with_too_many_fields_is_not_read() {
        assert!(urlencoded("a&".repeat(MOST_FIELDS).as_bytes()).is_ok());
        assert!(urlencoded("a&".repeat(MOST_FIELDS + 1).as_bytes()).is_err());
    }
}
