//! An event with its data as one JSON document: in CloudEvents' JSON format ("JSON Event Format for CloudEvents", version
//! 1.0.2), or in the envelope that Standard Webhooks suggests ("Payload structure").

use crate::event::{CONTENT_CODING, Event};
use crate::message::plain as uncoded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Names that extension attributes cannot have: those of the specification's own attributes, and of the data.
const TAKEN: [&str; 9] =
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "data_base64"];

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataForm {
    /// JSON as it is, other text as a string, all else in base64.
    #[default]
    Plain,
    /// Everything in base64, so that also a parser gives every byte back.
    Base64,
}

/// An event in CloudEvents' JSON format, to be serialised.
///
/// No byte of the data is lost. JSON stands in `data` as it came, character by character: numbers keep all their digits.
/// Text of another kind stands there as a string. Whatever is neither, and JSON that not every parser would take, stands
/// in `data_base64`. Of data with a content coding that can be undone, what it says stands there as if it had come without; if
/// it cannot be, it is in `data_base64` as it came, whatever it looks like, and `contentencoding` says so.
#[derive(Debug)]
pub struct CloudEvent<'a> {
    event: &'a Event,
    data: Data<'a>,
}

#[derive(Debug)]
enum Data<'a> {
    None,
    Json(&'a RawValue),
    Text(&'a str),
    Base64(&'a [u8]),
    /// JSON that came packed.
    UnpackedJson(Box<RawValue>),
    /// Text that came packed.
    UnpackedText(String),
    /// Other bytes that came packed.
    UnpackedBytes(Vec<u8>),
    /// What cannot be unpacked, as it came.
    Packed(&'a [u8]),
}

impl<'a> CloudEvent<'a> {
    /// An event and its data.
    #[must_use]
    pub fn new(event: &'a Event, data: &'a [u8], form: DataForm) -> Self {
        Self { event, data: Data::new(event, data, form) }
    }
}

/// The data of an event where it has to be JSON; nothing if it is none.
pub(super) fn json_data(event: &Event, data: &[u8]) -> Option<Vec<u8>> {
    match Data::new(event, data, DataForm::Plain) {
        Data::Json(raw) => Some(raw.get().into()),
        Data::UnpackedJson(raw) => Some(raw.get().into()),
        Data::None
        | Data::Text(_)
        | Data::UnpackedText(_)
        | Data::Base64(_)
        | Data::UnpackedBytes(_)
        | Data::Packed(_) => None,
    }
}

impl<'a> Data<'a> {
    fn new(event: &Event, data: &'a [u8], form: DataForm) -> Self {
        match form {
            _ if data.is_empty() => Self::None,
            DataForm::Base64 => Self::Base64(data),
            DataForm::Plain => {
                let (kind, coding) = (event.datacontenttype.as_deref(), event.extensions.get(CONTENT_CODING));
                match uncoded(data, coding.map(String::as_bytes)) {
                    Ok(Cow::Owned(unpacked)) => unpack(kind, unpacked),
                    Ok(Cow::Borrowed(_)) => plain(kind, data),
                    // It would not be what `contentencoding` says, however much it looks like JSON.
                    Err(_) => Self::Packed(data),
                }
            }
        }
    }

    /// Whether its content coding is undone.
    const fn is_unpacked(&self) -> bool {
        matches!(self, Self::UnpackedJson(_) | Self::UnpackedText(_) | Self::UnpackedBytes(_))
    }

    /// Writes the member that has the data, if there is any.
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Self::None => Ok(()),
            Self::Json(raw) => map.serialize_entry("data", raw),
            Self::UnpackedJson(raw) => map.serialize_entry("data", raw),
            Self::Text(text) => map.serialize_entry("data", text),
            Self::UnpackedText(text) => map.serialize_entry("data", text),
            Self::Base64(bytes) | Self::Packed(bytes) => {
                map.serialize_entry("data_base64", &STANDARD.encode(bytes))
            }
            Self::UnpackedBytes(bytes) => map.serialize_entry("data_base64", &STANDARD.encode(bytes)),
        }
    }
}

fn plain<'a>(kind: Option<&str>, data: &'a [u8]) -> Data<'a> {
    let Ok(text) = std::str::from_utf8(data) else { return Data::Base64(data) };
    // Without a media type the data of this format is JSON (section 3.1.1).
    match kind {
        Some(kind) if !is_json(kind) => match is_text(kind) {
            true => Data::Text(text),
            false => Data::Base64(data),
        },
        _ => json(text).map_or(Data::Base64(data), Data::Json),
    }
}

