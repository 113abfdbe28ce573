//! From a verified request to an event, and whether it was accepted before.

use crate::decision::{Rejection, RejectionCode};
use crate::event::{CONTENT_CODING, Event};
use crate::request::{Request, UnixMillis};
use crate::state::{Keys, key};
use crate::verify::{Repetition, Verified};
use std::collections::BTreeMap;

/// The longest id or type, in bytes: with a name before it, it still fits the keys and header fields it goes into.
const LONGEST_NAME: usize = 256;

/// The longest subject, in bytes.
const LONGEST_SUBJECT: usize = 1024;

/// The longest content coding, in bytes: the names are short.
const LONGEST_CODING: usize = 64;

/// The media type of what a GET says.
const FORM: &str = "application/x-www-form-urlencoded";

/// Makes the event of a verified request: its provider's attributes where there are any, else the id that the shell gave
/// the request, the source's name as the type, the time of receipt as the time. `methods` are those of events.
pub(super) fn event(
    request: &Request<'_>,
    verified: &Verified,
    methods: &[String],
) -> Result<Event, Rejection> {
    // A handshake may come with another method.
    if !methods.iter().any(|method| method == request.method) {
        let reason = format!("events are sent with {}, not {}", methods.join(" or "), request.method);
        return Err(Rejection { status: 405, code: RejectionCode::MethodNotAllowed, reason });
    }
    let attributes = &verified.attributes;
    let event = Event {
        id: attributes.id.clone().unwrap_or_else(|| request.id.to_owned()),
        source: request.source.to_owned(),
        kind: attributes.kind.clone().unwrap_or_else(|| request.source.to_owned()),
        subject: attributes.subject.clone(),
        time: attributes.time.unwrap_or(request.received),
        extensions: coding(request),
        datacontenttype: if request.is_query() { Some(FORM.to_owned()) } else { content_type(request)? },
    };
    check("id", &event.id, LONGEST_NAME)?;
    check("type", &event.kind, LONGEST_NAME)?;
    if let Some(subject) = &event.subject {
        check("subject", subject, LONGEST_SUBJECT)?;
    }
    Ok(event)
}

/// What the state says about a request.
pub(super) enum Remembered {
    /// It is new, and is remembered from now on. Its event has this id: the provider's, or the request's if another event
    /// has that already.
    New(String),
    /// It repeats the event of this id.
    Repetition(String),
}

/// Looks a request up and remembers it if it is new.
pub(super) fn remember(
    request: &Request<'_>,
    event: &Event,
    verified: &Verified,
    keys: &mut dyn Keys,
) -> Result<Remembered, String> {
    let id_key = verified.attributes.id.as_ref().map(|id| key("event", request.source, id));
    let known = match &id_key {
        Some(id_key) => Memory::read(keys, id_key)?,
        None => None,
    };
    let (told, within) = match &verified.identity.repetition {
        Repetition::Id { within } => (known.clone(), *within),
        Repetition::Named { key: name, within } => {
            (Memory::read(keys, &key("same", request.source, name))?, *within)
        }
        Repetition::Never(_) => (None, None),
    };
    if let Some(first) = told.filter(|first| first.is_within(within, request.received)) {
        return Ok(Remembered::Repetition(first.id.unwrap_or_else(|| event.id.clone())));
    }
    let once: Vec<String> =
        verified.replay_keys.iter().map(|name| key("replay", request.source, name)).collect();
    for once in &once {
        // Whoever sends it has seen it; a provider that repeats itself wants to read that it arrived.
        if let Some(first) = Memory::read(keys, once)? {
            return Ok(Remembered::Repetition(first.id.unwrap_or_else(|| event.id.clone())));
        }
    }
    let id = if known.is_some() { request.id.to_owned() } else { event.id.clone() };
    let value = format!("{} {id}", request.received.0);
    let named = match &verified.identity.repetition {
        Repetition::Named { key: name, .. } => Some(key("same", request.source, name)),
        _ => None,
    };
    for key in id_key.iter().chain(&named).chain(&once) {
        keys.set(key, value.as_bytes())?;
    }
    Ok(Remembered::New(id))
}

/// What is kept under a key: when it was first seen, and the event that came of it.
#[derive(Clone)]
struct Memory {
    first: UnixMillis,
    id: Option<String>,
}

impl Memory {
    fn read(keys: &mut dyn Keys, key: &str) -> Result<Option<Self>, String> {
        let Some(value) = keys.get(key)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&value);
        let (first, id) = match text.split_once(' ') {
            Some((first, id)) => (first, Some(id.to_owned())),
            None => (text.as_ref(), None),
        };
        // What cannot be read was written by somebody: it counts as seen at all times.
        Ok(Some(Self { first: UnixMillis(first.parse().unwrap_or(u64::MAX)), id }))
    }

    fn is_within(&self, seconds: Option<u64>, now: UnixMillis) -> bool {
        let age = now.0.saturating_sub(self.first.0);
        seconds.is_none_or(|seconds| age <= seconds.saturating_mul(1000))
    }
}

/// The content coding of the data, which is handed on as it came: whoever reads it must know.
fn coding(request: &Request<'_>) -> BTreeMap<String, String> {
    let value = request.header_values("content-encoding").next().filter(|_| !request.is_query());
    let text = value.and_then(|value| std::str::from_utf8(value).ok()).map(str::trim);
    let coding = text.filter(|text| {
        (1..=LONGEST_CODING).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-,. ".contains(&byte))
            && !text.eq_ignore_ascii_case("identity")
    });
    coding.map(|coding| (CONTENT_CODING.to_owned(), coding.to_owned())).into_iter().collect()
}

fn content_type(request: &Request<'_>) -> Result<Option<String>, Rejection> {
    let Some(value) = request.header_values("content-type").next() else { return Ok(None) };
    match std::str::from_utf8(value) {
        Ok(text) if text.len() <= LONGEST_SUBJECT => Ok(Some(text.to_owned())),
        Ok(_) => Err(invalid(format!("the content type is longer than {LONGEST_SUBJECT} bytes"))),
        Err(_) => Err(invalid("the content type is not UTF-8".to_owned())),
    }
}

fn check(name: &str, value: &str, longest: usize) -> Result<(), Rejection> {
    if value.is_empty() {
        return Err(invalid(format!("the event's {name} is empty")));
    }
    if value.len() > longest {
        let length = value.len();
        return Err(invalid(format!(
            "the event's {name} is {length} bytes long; at most {longest} are taken"
        )));
    }
    if value.chars().any(char::is_control) {
        return Err(invalid(format!("the event's {name} holds control characters")));
    }
    Ok(())
}

fn invalid(reason: String) -> Rejection {
    Rejection { status: 400, code: RejectionCode::InvalidRequest, reason }
}
