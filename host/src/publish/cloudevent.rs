//! Events as others write them: CloudEvents 1.0, by attributes and in the JSON format.
//!
//! Source: "JSON Event Format for CloudEvents", version 1.0.2.

use anglerfish_core::callback::is_of_callback;
use anglerfish_core::config::{is_built_in, topic_of};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The longest identifier, type or source, in bytes; as that of events that come in through sources.
const LONGEST_NAME: usize = 256;
/// The longest value of another attribute, in bytes.
const LONGEST_VALUE: usize = 1024;
/// How many extension attributes an event can have.
const MOST_EXTENSIONS: usize = 32;
/// An event to publish.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Published {
    /// Its attributes.
    pub(crate) event: Event,
    /// Its data, byte for byte.
    pub(crate) data: Bytes,
}

/// Which sources an event may say that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    /// Any but the gateway's own: nobody else tells in its name, or past a topic's tokens and limits.
    Others,
    /// Any.
    All,
}

/// The members of a JSON object, as they are written; two of one name are an error.
pub(super) struct Members(BTreeMap<String, Box<RawValue>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
                let mut object = BTreeMap::new();
                while let Some((name, value)) = members.next_entry::<String, Box<RawValue>>()? {
                    if object.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("the member `{name}` occurs twice")));
                    }
                    object.insert(name, value);
                }
                Ok(Members(object))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Reads an event of the JSON format, with what is taken for attributes that are left out.
///
/// # Errors
///
/// Every problem that it has.
pub(crate) fn read_event(
    text: &str,
    defaults: &[(&str, String)],
    now: UnixMillis,
) -> Result<Published, Vec<Problem>> {
    match serde_json::from_str(text) {
        Ok(members) => structured(members, defaults, "", Sources::All, now),
        Err(error) => Err(vec![Problem::new("", format!("is not an event in JSON: {error}"))]),
    }
}

/// An event of these attributes, of whichever source.
///
/// # Errors
///
/// Every problem that they have.
pub(crate) fn event_of(attributes: BTreeMap<String, String>, now: UnixMillis) -> Result<Event, Vec<Problem>> {
    checked(attributes, Bytes::new(), "", Sources::All, now).map(|published| published.event)
}

/// Reads an event of the JSON format.
pub(super) fn structured(
    members: Members,
    defaults: &[(&str, String)],
    path: &str,
    sources: Sources,
    now: UnixMillis,
) -> Result<Published, Vec<Problem>> {
    let mut problems = Vec::new();
    let Members(mut members) = members;
    let (data, encoded) = (members.remove("data"), members.remove("data_base64"));
    let mut attributes = BTreeMap::new();
    for (name, raw) in members {
        match serde_json::from_str(raw.get()) {
            Ok(Value::Null) => {}
            Ok(Value::String(text)) => drop(attributes.insert(name, text)),
            Ok(Value::Bool(value)) => drop(attributes.insert(name, value.to_string())),
            Ok(Value::Number(number)) if number.is_i64() => drop(attributes.insert(name, number.to_string())),
            _ => problems
                .push(Problem::new(format!("{path}{name}"), "must be a string, an integer or a boolean")),
        }
    }
    for (name, value) in defaults {
        attributes.entry((*name).to_owned()).or_insert_with(|| value.clone());
    }
    let event = event(attributes, path, sources, now, &mut problems);
    let json = event.datacontenttype.as_deref().is_none_or(is_json);
    let data = match (data, encoded) {
        (Some(_), Some(_)) => {
            problems.push(Problem::new(
                format!("{path}data_base64"),
                "there is `data` as well; give one of them",
            ));
            Bytes::new()
        }
        (Some(raw), None) => match serde_json::from_str(raw.get()) {
            // Of another media type the text is the data, not its JSON form.
            Ok(Value::String(text)) if !json => text.into(),
            _ => raw.get().to_owned().into(),
        },
        (None, Some(raw)) => {
            let text = serde_json::from_str::<String>(raw.get()).ok();
            text.and_then(|text| STANDARD.decode(text).ok()).map_or_else(
                || {
                    problems.push(Problem::new(format!("{path}data_base64"), "is not base64"));
                    Bytes::new()
                },
                Bytes::from,
            )
        }
        (None, None) => Bytes::new(),
    };
    let datacontenttype = event.datacontenttype.clone().or_else(|| {
        // The JSON format's own default (section 3.1.1); without data there is nothing to say the type of.
        (!data.is_empty()).then(|| "application/json".to_owned())
    });
    if problems.is_empty() {
        Ok(Published { event: Event { datacontenttype, ..event }, data })
    } else {
        Err(problems)
    }
}

