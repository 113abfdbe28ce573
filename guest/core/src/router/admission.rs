//! From a verified request to an event, and whether it was accepted before.

use crate::decision::{Rejection, RejectionCode};
use crate::event::{CONTENT_CODING, Event};
use crate::request::{Request, UnixMillis};
use crate::state::{Keys, key};
use crate::verify::{Attributes, Identity, Repetition, Verified, part_id};
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
    attributes: &Attributes,
    methods: &[String],
) -> Result<Event, Rejection> {
    method(request, methods)?;
    let media_type = if request.is_query() { Some(FORM.to_owned()) } else { content_type(request)? };
    make(request, attributes, || request.id.to_owned(), coding(request), media_type)
}

/// Whether a request's method is one of events. A handshake may come with another one.
pub(super) fn method(request: &Request<'_>, methods: &[String]) -> Result<(), Rejection> {
    if methods.iter().any(|method| method == request.method) {
        return Ok(());
    }
    Err(Rejection::of_method(request.method, methods))
}

/// Makes the event of one part of a request. Its coding is undone.
pub(super) fn part(
    request: &Request<'_>,
    attributes: &Attributes,
    position: usize,
    media_type: Option<String>,
) -> Result<Event, Rejection> {
    make(request, attributes, || own_id(request, position), BTreeMap::new(), media_type)
}

/// The id of a part that has none of its own.
pub(super) fn own_id(request: &Request<'_>, position: usize) -> String {
    part_id(request.id, position)
}

fn make(
    request: &Request<'_>,
    attributes: &Attributes,
    own_id: impl FnOnce() -> String,
    extensions: BTreeMap<String, String>,
    datacontenttype: Option<String>,
) -> Result<Event, Rejection> {
    let event = Event {
        id: attributes.id.clone().unwrap_or_else(own_id),
        source: request.source.to_owned(),
        kind: attributes.kind.clone().unwrap_or_else(|| request.source.to_owned()),
        subject: attributes.subject.clone(),
        time: attributes.time.unwrap_or(request.received),
        extensions,
        datacontenttype,
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
    let id = verified.attributes.id.as_deref();
    let found = seen(request, &event.id, id, &verified.identity, keys)?;
    let found = match found {
        Ok(seen) => seen,
        Err(id) => return Ok(Remembered::Repetition(id)),
    };
    if let Some(first) = replayed(request, &verified.replay_keys, keys)? {
        return Ok(Remembered::Repetition(first.unwrap_or_else(|| event.id.clone())));
    }
    let id = if found.taken { request.id.to_owned() } else { event.id.clone() };
    found.remember(request.received, &id, keys)?;
    remember_replays(request, &verified.replay_keys, &id, keys)?;
    Ok(Remembered::New(id))
}

/// Looks one part of a request up and remembers it if it is new; if its id is taken, it gets its `own`. What the request as a
/// whole must not do twice is told by [`replayed`].
pub(super) fn recognise(
    request: &Request<'_>,
    event: &str,
    id: Option<&str>,
    own: &str,
    identity: &Identity,
    keys: &mut dyn Keys,
) -> Result<Remembered, String> {
    match seen(request, event, id, identity, keys)? {
        Err(id) => Ok(Remembered::Repetition(id)),
        Ok(seen) => {
            let id = if seen.taken { own } else { event };
            seen.remember(request.received, id, keys)?;
            Ok(Remembered::New(id.to_owned()))
        }
    }
}

/// What is not known yet.
struct Seen {
    /// Whether another event has the id.
    taken: bool,
    /// What it is to be remembered by: keys, each with the form of the id that it stands for.
    keys: Vec<(String, String)>,
}

impl Seen {
    fn remember(&self, received: UnixMillis, id: &str, keys: &mut dyn Keys) -> Result<(), String> {
        self.keys.iter().try_for_each(|(key, form)| {
            let memory = Memory { first: received, form: form.clone(), id: Some(id.to_owned()) };
            keys.set(key, memory.written().as_bytes())
        })
    }
}

/// Whether an event was accepted before, and under which id.
fn seen(
    request: &Request<'_>,
    event: &str,
    id: Option<&str>,
    identity: &Identity,
    keys: &mut dyn Keys,
) -> Result<Result<Seen, String>, String> {
    let Identity { repetition, form, .. } = identity;
    let mut id_key = id.map(|id| key("event", request.source, id));
    let mut known = match &id_key {
        Some(id_key) => Memory::read(keys, id_key)?,
        None => None,
    };
    let mut taken = known.is_some();
    if let Some(id) = id
        && known.as_ref().is_some_and(|known| known.form != *form)
    {
        // A number has the id that is a text here, or the other way round: that is another event, and its id stays its own.
        let other =
            key(&format!("event-{}", if form.is_empty() { "text" } else { form }), request.source, id);
        known = Memory::read(keys, &other)?;
        id_key = Some(other);
        taken = true;
    }
    let named = match repetition {
        Repetition::Named { key: name, .. } => Some(key("same", request.source, name)),
        Repetition::Id { .. } | Repetition::Never(_) => None,
    };
    let (told, within) = match (repetition, &named) {
        (Repetition::Id { within }, _) => (known.clone(), *within),
        (Repetition::Named { within, .. }, Some(named)) => (Memory::read(keys, named)?, *within),
        _ => (None, None),
    };
    if let Some(first) = told.filter(|first| first.is_within(within, request.received)) {
        return Ok(Err(first.id.unwrap_or_else(|| event.to_owned())));
    }
    let keys =
        { id_key.into_iter() }.map(|key| (key, form.clone())).chain(named.map(|key| (key, String::new())));
    Ok(Ok(Seen { taken, keys: keys.collect() }))
}

/// Whether a request came before that can come once only; if so, the event that it was, where that is known. Whoever sends it
/// has seen it; a provider that repeats itself wants to read that it arrived.
pub(super) fn replayed(
    request: &Request<'_>,
    replay_keys: &[String],
    keys: &mut dyn Keys,
) -> Result<Option<Option<String>>, String> {
    for name in replay_keys {
        if let Some(first) = Memory::read(keys, &key("replay", request.source, name))? {
            return Ok(Some(first.id));
        }
    }
    Ok(None)
}

/// Remembers a request that can come once only, with the id of its (first) event.
pub(super) fn remember_replays(
    request: &Request<'_>,
    replay_keys: &[String],
    id: &str,
    keys: &mut dyn Keys,
) -> Result<(), String> {
    let value = format!("{} {id}", request.received.0);
    replay_keys.iter().try_for_each(|name| keys.set(&key("replay", request.source, name), value.as_bytes()))
}

/// What is kept under a key: when it was first seen, how its id was written, and the event that came of it.
#[derive(Clone)]
struct Memory {
    first: UnixMillis,
    /// See [`Identity::form`].
    form: String,
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
        let (first, form) = first.split_once(':').unwrap_or((first, ""));
        // What cannot be read was written by somebody: it counts as seen at all times.
        let first = UnixMillis(first.parse().unwrap_or(u64::MAX));
        Ok(Some(Self { first, form: form.to_owned(), id }))
    }

    /// `1700000000000 id`, or `1700000000000:n id`.
    fn written(&self) -> String {
        let Self { first, form, id } = self;
        let colon = if form.is_empty() { "" } else { ":" };
        format!("{}{colon}{form} {}", first.0, id.as_deref().unwrap_or_default())
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

pub(super) fn content_type(request: &Request<'_>) -> Result<Option<String>, Rejection> {
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
