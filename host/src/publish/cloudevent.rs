//! From an HTTP request to events: CloudEvents 1.0 in binary, structured and batched mode.
//!
//! Sources: "HTTP Protocol Binding for CloudEvents" and "JSON Event Format for CloudEvents", version 1.0.2.

use anglerfish_core::callback::is_of_callback;
use anglerfish_core::config::{is_built_in, topic_of};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode;
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
/// How many events one batch can have.
const MOST_EVENTS: usize = 100;
/// What stands in front of attributes in header fields.
const PREFIX: &str = "ce-";

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

/// What a request holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// One event, in binary or structured mode.
    One(Box<Published>),
    /// Several, in batched mode.
    Batch(Vec<Published>),
}

/// Why a request holds no events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It says of itself that it is something else.
    Kind,
    /// It is no JSON.
    Syntax(String),
    /// Its events have these problems.
    Invalid(Vec<Problem>),
}

/// Reads a request that came in at `now`, which is the time of events that do not say theirs.
pub(crate) fn read(
    headers: &HeaderMap,
    body: &Bytes,
    sources: Sources,
    now: UnixMillis,
) -> Result<Message, Unreadable> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/cloudevents+json" => {
            let members = serde_json::from_slice(body).map_err(syntax)?;
            structured(members, &[], "", sources, now)
                .map(|event| Message::One(Box::new(event)))
                .map_err(Unreadable::Invalid)
        }
        "application/cloudevents-batch+json" => batch(body, sources, now),
        other if other.starts_with("application/cloudevents") => Err(Unreadable::Kind),
        _ if headers.contains_key("ce-specversion") => binary(headers, kind, body, sources, now)
            .map(|event| Message::One(Box::new(event)))
            .map_err(Unreadable::Invalid),
        _ => Err(Unreadable::Kind),
    }
}

fn syntax(error: serde_json::Error) -> Unreadable {
    Unreadable::Syntax(error.to_string())
}

fn batch(body: &Bytes, sources: Sources, now: UnixMillis) -> Result<Message, Unreadable> {
    let items: Vec<Members> = serde_json::from_slice(body).map_err(syntax)?;
    if items.len() > MOST_EVENTS {
        let message = format!("has {} events; at most {MOST_EVENTS} are taken", items.len());
        return Err(Unreadable::Invalid(vec![Problem::new("", message)]));
    }
    let (mut events, mut problems) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, members) in items.into_iter().enumerate() {
        match structured(members, &[], &format!("[{index}]."), sources, now) {
            Ok(event) => events.push(event),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(Message::Batch(events)) } else { Err(Unreadable::Invalid(problems)) }
}

