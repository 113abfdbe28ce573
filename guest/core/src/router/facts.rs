//! An event as one expression sees it, whole: for explanations, where speed does not matter.

use super::filters::FilterInput;
use anglerfish_filter::fact::Bindings;
use anglerfish_filter::ir::Root;
use anglerfish_filter::value::{Key, List, Map, Text, Timestamp, Value};
use anglerfish_filter::{EvalError, Expression};

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

    /// Whether the expression is true.
    pub(super) fn evaluate(&self, expression: &Expression) -> Result<bool, EvalError> {
        expression.evaluate(&Bindings::new(&expression.program().paths(), self.variables.clone()))
    }
}

fn member<'a>(name: &'a str, value: Value<'a>) -> (Key<'a>, Value<'a>) {
    (Key::String(Text::Borrowed(name)), value)
}

/// Header fields by lower-case name; several of one name are joined as RFC 9110, section 5.2, has it. Values that are
/// not UTF-8 are not there.
fn headers<'a>(input: FilterInput<'a>) -> Vec<(Key<'a>, Value<'a>)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for header in input.headers {
        let Ok(value) = std::str::from_utf8(header.value) else { continue };
        let name = header.name.to_ascii_lowercase();
        match joined.iter_mut().find(|(known, _)| *known == name) {
            Some((_, before)) => {
                before.push_str(", ");
                before.push_str(value);
            }
            None => joined.push((name, value.to_owned())),
        }
    }
    joined
        .into_iter()
        .map(|(name, value)| (Key::String(Text::Shared(name.into())), Value::string(value)))
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