/// An event with these attributes, `specversion` among them, and this data; `path` stands in front of problems' places.
///
/// # Errors
///
/// Every problem that the attributes have.
pub(crate) fn checked(
    attributes: BTreeMap<String, String>,
    data: Bytes,
    path: &str,
    sources: Sources,
    now: UnixMillis,
) -> Result<Published, Vec<Problem>> {
    let mut problems = Vec::new();
    let event = event(attributes, path, sources, now, &mut problems);
    if problems.is_empty() { Ok(Published { event, data }) } else { Err(problems) }
}

pub(super) fn event(
    mut attributes: BTreeMap<String, String>,
    path: &str,
    sources: Sources,
    now: UnixMillis,
    problems: &mut Vec<Problem>,
) -> Event {
    if sources == Sources::Others
        && let Some(problem) = attributes.get("source").and_then(|source| not_theirs(source, path))
    {
        problems.push(problem);
    }
    let mut problem =
        |name: &str, message: String| problems.push(Problem::new(format!("{path}{name}"), message));
    match attributes.remove("specversion").as_deref() {
        Some("1.0") => {}
        Some(_) => problem("specversion", "is not `1.0`, the version that is understood".into()),
        None => problem("specversion", "missing attribute".into()),
    }
    let mut required = |name: &str| {
        let value = attributes.remove(name);
        match &value {
            None => problem(name, "missing attribute".into()),
            Some(value) => check(name, value, LONGEST_NAME, &mut problem),
        }
        value.unwrap_or_default()
    };
    let (id, source, kind) = (required("id"), required("source"), required("type"));
    let mut optional = |name: &str| {
        let value = attributes.remove(name)?;
        check(name, &value, LONGEST_VALUE, &mut problem);
        Some(value)
    };
    let (subject, time, datacontenttype) =
        (optional("subject"), optional("time"), optional("datacontenttype"));
    let time = time.and_then(|text| {
        let time = UnixMillis::from_rfc3339(&text);
        if time.is_none() {
            problem("time", "is not a time since 1970 such as `2026-01-31T12:00:00Z`".into());
        }
        time
    });
    if attributes.len() > MOST_EXTENSIONS {
        problem(
            "",
            format!("has {} extension attributes; at most {MOST_EXTENSIONS} are taken", attributes.len()),
        );
    }
    for (name, value) in attributes.iter().take(MOST_EXTENSIONS) {
        // Section 3.1 of the specification: lower-case letters and digits, and about 20 of them.
        let named = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !named {
            problem(name, "is no name of an attribute: lower-case letters and digits".into());
        }
        check(name, value, LONGEST_VALUE, &mut problem);
    }
    Event { id, source, kind, subject, time: time.unwrap_or(now), datacontenttype, extensions: attributes }
}

/// What is wrong with a source that only the gateway itself tells of.
fn not_theirs(source: &str, path: &str) -> Option<Problem> {
    let problem =
        |message: &str, hint: String| Some(Problem::new(format!("{path}source"), message).with_hint(hint));
    if topic_of(source).is_some() {
        return problem(
            "is a topic's, which has tokens and limits of its own",
            format!("publish it to the topic: POST {source}"),
        );
    }
    if is_built_in(source) {
        return problem("is the source of what the gateway tells of itself", "name another one".to_owned());
    }
    if is_of_callback(source) {
        // One that has the id of another that comes in there would make that one a repetition.
        return problem("is a callback's, which has an address of its own", "name another one".to_owned());
    }
    None
}

fn check(name: &str, value: &str, longest: usize, problem: &mut impl FnMut(&str, String)) {
    if value.is_empty() {
        problem(name, "must not be empty".into());
    } else if value.len() > longest {
        problem(name, format!("is {} bytes long; at most {longest} are taken", value.len()));
    } else if value.chars().any(char::is_control) {
        problem(name, "has a control character".into());
    }
}

/// Whether data of a media type is JSON (section 3.1 of the JSON format).
fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}
