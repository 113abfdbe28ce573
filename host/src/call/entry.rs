//! The log entries that tell of calls.

use crate::store::{CallAnswer, Cause, NewEvent, Origin, StoredCall};
use anglerfish_core::call::{CallRecord, CallState, Happened};
use anglerfish_core::config::OPERATIONAL_SOURCE;
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Puts a body into a document: as text where it is text, else as base64.
fn put_body(members: &mut Map<String, Value>, body: &Bytes) {
    match std::str::from_utf8(body) {
        Ok(text) => members.insert("body".to_owned(), Value::from(text)),
        Err(_) => members.insert("body_base64".to_owned(), Value::from(STANDARD.encode(body))),
    };
}

/// The entry of a record, which is one of the last of this request, and after which it stands so.
pub(super) fn of_record(call: &StoredCall, index: usize, record: &CallRecord, state: CallState) -> NewEvent {
    let (head, happened) = (&call.head, &record.happened);
    let mut data = Map::new();
    data.insert("id".to_owned(), Value::from(head.id.as_str()));
    data.insert("api".to_owned(), Value::from(head.api.as_str()));
    data.insert("external_uuid".to_owned(), Value::from(head.key.as_str()));
    if let Some(attempt) = happened.attempt() {
        data.insert("attempt".to_owned(), Value::from(attempt));
    }
    let time = |millis: u64| json!(UnixMillis(millis).rfc3339());
    match happened {
        Happened::Request { attempts } => {
            data.insert("attempts".to_owned(), Value::from(*attempts));
            data.insert("method".to_owned(), json!(head.request.method()));
            let place = if head.request.url().is_some() { "url" } else { "path" };
            data.insert(place.to_owned(), Value::from(head.request.path.as_str()));
            put_headers(&mut data, &head.request.headers);
            put_body(&mut data, &call.body);
        }
        Happened::Attempt { deadline, .. } => {
            data.insert("deadline".to_owned(), time(*deadline));
        }
        Happened::Response { status, .. } => {
            data.insert("status".to_owned(), Value::from(*status));
            put_answer(&mut data, call.answer.as_ref());
        }
        Happened::Failure { status, reason, next, .. } => {
            data.insert("reason".to_owned(), Value::from(reason.as_str()));
            data.insert("next".to_owned(), next.map_or(Value::Null, time));
            if let Some(status) = status {
                data.insert("status".to_owned(), Value::from(*status));
                put_answer(&mut data, call.answer.as_ref());
            }
        }
        Happened::Timeout { next, awaited, .. } => {
            data.insert("next".to_owned(), next.map_or(Value::Null, time));
            data.extend(awaited.map(|until| ("awaited".to_owned(), time(until))));
        }
        Happened::Cancelled { reason } => {
            data.insert("reason".to_owned(), Value::from(reason.as_str()));
        }
        Happened::Reopened { attempts } => {
            data.insert("attempts".to_owned(), Value::from(*attempts));
        }
    }
    // The first is named like the request, the others by their place behind it: there is one of each.
    let id = if index == 0 { head.id.clone() } else { format!("{}.{index}", head.id) };
    let mut extensions = vec![
        ("class".to_owned(), happened.class().0.to_owned()),
        ("call".to_owned(), head.id.clone()),
        ("callstate".to_owned(), state.word().to_owned()),
    ];
    extensions.extend(happened.attempt().map(|attempt| ("attempt".to_owned(), attempt.to_string())));
    let event = Event {
        id,
        kind: format!("anglerfish.call.{}", happened.word()),
        subject: Some(head.api.clone()),
        extensions: extensions.into_iter().collect(),
        ..own(UnixMillis(record.at))
    };
    // A request that is written with its first attempt has no position yet.
    let request = if head.revision == 0 { Cause::First } else { Cause::Entry(head.seq) };
    let cause = (index > 0).then_some(request);
    let data = Bytes::from(Value::Object(data).to_string());
    NewEvent { origin: Origin::Call, cause, ..NewEvent::new(event, data, UnixMillis(record.at)) }
}

/// The entry that tells of an API's policy.
pub(super) fn of_policy(
    api: &str,
    policy: &Value,
    (retries, timeout): (u32, f64),
    id: String,
    now: UnixMillis,
) -> NewEvent {
    let data = json!({"api": api, "retries": retries, "timeout": timeout, "policy": policy});
    let event = Event {
        id,
        kind: "anglerfish.call.configuration".to_owned(),
        subject: Some(api.to_owned()),
        extensions: [("class".to_owned(), "configuration".to_owned())].into(),
        ..own(now)
    };
    NewEvent { origin: Origin::Call, ..NewEvent::new(event, Bytes::from(data.to_string()), now) }
}

fn own(time: UnixMillis) -> Event {
    Event {
        source: OPERATIONAL_SOURCE.to_owned(),
        time,
        datacontenttype: Some("application/json".to_owned()),
        ..Event::default()
    }
}

fn put_answer(data: &mut Map<String, Value>, answer: Option<&CallAnswer>) {
    if let Some(answer) = answer {
        put_headers(data, &answer.headers);
        put_body(data, &answer.body);
    }
}

/// Fields of one name are one member, as they may be sent (RFC 9110, section 5.3).
fn put_headers(data: &mut Map<String, Value>, headers: &[(String, String)]) {
    let mut members = Map::new();
    for (name, value) in headers {
        match members.get_mut(name) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(value);
            }
            _ => {
                members.insert(name.clone(), Value::from(value.as_str()));
            }
        }
    }
    data.insert("headers".to_owned(), Value::Object(members));
}