/// What was packed.
fn unpack<'a>(kind: Option<&str>, unpacked: Vec<u8>) -> Data<'a> {
    match plain(kind, &unpacked) {
        Data::Json(raw) => Data::UnpackedJson(raw.to_owned()),
        Data::Text(text) => Data::UnpackedText(text.to_owned()),
        _ => Data::UnpackedBytes(unpacked),
    }
}

/// JSON that every parser takes: not too deep, no half of a surrogate pair, and nothing around it that would be lost.
fn json(text: &str) -> Option<&RawValue> {
    serde_json::from_str::<Value>(text).ok()?;
    serde_json::from_str::<&RawValue>(text).ok().filter(|raw| raw.get().len() == text.len())
}

/// The media type without its parameters.
fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or(kind).trim()
}

/// As the format's section 3.1 has it: the subtype is `json` or ends in `+json`.
fn is_json(kind: &str) -> bool {
    let Some((_, subtype)) = essence(kind).split_once('/') else { return false };
    let subtype = subtype.to_ascii_lowercase();
    subtype == "json" || subtype.ends_with("+json")
}

/// Text, in a charset of which UTF-8 is one reading. What says another one is not turned into characters.
fn is_text(kind: &str) -> bool {
    let is_utf8 = kind.split(';').skip(1).filter_map(|part| part.split_once('=')).all(|(name, value)| {
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
    });
    let essence = essence(kind).to_ascii_lowercase();
    let named = ["application/x-www-form-urlencoded", "application/xml", "application/javascript"];
    is_utf8 && (essence.starts_with("text/") || essence.ends_with("+xml") || named.contains(&&*essence))
}

impl Serialize for CloudEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, data } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &event.id)?;
        map.serialize_entry("source", &event.source)?;
        map.serialize_entry("type", &event.kind)?;
        if let Some(subject) = &event.subject {
            map.serialize_entry("subject", subject)?;
        }
        if let Some(time) = event.time.rfc3339() {
            map.serialize_entry("time", &time)?;
        }
        if let Some(kind) = &event.datacontenttype {
            map.serialize_entry("datacontenttype", kind)?;
        }
        let is_hidden = |name: &str| TAKEN.contains(&name) || name == CONTENT_CODING && data.is_unpacked();
        for (name, value) in event.extensions.iter().filter(|(name, _)| !is_hidden(name)) {
            map.serialize_entry(name, value)?;
        }
        data.write(&mut map)?;
        map.end()
    }
}

/// An event as Standard Webhooks suggests the body of a webhook, to be serialised: `type`, `timestamp` and `data`, and
/// beside them `id`, `source` and, where there is one, `subject`. The data is written as in [`CloudEvent`], with
/// `contentencoding` beside it where it is still packed; without any, `data` is null.
#[derive(Debug)]
pub struct Envelope<'a> {
    event: &'a Event,
    data: Data<'a>,
}

