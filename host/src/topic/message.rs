//! What somebody publishes to a topic.

use crate::clock;
use crate::publish::{self, Published};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The type of a message whose sender says none.
const TYPE: &str = "message";

/// A message for a topic.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TopicMessage {
    /// CloudEvents attributes that its sender gives; those that are left out are chosen here.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Its data, byte for byte.
    pub(crate) data: Bytes,
}

impl TopicMessage {
    /// The event of the log that it is.
    ///
    /// # Errors
    ///
    /// Every problem of its attributes.
    pub(super) fn into_event(self, source: &str, now: UnixMillis) -> Result<Published, Vec<Problem>> {
        let Self { mut attributes, data } = self;
        if attributes.get("source").is_some_and(|given| given != source) {
            return Err(vec![Problem::new(
                "source",
                format!("is not {source:?}: what is published to a topic is of it"),
            )]);
        }
        if attributes.contains_key("data") {
            // Section 3.1 of the specification: it would be taken for the data in the JSON format.
            return Err(vec![Problem::new("data", "is no name of an attribute: the data is the body")]);
        }
        for (name, value) in defaults(source, now) {
            attributes.entry(name.to_owned()).or_insert(value);
        }
        let event = publish::event_of(attributes, now)?;
        Ok(Published { event, data })
    }

    /// Reads a message in CloudEvents' JSON format, in which `specversion`, `id`, `source` and `type` may be left out.
    ///
    /// # Errors
    ///
    /// Every problem that it has.
    pub(crate) fn structured(text: &str, source: &str, now: UnixMillis) -> Result<Self, Vec<Problem>> {
        let Published { event, data } = publish::read_event(text, &defaults(source, now), now)?;
        let mut attributes = event.extensions;
        let own = [
            ("id", Some(event.id)),
            ("source", Some(event.source)),
            ("type", Some(event.kind)),
            ("subject", event.subject),
            ("time", event.time.rfc3339()),
            ("datacontenttype", event.datacontenttype),
        ];
        for (name, value) in own.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            attributes.insert(name.to_owned(), value);
        }
        Ok(Self { attributes, data })
    }
}

/// What is taken where a sender says nothing.
fn defaults(source: &str, now: UnixMillis) -> [(&'static str, String); 4] {
    [
        ("specversion", "1.0".to_owned()),
        ("id", clock::request_id(now)),
        ("source", source.to_owned()),
        ("type", TYPE.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn message(attributes: &[(&str, &str)]) -> TopicMessage {
        let attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TopicMessage { attributes, data: Bytes::from_static(b"hello") }
    }

    #[test]
    fn what_its_sender_leaves_out_is_chosen() {
        let Published { event, data } = message(&[]).into_event("/topic/chat", NOW).unwrap();
        assert_eq!((&*event.source, &*event.kind, event.time), ("/topic/chat", "message", NOW));
        assert!(event.id.len() > 20 && data == "hello");
        let given = [("id", "7"), ("type", "joined"), ("datacontenttype", "text/plain"), ("room", "a")];
        let Published { event, .. } = message(&given).into_event("/topic/chat", NOW).unwrap();
        assert_eq!((&*event.id, &*event.kind), ("7", "joined"));
        assert_eq!(event.extensions.get("room").map(String::as_str), Some("a"));
    }

    #[test]
    fn nobody_publishes_in_the_name_of_another_source() {
        let problems = message(&[("source", "shop")]).into_event("/topic/chat", NOW).unwrap_err();
        assert_eq!(problems[0].path, "source");
        assert!(message(&[("source", "/topic/chat")]).into_event("/topic/chat", NOW).is_ok());
        assert!(
            TopicMessage::structured(r#"{"source":"shop"}"#, "/topic/chat", NOW)
                .and_then(|message| message.into_event("/topic/chat", NOW))
                .is_err()
        );
    }

    #[test]
    fn nothing_beside_the_data_is_called_so() {
        let problems = message(&[("data", "7")]).into_event("/topic/chat", NOW).unwrap_err();
        assert_eq!(problems[0].path, "data");
    }

    #[test]
    fn a_message_in_json_keeps_every_digit() {
        let text = r#"{"type":"t","data":{"n":1.00,"big":123456789012345678901234567890}}"#;
        let message = TopicMessage::structured(text, "/topic/a", NOW).unwrap();
        assert_eq!(message.data, r#"{"n":1.00,"big":123456789012345678901234567890}"#);
        let event = message.into_event("/topic/a", NOW).unwrap().event;
        assert_eq!((&*event.kind, event.datacontenttype.as_deref()), ("t", Some("application/json")));
    }
}
