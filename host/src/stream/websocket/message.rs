//! The JSON messages of a WebSocket.

use crate::delivery::{LeasedMessage, MessageToken, Returned};
use crate::passive::{LEASE, LEASES, returned};
use crate::store::LogId;
use crate::stream::item::{DataStyle, Item};
use crate::stream::position::Position;
use crate::stream::request::Start;
use crate::stream::session::{Refused, Request, Way};
use anglerfish_core::attempt::{CloudEvent, DataForm};
use anglerfish_core::config::{Node, Problems, TOPIC_PREFIX, Table};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Characters of a name that a client gives.
const LONGEST_NAME: usize = 128;
const LONGEST_TOPIC: usize = 200;
const LONGEST_TOKEN: usize = 512;
/// Leases that one message answers for.
const MOST_LEASES: usize = 1000;
const CREDITS: RangeInclusive<u64> = 0..=1_000_000;

/// What a client says.
#[derive(Debug)]
pub(super) enum ClientMessage {
    Subscribe(Box<Subscribe>),
    Unsubscribe { id: String },
    Reserve { id: String, count: u64 },
    Ack { id: String, leases: Vec<String> },
    Nack { id: String, leases: Vec<String>, returned: Returned },
    Extend { id: String, leases: Vec<String>, lease: Duration },
    Publish(Box<Publish>),
    Ping,
}

/// Where a client reads.
#[derive(Debug)]
pub(super) enum Place {
    Subscription(String),
    Topic(String),
}

/// What a client publishes.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) topic: String,
    pub(super) token: Option<String>,
    /// The event in CloudEvents' JSON format, as it was written: its numbers keep all their digits.
    pub(super) event: String,
}

/// The member of a message that is kept as it was written.
#[derive(Deserialize)]
struct Verbatim<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
}

/// What a client wants to be given.
#[derive(Debug)]
pub(super) struct Subscribe {
    /// What it is named by on this connection.
    pub(super) id: String,
    pub(super) from: Place,
    /// The token; without it that of the connection.
    pub(super) token: Option<String>,
    pub(super) request: Request,
    pub(super) style: DataStyle,
    /// How many events it may be given; without it as many as come.
    pub(super) credit: Option<u64>,
}

/// A message that was read, and what its answer is to be recognised by.
pub(super) struct Read {
    pub(super) reference: Option<String>,
    pub(super) message: Result<ClientMessage, Refused>,
}

/// Reads a message.
pub(super) fn read(text: &[u8]) -> Read {
    let value: Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => {
            let message = Err(Refused::new("invalid-message", format!("is no JSON: {error}")));
            return Read { reference: None, message };
        }
    };
    match value.get("ref") {
        None => Read { reference: None, message: message(&value, text) },
        Some(Value::String(reference)) if reference.chars().count() <= LONGEST_NAME => {
            Read { reference: Some(reference.clone()), message: message(&value, text) }
        }
        // Whoever waits for an answer that has it would wait for ever.
        Some(_) => {
            let detail = format!("ref: must be a text of at most {LONGEST_NAME} characters");
            Read { reference: None, message: Err(Refused::new("invalid-message", detail)) }
        }
    }
}