impl<'a> Envelope<'a> {
    /// An event and its data.
    #[must_use]
    pub fn new(event: &'a Event, data: &'a [u8]) -> Self {
        Self { event, data: Data::new(event, data, DataForm::Plain) }
    }
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, data } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &event.kind)?;
        map.serialize_entry("timestamp", &event.time.rfc3339())?;
        map.serialize_entry("id", &event.id)?;
        map.serialize_entry("source", &event.source)?;
        if let Some(subject) = &event.subject {
            map.serialize_entry("subject", subject)?;
        }
        if let (Data::Packed(_), Some(coding)) = (data, event.extensions.get(CONTENT_CODING)) {
            map.serialize_entry(CONTENT_CODING, coding)?;
        }
        match data {
            Data::None => map.serialize_entry("data", &())?,
            data => data.write(&mut map)?,
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::UnixMillis;
    use proptest::prelude::*;
    use serde_json::json;

    fn event(kind: Option<&str>) -> Event {
        Event {
            id: "evt_1".into(),
            source: "shop".into(),
            kind: "order.paid".into(),
            subject: Some("42".into()),
            time: UnixMillis(1_700_000_000_000),
            datacontenttype: kind.map(str::to_owned),
            extensions: [("traceparent".to_owned(), "00-1".to_owned()), ("data".to_owned(), "x".to_owned())]
                .into(),
        }
    }

    fn text(kind: Option<&str>, data: &[u8], form: DataForm) -> String {
        serde_json::to_string(&CloudEvent::new(&event(kind), data, form)).unwrap()
    }

    #[test]
    fn attributes_stand_under_their_names_and_an_extension_never_takes_the_place_of_the_data() {
        let shown: Value =
            serde_json::from_str(&text(Some("application/json"), b"{\"a\":1}", DataForm::Plain)).unwrap();
        assert_eq!(
            shown,
            json!({
                "specversion": "1.0", "id": "evt_1", "source": "shop", "type": "order.paid", "subject": "42",
                "time": "2023-11-14T22:13:20Z", "datacontenttype": "application/json", "traceparent": "00-1",
                "data": {"a": 1}
            })
        );
    }

    #[test]
    fn json_stands_there_as_it_came() {
        let data = "{ \"n\": 12345678901234567890123.10, \"a\":\t1, \"a\": 2 }";
        for kind in [Some("application/json; charset=utf-8"), Some("application/problem+JSON"), None] {
            assert!(
                text(kind, data.as_bytes(), DataForm::Plain).contains(&format!("\"data\":{data}")),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn what_a_parser_would_change_or_refuse_is_in_base64() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for data in ["{\"a\":1}\n", " 1", "{", "\"\\ud800\"", "1e999", &deep, "\u{feff}{}"] {
            let shown = text(Some("application/json"), data.as_bytes(), DataForm::Plain);
            assert!(shown.contains(&format!("\"data_base64\":\"{}\"", STANDARD.encode(data))), "{shown}");
        }
    }

    #[test]
    fn text_is_a_string_and_other_bytes_are_base64() {
        for (kind, data, member) in [
            ("text/plain", &b"a\"b"[..], "\"data\":\"a\\\"b\""),
            ("application/x-www-form-urlencoded", b"a=b", "\"data\":\"a=b\""),
            ("text/xml; charset=ISO-8859-1", b"<a/>", "\"data_base64\":\"PGEvPg==\""),
            ("text/plain", b"\xff", "\"data_base64\":\"/w==\""),
            ("application/octet-stream", b"abc", "\"data_base64\":\"YWJj\""),
        ] {
            let shown = text(Some(kind), data, DataForm::Plain);
            assert!(shown.contains(member), "{shown}");
        }
        assert!(text(Some("application/json"), b"{}", DataForm::Base64).contains("\"data_base64\":\"e30=\""));
        let without = text(Some("application/json"), b"", DataForm::Plain);
        assert!(!without.contains("\"data\"") && !without.contains("\"data_base64\""), "{without}");
    }

    #[test]
    fn what_came_packed_stands_there_unpacked_if_that_can_be_and_as_it_came_otherwise() {
        let packed = |coding: &str, kind: &str, data: &[u8]| {
            let mut event = event(Some(kind));
            event.extensions.insert(CONTENT_CODING.to_owned(), coding.to_owned());
            let of = |form| serde_json::to_value(CloudEvent::new(&event, data, form)).unwrap();
            (
                of(DataForm::Plain),
                of(DataForm::Base64),
                serde_json::to_value(Envelope::new(&event, data)).unwrap(),
            )
        };
        let zlib = |text: &[u8]| miniz_oxide::deflate::compress_to_vec_zlib(text, 6);
        let json = zlib(b"{\"n\":1}");
        let (plain, coded, envelope) = packed("deflate", "application/json", &json);
        assert_eq!((&plain["data"], &plain.get("contentencoding")), (&json!({"n": 1}), &None));
        assert_eq!(envelope["data"], json!({"n": 1}));
        assert_eq!(
            (&coded["data_base64"], &coded["contentencoding"]),
            (&json!(STANDARD.encode(&json)), &json!("deflate"))
        );
        let (plain, ..) = packed("deflate", "text/plain", &zlib(b"a"));
        assert_eq!((&plain["data"], &plain.get("contentencoding")), (&json!("a"), &None));
        let (plain, _, envelope) = packed("deflate", "image/png", &zlib(b"a"));
        assert_eq!((&plain["data_base64"], &plain.get("contentencoding")), (&json!("YQ=="), &None));
        assert_eq!((&envelope["data_base64"], &envelope.get("contentencoding")), (&json!("YQ=="), &None));
        for (coding, kind, data) in [
            ("deflate", "application/json", json[..4].to_vec()),
            ("gzip", "application/json", b"{\"n\":1}".to_vec()),
            ("gzip", "text/plain", b"hello".to_vec()),
            ("br", "text/x", b"hello".to_vec()),
        ] {
            let (plain, _, envelope) = packed(coding, kind, &data);
            for document in [plain, envelope] {
                assert_eq!(
                    (&document["data_base64"], &document["contentencoding"], &document.get("data")),
                    (&json!(STANDARD.encode(&data)), &json!(coding), &None)
                );
            }
        }
        let (plain, ..) = packed("identity", "application/json", b"{}");
        assert_eq!((&plain["data"], &plain["contentencoding"]), (&json!({}), &json!("identity")));
    }

    #[test]
    fn an_envelope_has_the_type_the_time_and_the_data() {
        let text = |kind: Option<&str>, data: &[u8]| {
            serde_json::to_string(&Envelope::new(&event(kind), data)).unwrap()
        };
        let head = r#""type":"order.paid","timestamp":"2023-11-14T22:13:20Z","id":"evt_1","source":"shop","subject":"42""#;
        assert_eq!(
            text(Some("application/json"), b"{\"n\": 1.50}"),
            format!("{{{head},\"data\":{{\"n\": 1.50}}}}")
        );
        assert_eq!(text(Some("text/plain"), b"a"), format!("{{{head},\"data\":\"a\"}}"));
        assert_eq!(text(Some("image/png"), b"a"), format!("{{{head},\"data_base64\":\"YQ==\"}}"));
        assert_eq!(text(None, b""), format!("{{{head},\"data\":null}}"));
    }

    /// Any bytes, any text, and what is JSON or nearly so.
    fn data() -> impl Strategy<Value = Vec<u8>> {
        let json = r#"[ \n]?(\{"a":( ?-?[0-9]{1,25}(\.[0-9]{1,9})?)(, ?"a":null)?\}|\["[a-z\\"u0d8é]{0,6}"\]|true)[ \n]?"#;
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 1..40),
            "\\PC{1,40}".prop_map(String::into_bytes),
            json.prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_whatever_it_is(
            data in data(),
            kind in proptest::option::of("(application/json|text/plain|application/xml|a/b)(; charset=[a-z0-9-]{1,8})?"),
        ) {
            let shown = text(kind.as_deref(), &data, DataForm::Plain);
            #[derive(Deserialize)]
            struct Shown<'a> {
                #[serde(borrow)]
                data: Option<&'a RawValue>,
                data_base64: Option<String>,
                datacontenttype: Option<String>,
            }
            let shown: Shown<'_> = serde_json::from_str(&shown).unwrap();
            let back = match (shown.data, shown.data_base64) {
                (None, Some(coded)) => STANDARD.decode(coded).unwrap(),
                (Some(raw), None) if shown.datacontenttype.as_deref().is_none_or(is_json) => raw.get().as_bytes().to_vec(),
                (Some(raw), None) => serde_json::from_str::<String>(raw.get()).unwrap().into_bytes(),
                both => panic!("{both:?}"),
            };
            prop_assert_eq!(back, data);
        }
    }
}
