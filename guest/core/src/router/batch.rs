//! A request that carries several events, where the source has them taken apart.
//!
//! Each part is decided as if it had come alone: its own identity, its own reading, its own subscriptions. What the parts share is
//! the verification, the answer and the commit, so that all of them are accepted or none.

use super::admission;
use super::admission::Remembered;
use super::decide::{lazily, state_unavailable};
use super::explain::ReadOnlyKeys;
use super::explanation::ExplainedPart;
use super::filters::{FilterInput, Filters};
use super::table::Source;
use crate::decision::{Acceptance, AcceptedEvent, Decision, Duplicate, Rejection, RejectionCode};
use crate::event::Event;
use crate::message::{Message, ReceivedBody};
use crate::request::Request;
use crate::state::Keys;
use crate::verify::{Identity, Json, Read, Verified};
use std::cell::LazyCell;
use std::collections::HashMap;

/// How many events one request can carry.
pub const MOST_PARTS: usize = 1000;

/// How many deliveries the parts of one request can make: all of them are one transaction.
pub const MOST_DELIVERIES: usize = 20_000;

/// How much longer than the body its parts may be together, when its content coding is undone.
const MOST_UNPACKED: usize = 1 << 20;

/// How many verdicts an explanation holds.
const MOST_VERDICTS: usize = 100_000;

/// The media type of a batch of CloudEvents (CloudEvents JSON format 1.0.2, section 4), and of one of them.
const CLOUDEVENTS: (&str, &str) = ("application/cloudevents-batch+json", "application/cloudevents+json");

/// The parts of a request.
pub(super) struct Parts {
    /// Each as it stands in the body.
    data: Vec<Vec<u8>>,
    /// What each of them is.
    media_type: Option<String>,
}

/// The parts of a request; `None` if it has no array at `at`, or readers of JSON differ on it.
pub(super) fn split(
    at: &str,
    methods: &[String],
    request: &Request<'_>,
    message: &Message<'_>,
    json: &dyn Json,
) -> Result<Option<Parts>, Rejection> {
    let Some(elements) = json.elements(at, MOST_PARTS + 1) else { return Ok(None) };
    admission::method(request, methods)?;
    if elements.len() > MOST_PARTS {
        return Err(too_large(format!("the batch has more than {MOST_PARTS} events; send smaller ones")));
    }
    let length: usize = elements.iter().map(|element| element.text().len()).sum();
    let most = request.body.len().saturating_add(MOST_UNPACKED);
    if length > most {
        return Err(too_large(format!(
            "the batch has {length} bytes when it is unpacked; at most {most} are taken of one that is packed so well"
        )));
    }
    let data = elements.iter().map(|element| element.text().as_bytes().to_vec()).collect();
    Ok(Some(Parts { data, media_type: media_type(request, message)? }))
}

/// The media type of a part of a request.
fn media_type(request: &Request<'_>, message: &Message<'_>) -> Result<Option<String>, Rejection> {
    // A field of a form that holds JSON is taken out of it.
    if !message.is_as_it_came() {
        return Ok(Some("application/json".to_owned()));
    }
    let whole = admission::content_type(request)?;
    Ok(whole.map(|text| {
        let (batch, one) = CLOUDEVENTS;
        match text.split_at_checked(batch.len()) {
            Some((essence, rest)) if essence.eq_ignore_ascii_case(batch) => format!("{one}{rest}"),
            _ => text,
        }
    }))
}

/// The event of one part, and how its repetition is told.
fn event(
    filters: &mut Filters,
    Source { verifier, names }: &Source,
    request: &Request<'_>,
    position: usize,
    media_type: Option<&String>,
) -> Result<(Event, Option<String>, Identity), Rejection> {
    let message = Message::new(ReceivedBody::of_part(request.body), &[]);
    let body = lazily(filters.open().0, &message);
    let (attributes, identity) =
        verifier.identify_part(request, &message, &Read::new(names, &body), position);
    let event =
        admission::part(request, &attributes, position, media_type.cloned()).map_err(|rejection| {
            let reason = format!("part {position} of the batch: {}", rejection.reason);
            Rejection { reason, ..rejection }
        })?;
    Ok((event, attributes.id, identity))
}