fn message(value: &Value, text: &[u8]) -> Result<ClientMessage, Refused> {
    let problems = Problems::default();
    let node = Node::root(value, "", &problems);
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let read = match kind {
        "subscribe" => {
            let keys = [
                "type",
                "ref",
                "id",
                "subscription",
                "topic",
                "token",
                "after",
                "from",
                "mode",
                "lease",
                "data",
                "credit",
            ];
            node.table(&keys).and_then(|table| subscribe(&table))
        }
        "unsubscribe" => node
            .table(&["type", "ref", "id"])
            .and_then(|table| Some(ClientMessage::Unsubscribe { id: name(&table, "id")? })),
        "reserve" => node.table(&["type", "ref", "id", "count"]).and_then(|table| {
            let count = table.require("count").and_then(|node| node.integer(CREDITS));
            Some(ClientMessage::Reserve { id: name(&table, "id")?, count: count? })
        }),
        "ack" => node.table(&["type", "ref", "id", "leases"]).and_then(|table| {
            let leases = leases(&table);
            Some(ClientMessage::Ack { id: name(&table, "id")?, leases: leases? })
        }),
        "nack" => node.table(&["type", "ref", "id", "leases", "delay", "dead", "reason"]).and_then(|table| {
            let (id, leases) = (name(&table, "id"), leases(&table));
            Some(ClientMessage::Nack { id: id?, leases: leases?, returned: returned(&table) })
        }),
        "extend" => node.table(&["type", "ref", "id", "leases", "lease"]).and_then(|table| {
            let (id, leases) = (name(&table, "id"), leases(&table));
            let lease = table.get("lease").map_or(Some(LEASE), |node| node.duration(LEASES));
            Some(ClientMessage::Extend { id: id?, leases: leases?, lease: lease? })
        }),
        "publish" => node.table(&["type", "ref", "topic", "token", "event"]).and_then(|table| {
            let (topic, token) = (table.require("topic").and_then(|node| topic(&node)), token(&table));
            let _ = table.require("event");
            let event = serde_json::from_slice::<Verbatim<'_>>(text).ok()?.event.get().to_owned();
            Some(ClientMessage::Publish(Box::new(Publish { topic: topic?, token, event })))
        }),
        "ping" => node.table(&["type", "ref"]).map(|_| ClientMessage::Ping),
        _ => {
            let detail = "`type` must be subscribe, unsubscribe, reserve, ack, nack, extend, publish or ping";
            return Err(Refused::new("invalid-message", detail));
        }
    };
    let problems = problems.into_vec();
    read.filter(|_| problems.is_empty()).ok_or_else(|| {
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let detail = match said.is_empty() {
            // What else there is to an event was read from its text.
            true => "event: there is more than one".to_owned(),
            false => said.join("; "),
        };
        Refused::new("invalid-message", detail)
    })
}

fn subscribe(table: &Table<'_>) -> Option<ClientMessage> {
    let from = match table.get("topic") {
        Some(node) => {
            if table.get("subscription").is_some() {
                node.report("there is `subscription` as well; give one of them");
            }
            topic(&node).map(Place::Topic)
        }
        None => name(table, "subscription").map(Place::Subscription),
    };
    let id = match (table.get("id"), &from) {
        (Some(node), _) => node.text_up_to(LONGEST_NAME).map(str::to_owned),
        (None, Some(Place::Subscription(id))) => Some(id.clone()),
        (None, Some(Place::Topic(name))) => Some(format!("{TOPIC_PREFIX}{name}")),
        (None, None) => None,
    };
    let token = token(table);
    let after = table.get("after").and_then(|node| start("after", &node));
    let since = table.get("from").and_then(|node| start("from", &node));
    if let (Some(node), Some(_)) = (table.get("from"), table.get("after")) {
        node.report("`after` says where to begin as well; give one of them");
    }
    let mode = match table.get("mode") {
        Some(node) => match node.string()? {
            "stream" => Some(Way::Stream),
            "passive" => Some(Way::Passive),
            _ => {
                node.report("must be \"stream\" or \"passive\"");
                None
            }
        },
        None => None,
    };
    let lease = table.get("lease").map(|node| node.duration(LEASES));
    let style = table.get("data").map_or(Some(DataStyle::CloudEvent), |node| match node.string()? {
        "cloudevent" => Some(DataStyle::CloudEvent),
        "base64" => Some(DataStyle::Base64),
        _ => {
            node.report("must be \"cloudevent\" or \"base64\"");
            None
        }
    });
    let credit = table.get("credit").map(|node| node.integer(CREDITS));
    Some(ClientMessage::Subscribe(Box::new(Subscribe {
        id: id?,
        from: from?,
        token,
        request: Request {
            start: after.or(since),
            mode,
            lease: match lease {
                Some(lease) => Some(lease?),
                None => None,
            },
        },
        style: style?,
        credit: match credit {
            Some(credit) => Some(credit?),
            None => None,
        },
    })))
}

