//! MESSAGE frames: an event as headers and a body.

use crate::delivery::LeasedMessage;
use crate::store::LogId;
use crate::stream::item::Item;
use crate::stream::position::Position;
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::stomp::{Command, Frame};
use bytes::Bytes;
use std::collections::BTreeMap;

/// What stands in front of CloudEvents attributes in headers.
const PREFIX: &str = "ce-";

/// Headers that mean something by themselves. No attribute stands under their names.
const OWN: [&str; 13] = [
    "destination",
    "subscription",
    "message-id",
    "ack",
    "receipt",
    "transaction",
    "content-length",
    "content-type",
    "position",
    "attempt",
    "token",
    "passcode",
    "redelivered",
];

/// Those of them that a SEND frame has for itself. The others are said of a message by whoever sends it on.
const OF_SEND: [&str; 7] =
    ["destination", "receipt", "transaction", "content-length", "content-type", "token", "passcode"];

/// Attributes that stand in a message under their prefixed names, and `data`, which is none (CloudEvents 1.0.2, section 3.1).
const PREFIXED: [&str; 8] =
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"];

/// A header that a SEND frame cannot have, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RefusedHeader {
    pub(super) name: String,
    pub(super) why: String,
}

/// How a subscription's messages are named.
pub(super) struct Naming<'a> {
    /// As the client calls the subscription; 1.0 has clients that give no name.
    pub(super) subscription: Option<&'a str>,
    pub(super) destination: &'a str,
    /// What the message is answered for by.
    pub(super) ack: String,
    /// Whether it is answered for at all.
    pub(super) is_acked: bool,
}

/// An event of the log.
pub(super) fn logged(naming: Naming<'_>, item: &Item, log: &LogId) -> Frame {
    let position = Position::new(log, item.seq()).to_string();
    let (event, data) = item.event();
    frame(naming, event, data).with("position", position)
}

/// A message that is leased.
pub(super) fn leased(naming: Naming<'_>, message: &LeasedMessage) -> Frame {
    let delivery = &message.delivery;
    let attempt = delivery.attempts.saturating_add(1);
    let frame = frame(naming, &delivery.event, &delivery.data).with("attempt", attempt.to_string());
    if attempt > 1 { frame.with("redelivered", "true") } else { frame }
}

fn frame(naming: Naming<'_>, event: &Event, data: &Bytes) -> Frame {
    let Naming { subscription, destination, ack, is_acked } = naming;
    let mut frame = Frame::new(Command::Message)
        .with_some("subscription", subscription)
        .with("message-id", &ack)
        .with("destination", destination);
    if is_acked {
        frame = frame.with("ack", ack);
    }
    frame = frame
        .with_some("content-type", event.datacontenttype.as_deref())
        .with("ce-id", &event.id)
        .with("ce-source", &event.source)
        .with("ce-type", &event.kind)
        .with_some("ce-subject", event.subject.as_deref())
        .with_some("ce-time", event.time.rfc3339());
    for (name, value) in &event.extensions {
        let is_own = OWN.contains(&name.as_str());
        frame = frame.with(if is_own { format!("{PREFIX}{name}") } else { name.clone() }, value);
    }
    frame.with_body(data.to_vec())
}

/// The CloudEvents attributes that the headers of a SEND frame say; or the header that cannot be passed on. One that would be left
/// out, or be taken for something else than its sender may mean, is refused.
pub(super) fn attributes(frame: &Frame) -> Result<BTreeMap<String, String>, RefusedHeader> {
    let mut attributes = BTreeMap::new();
    for (header, value) in &frame.headers {
        let refused = |why: String| RefusedHeader { name: header.clone(), why };
        let name = match header.as_str() {
            "content-type" => "datacontenttype",
            own if OF_SEND.contains(&own) => continue,
            "data" => return Err(refused("cannot be passed on: the data is the body".to_owned())),
            own if OWN.contains(&own) || PREFIXED.contains(&own) => {
                let why =
                    format!("is no header of your own: the attribute of this name is \"{PREFIX}{own}\"");
                return Err(refused(why));
            }
            other => other.strip_prefix(PREFIX).unwrap_or(other),
        };
        let is_name = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !is_name {
            let why = "cannot be passed on: names have lower-case letters and digits, up to 64";
            return Err(refused(why.to_owned()));
        }
        // Of several with one name the first counts.
        attributes.entry(name.to_owned()).or_insert_with(|| value.clone());
    }
    Ok(attributes)
}