/// The members of a JSON object, as they are written; two of one name are an error.
struct Members(BTreeMap<String, Box<RawValue>>);

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
fn structured(
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

/// Reads an event whose attributes are header fields.
fn binary(
    headers: &HeaderMap,
    kind: &str,
    body: &Bytes,
    sources: Sources,
    now: UnixMillis,
) -> Result<Published, Vec<Problem>> {
    let (mut problems, mut attributes) = (Vec::new(), BTreeMap::new());
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        // Section 3.1.3.2: a value may be quoted, and is percent-encoded.
        let text = value.as_bytes().trim_ascii();
        let text = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(text);
        match percent_decode(text).decode_utf8() {
            Ok(text) => {
                if attributes.insert(attribute.to_owned(), text.into_owned()).is_some() {
                    problems.push(Problem::new(attribute, "occurs twice"));
                }
            }
            Err(_) => problems.push(Problem::new(attribute, "is not UTF-8")),
        }
    }
    if attributes.remove("datacontenttype").is_some() {
        problems.push(Problem::new("datacontenttype", "is the `content-type` header field in binary mode"));
    }
    if !kind.is_empty() {
        attributes.insert("datacontenttype".to_owned(), kind.to_owned());
    }
    let event = event(attributes, "", sources, now, &mut problems);
    if problems.is_empty() { Ok(Published { event, data: body.clone() }) } else { Err(problems) }
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

fn event(
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

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn read_as(headers: &[(&str, &str)], body: &str) -> Result<Message, Unreadable> {
        let field = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        };
        let headers: HeaderMap = headers.iter().map(field).collect();
        read(&headers, &Bytes::from(body.to_owned()), Sources::Others, NOW)
    }

    fn one(headers: &[(&str, &str)], body: &str) -> Published {
        match read_as(headers, body).unwrap() {
            Message::One(event) => *event,
            Message::Batch(_) => panic!("a batch"),
        }
    }

    fn paths(result: Result<Message, Unreadable>) -> Vec<String> {
        let Err(Unreadable::Invalid(problems)) = result else { panic!("{result:?}") };
        problems.into_iter().map(|problem| problem.path).collect()
    }

    const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json; charset=utf-8");
    const BATCH: (&str, &str) = ("content-type", "application/cloudevents-batch+json");

    #[test]
    fn the_same_event_in_every_mode() {
        let structured = one(
            &[STRUCTURED],
            r#"{"specversion":"1.0","id":"e1","source":"/orders","type":"order.created","subject":"Euro €",
                "time":"2023-11-14T22:13:20Z","datacontenttype":"application/json","retries":3,"data":{"n": 1}}"#,
        );
        let binary = one(
            &[
                ("ce-specversion", "1.0"),
                ("ce-id", "e1"),
                ("ce-source", "/orders"),
                ("ce-type", "order.created"),
                ("ce-subject", "Euro%20%E2%82%AC"),
                ("ce-time", "2023-11-14T22:13:20Z"),
                ("ce-retries", "3"),
                ("content-type", "application/json"),
            ],
            r#"{"n": 1}"#,
        );
        assert_eq!(structured, binary);
        assert_eq!(structured.event.extensions, BTreeMap::from([("retries".to_owned(), "3".to_owned())]));
        assert_eq!(structured.data, r#"{"n": 1}"#, "byte for byte");
        let text = r#"[{"specversion":"1.0","id":"a","source":"s","type":"t"},
            {"specversion":"1.0","id":"b","source":"s","type":"t"}]"#;
        let Message::Batch(events) = read_as(&[BATCH], text).unwrap() else { panic!("no batch") };
        assert_eq!(events.iter().map(|one| one.event.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((events[0].event.time, events[0].event.datacontenttype.as_deref()), (NOW, None));
    }

    #[test]
    fn data_is_what_its_media_type_says() {
        let data = |members: &str| {
            let event = one(
                &[STRUCTURED],
                &format!(r#"{{"specversion":"1.0","id":"e","source":"s","type":"t",{members}}}"#),
            );
            (event.event.datacontenttype, event.data)
        };
        let kind = |kind: &str| Some(kind.to_owned());
        assert_eq!(data(r#""data":"x""#), (kind("application/json"), Bytes::from("\"x\"")));
        assert_eq!(data(r#""data":null"#), (kind("application/json"), Bytes::from("null")));
        assert_eq!(
            data(r#""datacontenttype":"text/xml","data":"<a/>""#),
            (kind("text/xml"), Bytes::from("<a/>"))
        );
        assert_eq!(
            data(r#""datacontenttype":"image/png","data_base64":"/w==""#),
            (kind("image/png"), Bytes::from(&b"\xff"[..]))
        );
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        assert_eq!(paths(read_as(&[STRUCTURED], "{}")), ["specversion", "id", "source", "type"]);
        let wrong = r#"[{"specversion":"1.0","id":"","source":"s","type":"t","time":"now","Ext":"x","list":[1]},
            {"specversion":"0.3","id":"a","source":"s","type":"t","data":1,"data_base64":"!"}]"#;
        let found = paths(read_as(&[BATCH], wrong));
        assert_eq!(
            found,
            ["[0].list", "[0].id", "[0].time", "[0].Ext", "[1].specversion", "[1].data_base64"]
        );
        let long = format!(r#"{{"specversion":"1.0","id":"{}","source":"s","type":"t"}}"#, "x".repeat(257));
        assert_eq!(paths(read_as(&[STRUCTURED], &long)), ["id"]);
        assert_eq!(
            paths(read_as(&[("ce-specversion", "1.0"), ("ce-id", "%ff")], "")),
            ["id", "id", "source", "type"]
        );
    }

    #[test]
    fn nobody_tells_in_the_name_of_the_gateway_or_past_a_topic() {
        for source in ["anglerfish", "anglerfish.documents", "/topic/chat", "callback/orders/eu"] {
            let text = format!(r#"{{"specversion":"1.0","id":"e","source":"{source}","type":"t"}}"#);
            assert_eq!(paths(read_as(&[STRUCTURED], &text)), ["source"], "{source}");
            assert_eq!(paths(read_as(&[BATCH], &format!("[{text}]"))), ["[0].source"], "{source}");
            let fields = [("ce-specversion", "1.0"), ("ce-id", "e"), ("ce-source", source), ("ce-type", "t")];
            assert_eq!(paths(read_as(&fields, "")), ["source"], "{source}");
            // A message of a topic is read by the same rules, and an event that is only tried.
            assert!(read_event(&text, &[], NOW).is_ok(), "{source}");
        }
        for source in ["Anglerfish", "anglerfish2", "/topic/", "/topics/chat", "callback", "/callback/a"] {
            let text = format!(r#"{{"specversion":"1.0","id":"e","source":"{source}","type":"t"}}"#);
            assert!(read_as(&[STRUCTURED], &text).is_ok(), "{source}");
        }
    }

    #[test]
    fn what_is_no_event_says_so() {
        for headers in [
            &[][..],
            &[("content-type", "application/json")],
            &[("content-type", "application/cloudevents+avro")],
        ] {
            assert_eq!(read_as(headers, "{}"), Err(Unreadable::Kind), "{headers:?}");
        }
        for body in ["", "{", "[]", r#"{"id":"a","id":"b"}"#] {
            assert!(matches!(read_as(&[STRUCTURED], body), Err(Unreadable::Syntax(_))), "{body}");
        }
    }
}