/// A topic's name, which is not its address.
fn topic(node: &Node<'_>) -> Option<String> {
    let name = node.text_up_to(LONGEST_TOPIC)?;
    if name.starts_with(TOPIC_PREFIX) {
        node.report(format!("must be the name alone, without `{TOPIC_PREFIX}` before it"));
        return None;
    }
    Some(name.to_owned())
}

fn name(table: &Table<'_>, key: &'static str) -> Option<String> {
    table.require(key).and_then(|node| node.text_up_to(LONGEST_TOPIC).map(str::to_owned))
}

/// What is wrong with it is reported, and then nothing is read.
fn token(table: &Table<'_>) -> Option<String> {
    table.get("token").and_then(|node| node.text_up_to(LONGEST_TOKEN).map(str::to_owned))
}

fn start(name: &str, node: &Node<'_>) -> Option<Start> {
    let found = Start::named(name, node.text()?);
    found.inspect_err(|problem| node.report(problem.detail())).ok()
}

fn leases(table: &Table<'_>) -> Option<Vec<String>> {
    let items = table.require("leases").map(|node| {
        let items = node.items_up_to(MOST_LEASES)?;
        Some(items.filter_map(|item| item.text_up_to(LONGEST_NAME).map(str::to_owned)).collect::<Vec<_>>())
    });
    items.flatten()
}

/// The leases that are some; what is none is as stale as one of long ago.
pub(super) fn tokens(leases: &[String]) -> Vec<MessageToken> {
    leases.iter().filter_map(|text| MessageToken::parse(text)).collect()
}

/// An event of the log, for the subscription that the client calls `id`.
pub(super) fn event(id: &str, item: &Item, log: &LogId, style: DataStyle) -> String {
    let position = Position::new(log, item.seq());
    let (id, event) = (json!(id), item.json(style));
    format!("{{\"type\":\"event\",\"id\":{id},\"position\":\"{position}\",\"event\":{event}}}")
}

/// A message that is leased.
pub(super) fn leased(id: &str, message: &LeasedMessage, style: DataStyle) -> String {
    let LeasedMessage { delivery, token, deadline } = message;
    let form = match style {
        DataStyle::CloudEvent | DataStyle::Raw => DataForm::Plain,
        DataStyle::Base64 => DataForm::Base64,
    };
    let event = CloudEvent::new(&delivery.event, &delivery.data, form);
    // Every value of it can be written: its maps have texts for keys.
    let event = serde_json::to_string(&event).unwrap_or_default();
    let (id, deadline, token) = (json!(id), json!(deadline.rfc3339()), json!(token.to_string()));
    let (delivery, attempt) = (delivery.id.0, delivery.attempts.saturating_add(1));
    format!(
        "{{\"type\":\"event\",\"id\":{id},\"lease\":{token},\"deadline\":{deadline},\"delivery\":{delivery},\
         \"attempt\":{attempt},\"event\":{event}}}"
    )
}

/// The answer to a message that was refused, or what went wrong with a subscription.
pub(super) fn error(reference: Option<&str>, id: Option<&str>, refused: &Refused) -> String {
    let mut message = json!({"type": "error", "code": refused.code, "detail": refused.detail});
    if let Some(members) = message.as_object_mut() {
        let named = [("ref", reference), ("id", id), ("oldest", refused.oldest.as_deref())];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            members.insert(name.to_owned(), json!(value));
        }
    }
    message.to_string()
}

