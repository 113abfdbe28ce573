//! An event as one expression sees it, whole: for explanations, where speed does not matter.

use super::filters::FilterInput;
use crate::request::Header;
use anglerfish_filter::Expression;
use anglerfish_filter::explain::Explanation;
use anglerfish_filter::fact::Bindings;
use anglerfish_filter::ir::Root;
use anglerfish_filter::value::{Key, List, Map, Text, Timestamp, Value};
use std::borrow::Cow;

/// The values of the variables `message`, `event`, `headers`, `source` and `now`.
pub(super) struct EventFacts<'a> {
    variables: Vec<(Root, Value<'a>)>,
}

impl<'a> EventFacts<'a> {
    /// Reads the data as JSON; `message` has no value if it is none.
    pub(super) fn new(input: FilterInput<'a>) -> Self {
        let event = input.event;
        let mut attributes = vec![
            member("id", Value::str(&event.id)),
            member("source", Value::str(&event.source)),
            member("type", Value::str(&event.kind)),
        ];
        attributes.extend(event.subject.as_deref().map(|subject| member("subject", Value::str(subject))));
        attributes
            .extend(event.datacontenttype.as_deref().map(|kind| member("datacontenttype", Value::str(kind))));
        attributes
            .extend(Timestamp::from_millis(event.time.0).map(|time| member("time", Value::Timestamp(time))));
        let mut variables = vec![
            (Root::EVENT, Value::Map(Map::with_last(attributes))),
            (Root::HEADERS, Value::Map(Map::with_last(headers(input)))),
            (Root::SOURCE, Value::str(&event.source)),
        ];
        variables.extend(Timestamp::from_millis(input.now.0).map(|now| (Root::NOW, Value::Timestamp(now))));
        if let Ok(message) = serde_json::from_slice(input.data) {
            variables.push((Root::MESSAGE, value(message)));
        }
        Self { variables }
    }

    /// Whether the expression is true, and why.
    pub(super) fn explain(&self, expression: &Expression) -> Explanation {
        expression.explain(&Bindings::new(expression.program().paths(), self.variables.clone()))
    }
}

fn member<'a>(name: &'a str, value: Value<'a>) -> (Key<'a>, Value<'a>) {
    (Key::String(Text::Borrowed(name)), value)
}

/// Header fields by lower-case name; several of one name are joined as RFC 9110, section 5.2, has it. Values that are
/// not UTF-8 are not there.
pub(super) fn joined_headers<'a>(headers: &[Header<'a>]) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut fields: Vec<(Cow<'a, str>, Cow<'a, str>)> = headers
        .iter()
        .filter_map(|header| {
            Some((lower_case(header.name), Cow::Borrowed(std::str::from_utf8(header.value).ok()?)))
        })
        .collect();
    // Stable, so that values of one name stay in the order received.
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    fields.dedup_by(|next, before| {
        let same = next.0 == before.0;
        if same {
            let value = before.1.to_mut();
            value.push_str(", ");
            value.push_str(&next.1);
        }
        same
    });
    fields
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn headers(input: FilterInput<'_>) -> Vec<(Key<'static>, Value<'static>)> {
    joined_headers(input.headers)
        .into_iter()
        .map(|(name, value)| (Key::String(Text::Shared(name.as_ref().into())), Value::string(value.as_ref())))
        .collect()
}

fn value(json: serde_json::Value) -> Value<'static> {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), _, _) => Value::Int(int),
            (None, Some(uint), _) => Value::Uint(uint),
            (None, None, double) => Value::Double(double.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::string(text),
        Json::Array(items) => Value::List(List::new(items.into_iter().map(value).collect())),
        Json::Object(members) => Value::Map(Map::with_last(
            members
                .into_iter()
                .map(|(name, member)| (Key::String(Text::Shared(name.into())), value(member)))
                .collect(),
        )),
    }
}