/// The decision about a batch that is verified.
pub(super) fn decide(
    filters: &mut Filters,
    source: &Source,
    request: &Request<'_>,
    verified: Verified,
    Parts { data: parts, media_type }: Parts,
    keys: &mut dyn Keys,
) -> Decision {
    let mut staged = Staged { keys, written: HashMap::new() };
    match admission::replayed(request, &verified.replay_keys, &mut staged) {
        Ok(None) => {}
        Ok(Some(first)) => {
            let ids = vec![first.unwrap_or_else(|| request.id.to_owned())];
            return Decision::Duplicate(Duplicate { ids, batch: true, answer: verified.answer });
        }
        Err(reason) => return Decision::Reject(state_unavailable(&reason)),
    }
    let (mut events, mut repeated, mut deliveries) = (Vec::new(), Vec::new(), 0_usize);
    for (position, data) in parts.into_iter().enumerate() {
        let part = Request { body: &data, ..request.clone() };
        let (mut event, id, identity) = match event(filters, source, &part, position, media_type.as_ref()) {
            Ok(event) => event,
            Err(rejection) => return Decision::Reject(rejection),
        };
        let own = admission::own_id(request, position);
        match admission::recognise(&part, &event.id, id.as_deref(), &own, &identity, &mut staged) {
            Ok(Remembered::New(id)) => event.id = id,
            Ok(Remembered::Repetition(id)) => {
                repeated.push(id);
                continue;
            }
            Err(reason) => return Decision::Reject(state_unavailable(&reason)),
        }
        let message = Message::new(ReceivedBody::of_part(&data), &[]);
        let (table, selection) = filters.open();
        let mut body = lazily(table, &message);
        let input = FilterInput { event: &event, headers: &request.headers, now: request.received };
        let (intents, failures) = selection.select(input, LazyCell::force_mut(&mut body), message.json());
        drop(body);
        deliveries += intents.len();
        if deliveries > MOST_DELIVERIES {
            return Decision::Reject(too_large(format!(
                "the batch would make more than {MOST_DELIVERIES} deliveries; send smaller ones"
            )));
        }
        events.push(AcceptedEvent { event, data: Some(data), intents, failures });
    }
    let Verified { answer, replay_keys, secret, .. } = verified;
    if events.is_empty() && !repeated.is_empty() {
        return Decision::Duplicate(Duplicate { ids: repeated, batch: true, answer });
    }
    let first = events.first().map_or(request.id, |first| first.event.id.as_str());
    let written = admission::remember_replays(request, &replay_keys, first, &mut staged);
    if let Err(reason) = written.and_then(|()| staged.write()) {
        return Decision::Reject(state_unavailable(&reason));
    }
    let secret = secret.map(|name| name.label.unwrap_or_else(|| name.index.to_string()));
    Decision::Accept(Acceptance { events, repeated, batch: true, answer, secret })
}

/// What would become of each part, without effects, and whether all of them are here.
pub(super) fn explain(
    filters: &mut Filters,
    source: &Source,
    request: &Request<'_>,
    verified: &Verified,
    Parts { data: parts, media_type }: Parts,
    keys: &mut dyn Keys,
) -> Result<(Vec<ExplainedPart>, Vec<String>), Rejection> {
    let mut unwritten = ReadOnlyKeys(keys);
    let mut staged = Staged { keys: &mut unwritten, written: HashMap::new() };
    let replayed =
        admission::replayed(request, &verified.replay_keys, &mut staged).is_ok_and(|found| found.is_some());
    let (mut explained, mut steps, mut verdicts) = (Vec::new(), Vec::new(), 0_usize);
    steps.push(format!("split: {} events", parts.len()));
    let count = parts.len();
    for (position, data) in parts.into_iter().enumerate() {
        let part = Request { body: &data, ..request.clone() };
        let (mut event, id, identity) = event(filters, source, &part, position, media_type.as_ref())?;
        let own = admission::own_id(request, position);
        let repetition = admission::recognise(&part, &event.id, id.as_deref(), &own, &identity, &mut staged);
        let mut duplicate = replayed;
        match repetition {
            Ok(Remembered::Repetition(id)) => (event.id, duplicate) = (id, true),
            Ok(Remembered::New(id)) => event.id = id,
            Err(_) => {}
        }
        if position == 0 {
            steps.push(format!("id of each: {identity}"));
        }
        let input = FilterInput { event: &event, headers: &request.headers, now: request.received };
        let subscriptions = filters.explain(input, &data, None);
        verdicts += subscriptions.len();
        explained.push(ExplainedPart { event, data, duplicate, subscriptions });
        if verdicts > MOST_VERDICTS && position + 1 < count {
            steps.push(format!("split: the first {} are explained", position + 1));
            break;
        }
    }
    Ok((explained, steps))
}

fn too_large(reason: String) -> Rejection {
    Rejection { status: 413, code: RejectionCode::InvalidRequest, reason }
}

/// State whose writes wait until all parts are decided: a batch of which one part is refused leaves nothing behind, also where a
/// shell writes at once.
struct Staged<'a> {
    keys: &'a mut dyn Keys,
    written: HashMap<String, Vec<u8>>,
}

impl Staged<'_> {
    fn write(self) -> Result<(), String> {
        let Self { keys, written } = self;
        written.iter().try_for_each(|(key, value)| keys.set(key, value))
    }
}

impl Keys for Staged<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        match self.written.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None => self.keys.get(key),
        }
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.written.insert(key.to_owned(), value.to_vec());
        Ok(())
    }
}