/// Any other message, with what its answer is recognised by.
pub(super) fn answer(mut message: Value, reference: Option<&str>) -> String {
    if let (Some(members), Some(reference)) = (message.as_object_mut(), reference) {
        members.insert("ref".to_owned(), json!(reference));
    }
    message.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(text.as_bytes()).message.unwrap_err().detail
    }

    #[test]
    fn what_is_left_out_of_a_subscription_has_the_documented_defaults() {
        let text = r#"{"type":"subscribe","subscription":"feed","ref":"1"}"#;
        let read = read(text.as_bytes());
        assert_eq!(read.reference.as_deref(), Some("1"));
        let Ok(ClientMessage::Subscribe(wanted)) = read.message else { panic!("{:?}", read.message) };
        assert_eq!((wanted.id.as_str(), wanted.token, wanted.credit), ("feed", None, None));
        assert_eq!(wanted.request.lease, None);
        assert!(wanted.request.start.is_none() && wanted.request.mode.is_none());
    }

    #[test]
    fn what_is_wrong_with_a_message_is_said() {
        assert!(refused("{").starts_with("is no JSON"));
        assert!(refused("[]").starts_with("`type` must be"));
        assert!(refused(r#"{"type":"hello"}"#).starts_with("`type` must be"));
        assert!(refused(r#"{"type":"subscribe"}"#).starts_with("subscription: missing key"));
        for (text, expected) in [
            (r#"{"type":"subscribe","subscription":"a","form":"now"}"#, "form: unknown key"),
            (r#"{"type":"subscribe","subscription":"a","after":"7"}"#, "after: "),
            (r#"{"type":"subscribe","subscription":"a","from":"soon"}"#, "from: "),
            (
                r#"{"type":"subscribe","subscription":"a","from":"now","after":"000000010000000000000001"}"#,
                "from: ",
            ),
            (r#"{"type":"subscribe","subscription":"a","mode":"push"}"#, "mode: "),
            (r#"{"type":"subscribe","subscription":"a","lease":"0s"}"#, "lease: "),
            (r#"{"type":"subscribe","subscription":"a","credit":-1}"#, "credit: "),
            (r#"{"type":"nack","id":"a","leases":["x"],"delay":"1s","dead":true}"#, "delay: "),
            (r#"{"type":"ack","id":"a","leases":"x"}"#, "leases: "),
            (r#"{"type":"reserve","id":"a"}"#, "count: missing key"),
            (r#"{"type":"publish","topic":"a"}"#, "event: missing key"),
            (r#"{"type":"subscribe","topic":"a","subscription":"b"}"#, "topic: "),
            (r#"{"type":"ping","ref":1}"#, "ref: "),
            (r#"{"type":"publish","topic":"a","event":{},"event":{}}"#, "event: there is more than one"),
            (r#"{"type":"subscribe","topic":"/topic/a"}"#, "topic: must be the name alone"),
            (r#"{"type":"publish","topic":"/topic/a","event":{}}"#, "topic: must be the name alone"),
            (
                r#"{"type":"subscribe","subscription":"a","credit":18446744073709551616}"#,
                "credit: must be from",
            ),
        ] {
            assert!(refused(text).contains(expected), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn what_is_published_is_kept_as_it_was_written() {
        let text = r#"{"type":"publish","topic":"chat","event":{"data":{"n": 1.00}}}"#;
        let Ok(ClientMessage::Publish(wanted)) = read(text.as_bytes()).message else { panic!("it is read") };
        assert_eq!((&*wanted.topic, &*wanted.event), ("chat", r#"{"data":{"n": 1.00}}"#));
        // What is no event is said where events are read.
        let text = r#"{"type":"publish","topic":"chat","event":null}"#;
        let Ok(ClientMessage::Publish(wanted)) = read(text.as_bytes()).message else { panic!("it is read") };
        assert_eq!(&*wanted.event, "null");
    }

    #[test]
    fn an_error_names_what_it_is_about() {
        let refused = Refused { oldest: Some("1".to_owned()), ..Refused::new("position-expired", "gone") };
        let text = error(Some("r"), Some("feed"), &refused);
        let expected = json!({"type": "error", "code": "position-expired", "detail": "gone", "ref": "r",
            "id": "feed", "oldest": "1"});
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    }
}
