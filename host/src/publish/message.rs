//! From an HTTP request to events: CloudEvents 1.0 in binary, structured and batched mode.
//!
//! Sources: "HTTP Protocol Binding for CloudEvents" and "JSON Event Format for CloudEvents", version 1.0.2.

use super::cloudevent::{Members, Published, Sources, event, structured};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode;
use std::collections::BTreeMap;

/// How many events one batch can have.
const MOST_EVENTS: usize = 100;
/// What stands in front of attributes in header fields.
const PREFIX: &str = "ce-";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::read_event;
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
