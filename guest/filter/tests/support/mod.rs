//! Events for tests, from JSON.

use anglerfish_filter::fact::Bindings;
use anglerfish_filter::ir::{Path, Root};
use anglerfish_filter::value::{Key, Map, Timestamp, Value};
use serde_json::Value as Json;

/// A JSON value as the value that an expression sees.
pub(crate) fn value(json: &Json) -> Value<'static> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(uint)) => Value::Uint(uint),
            (None, None) => Value::Double(number.as_f64().unwrap()),
        },
        Json::String(text) => Value::string(text.as_str()),
        Json::Array(elements) => Value::list(elements.iter().map(value).collect()),
        Json::Object(fields) => {
            let entries = fields
                .iter()
                .map(|(name, field)| (Key::new(Value::string(name.as_str())).unwrap(), value(field)));
            Value::Map(Map::with_last(entries.collect()))
        }
    }
}

/// An event with this body, of the type `order.created` from the source `shop`, received at 2026-01-02T03:04:05Z.
pub(crate) fn event<'a>(paths: &'a [Path], body: &Json) -> Bindings<'a> {
    let headers =
        serde_json::json!({"content-type": "application/json", "x-signature": "v1=abc", "x-shop": "7"});
    let at = Value::Timestamp(Timestamp::new(1_767_323_045, 0).unwrap());
    let mut attributes: Vec<_> = [("id", "e1"), ("source", "shop"), ("type", "order.created")]
        .into_iter()
        .map(|(name, text)| (Key::new(Value::str(name)).unwrap(), Value::str(text)))
        .collect();
    attributes.push((Key::new(Value::str("time")).unwrap(), at.clone()));
    Bindings::new(
        paths,
        vec![
            (Root::MESSAGE, value(body)),
            (Root::EVENT, Value::Map(Map::with_last(attributes))),
            (Root::HEADERS, value(&headers)),
            (Root::SOURCE, Value::str("shop")),
            (Root::NOW, at),
        ],
    )
}
