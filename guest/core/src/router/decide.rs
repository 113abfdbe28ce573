//! Decides: who a request is from, whether it came before, and who wants it.

use super::admission::{self, Remembered};
use super::filters::FilterInput;
use super::table::{Router, Source};
use super::{batch, handshake};
use crate::decision::{Acceptance, AcceptedEvent, Decision, Duplicate, Rejection, RejectionCode, Routing};
use crate::event::Event;
use crate::message::{Message, ReceivedBody};
use crate::request::{Header, Request, UnixMillis};
use crate::state::Keys;
use crate::verify::{Json, Read, Verification, Verifier};
use anglerfish_filter::table::{Reading, Table};
use std::cell::LazyCell;

impl Router {
    /// The whole decision for one inbound request.
    pub fn decide(&mut self, request: &Request<'_>, keys: &mut dyn Keys) -> Decision {
        let Some(source) = self.sources.get(request.source) else {
            return Decision::Reject(unknown_source(request.source));
        };
        let Source { verifier, names } = source;
        // The body is read once, when verification or a filter first looks into it.
        let message = Message::new(ReceivedBody::of_request(request), verifier.json_fields());
        let (table, selection) = self.filters.open();
        let mut body = lazily(table, &message);
        let verified = match verifier.verify_read(request, &message, &Read::new(names, &body)) {
            Verification::Verified(verified) => verified,
            Verification::Answered(answer) => {
                let copies = verifier.to_copy(request, &message, &Read::new(names, &body));
                return match handshake::remember_copies(request, copies, keys) {
                    Ok(()) => Decision::Answer(answer),
                    Err(reason) => Decision::Reject(state_unavailable(&reason)),
                };
            }
            Verification::Rejected(rejection) => return Decision::Reject(rejection),
            Verification::Fetch(fetches) => return Decision::Fetch(fetches),
        };
        let split = match split(verifier, request, &message, &Read::new(names, &body)) {
            Ok(split) => split,
            Err(rejection) => return Decision::Reject(rejection),
        };
        if let Some(parts) = split {
            drop(body);
            return batch::decide(&mut self.filters, source, request, *verified, parts, keys);
        }
        let mut event = match admission::event(request, &verified.attributes, verifier.methods()) {
            Ok(event) => event,
            Err(rejection) => return Decision::Reject(rejection),
        };
        match admission::remember(request, &event, &verified, keys) {
            Ok(Remembered::New(id)) => event.id = id,
            Ok(Remembered::Repetition(id)) => {
                let answer = verified.answer;
                return Decision::Duplicate(Duplicate { ids: vec![id], batch: false, answer });
            }
            Err(reason) => return Decision::Reject(state_unavailable(&reason)),
        }
        let input = FilterInput { event: &event, headers: &request.headers, now: request.received };
        let (intents, failures) = selection.select(input, LazyCell::force_mut(&mut body), message.json());
        let secret = verified.secret.map(|name| name.label.unwrap_or_else(|| name.index.to_string()));
        Decision::Accept(Acceptance {
            events: vec![AcceptedEvent { event, data: None, intents, failures }],
            repeated: Vec::new(),
            batch: false,
            answer: verified.answer,
            secret,
        })
    }

    /// Who wants an event that comes from no request: one that was published, or that the gateway records itself.
    /// Nothing is verified and no state is read.
    pub fn route(&mut self, event: &Event, headers: &[Header<'_>], data: &[u8], now: UnixMillis) -> Routing {
        let fields = self.sources.get(&event.source).map_or(&[][..], |source| source.verifier.json_fields());
        let message = Message::new(ReceivedBody::of_event(event, headers, data), fields);
        let (table, selection) = self.filters.open();
        let mut body = lazily(table, &message);
        let input = FilterInput { event, headers, now };
        let (intents, failures) = selection.select(input, LazyCell::force_mut(&mut body), message.json());
        Routing { intents, failures }
    }
}

/// A body that is read when it is first looked into.
pub(super) fn lazily<'t, 'b>(
    table: &'t mut Table,
    message: &'b Message<'_>,
) -> LazyCell<Reading<'t, 'b>, impl FnOnce() -> Reading<'t, 'b>> {
    LazyCell::new(move || table.read(Some(message.json())))
}

/// The parts of a verified request with their media type, where the source takes it apart and it has the array for that. A body
/// without it is one event: nothing is lost.
pub(super) fn split(
    verifier: &Verifier,
    request: &Request<'_>,
    message: &Message<'_>,
    json: &dyn Json,
) -> Result<Option<batch::Parts>, Rejection> {
    let Some(at) = verifier.split() else { return Ok(None) };
    batch::split(at, verifier.methods(), request, message, json)
}

pub(super) fn unknown_source(name: &str) -> Rejection {
    let mut reason = "there is no such source".to_owned();
    if name.contains('%') {
        reason.push_str("; the name is read as it was sent, and percent-encoding in it is not undone");
    }
    Rejection { status: 404, code: RejectionCode::UnknownSource, reason }
}

pub(super) fn state_unavailable(reason: &str) -> Rejection {
    Rejection {
        status: 503,
        code: RejectionCode::StateUnavailable,
        reason: format!("the state cannot be used: {reason}"),
    }
}