/// What is wrong with the attributes of a SEND frame, each with the header that says it.
pub(super) fn named(frame: &Frame, problems: &[Problem]) -> String {
    let said = |problem: &Problem| {
        let (name, message) = (problem.path.as_str(), &problem.message);
        let prefixed = format!("{PREFIX}{name}");
        let header = match name {
            "datacontenttype" => "content-type",
            _ if frame.header(&prefixed).is_some() => prefixed.as_str(),
            _ if frame.header(name).is_some() => name,
            _ => return problem.to_string(),
        };
        format!("the header \"{header}\" of a {} frame {message}", frame.command.name())
    };
    problems.iter().map(said).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_with_headers_of_its_own_comes_with_them() {
        let sent = Frame::new(Command::Send)
            .with("destination", "/topic/a")
            .with("receipt", "1")
            .with("content-type", "text/plain")
            .with("ce-type", "joined")
            .with("room", "7")
            .with("room", "8");
        let attributes = attributes(&sent).unwrap();
        let expected = [("datacontenttype", "text/plain"), ("room", "7"), ("type", "joined")];
        assert_eq!(
            attributes,
            BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned())))
        );
        let event = Event {
            id: "1".to_owned(),
            source: "/topic/a".to_owned(),
            kind: "joined".to_owned(),
            extensions: BTreeMap::from([
                ("room".to_owned(), "7".to_owned()),
                ("ack".to_owned(), "x".to_owned()),
            ]),
            ..Event::default()
        };
        let naming = Naming {
            subscription: Some("s"),
            destination: "/topic/a",
            ack: "1-2".to_owned(),
            is_acked: false,
        };
        let frame = frame(naming, &event, &Bytes::from_static(b"hello"));
        let said = ["room", "ce-type", "ce-ack", "subscription", "message-id"].map(|name| frame.header(name));
        assert_eq!(said, [Some("7"), Some("joined"), Some("x"), Some("s"), Some("1-2")]);
        assert_eq!((frame.header("ack"), &*frame.body), (None, &b"hello"[..]));
    }

    #[test]
    fn what_is_wrong_with_an_attribute_names_the_header_that_said_it() {
        let sent = Frame::new(Command::Send).with("foo", "").with("ce-subject", "");
        let problems = ["foo", "subject", "datacontenttype", "id"].map(|name| Problem::new(name, "is wrong"));
        let said = named(&sent, &problems);
        for part in ["\"foo\" of a SEND frame is wrong", "\"ce-subject\"", "\"content-type\"", "id: is wrong"]
        {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_header_that_no_attribute_can_be_is_named() {
        for header in ["reply-to", "ce-", "Room", &"a".repeat(65)] {
            let refused = attributes(&Frame::new(Command::Send).with(header, "x")).unwrap_err();
            assert_eq!(refused.name, header);
        }
    }

    #[test]
    fn a_header_that_is_an_attribute_only_with_its_prefix_or_is_left_out_is_refused() {
        let prefixed = PREFIXED.iter().filter(|name| **name != "data");
        let of_messages = OWN.iter().filter(|name| !OF_SEND.contains(name));
        assert_eq!(of_messages.clone().count(), 6);
        for header in prefixed.chain(of_messages) {
            let refused = attributes(&Frame::new(Command::Send).with(*header, "7")).unwrap_err();
            assert!(
                refused.name == *header && refused.why.contains(&format!("\"ce-{header}\"")),
                "{refused:?}"
            );
        }
        assert!(attributes(&Frame::new(Command::Send).with("data", "7")).is_err());
        let frame = OF_SEND.iter().fold(Frame::new(Command::Send), |frame, name| frame.with(*name, "1"));
        let said = attributes(&frame.with("ce-id", "7").with("ce-ack", "x")).unwrap();
        assert_eq!(said.keys().collect::<Vec<_>>(), ["ack", "datacontenttype", "id"]);
    }
}
