//! What comes in at the addresses of callbacks.

use super::options::Document;
use super::requirement::{self, Refusal, Verified};
use super::{CallbackReply, Callbacks};
use crate::engine::InboundRequest;
use crate::ingress::{CallbackAnswer, CallbackIntake, record_request};
use crate::rejection;
use crate::store::{
    CallbackWrite, Commit, CommitOutcome, EventSeq, KeyOverlay, NewEvent, Origin, StoreError, StoredCallback,
};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::callback::{callback_path, said_id};
use anglerfish_core::decision::{Answer, Rejection, RejectionCode};
use anglerfish_core::event::Event;
use anglerfish_core::exchange::RETRY_AFTER;
use anglerfish_core::request::event_data;
use anglerfish_core::state::key;
use anglerfish_core::verify::Attributes;
use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::oneshot;

/// Under which name it is told what callbacks have refused. No source can have it.
const REFUSED: &str = "(callbacks)";

/// How often a commit is tried where an inbox was full and has room when it is looked at.
const MOST_TRIES: usize = 8;

/// The longest type, as of a published event.
const LONGEST: usize = 256;

#[async_trait]
impl CallbackIntake for Callbacks {
    async fn take(
        &self,
        name: &str,
        token: &str,
        mut request: InboundRequest,
        peer: IpAddr,
    ) -> CallbackAnswer {
        match self.accept(name, token, &mut request, peer).await {
            Ok((answer, outcome)) => {
                self.shared.metrics.request(outcome);
                answer
            }
            Err(error) => {
                self.shared.metrics.request("failed");
                tracing::debug!(callback = name, %error, "a callback could not be stored");
                Fault::StoreUnavailable { retry_after: RETRY_AFTER }.reply().into()
            }
        }
    }
}

type Outcome = (CallbackAnswer, &'static str);

impl Callbacks {
    async fn accept(
        &self,
        name: &str,
        token: &str,
        request: &mut InboundRequest,
        peer: IpAddr,
    ) -> Result<Outcome, StoreError> {
        let store = &self.shared.store;
        let callback = store.callback(name).await?;
        let Some(callback) = callback.filter(|callback| callback.token == token) else { return Ok(gone()) };
        let Ok(document) = serde_json::from_str::<Document>(&callback.document) else {
            tracing::error!(callback = name, "what is asked of callbacks cannot be read");
            return Ok((Fault::Internal.reply().into(), "failed"));
        };
        let (reader, fetcher) = (&self.shared.reader, &*self.shared.fetcher);
        let verified = requirement::verify(name, &document, request, reader, fetcher).await;
        let verified = match verified {
            Ok(verified) => verified,
            // Who asks at an address that is over learns that first.
            Err(Refusal::Rejected(_)) if !callback.is_open(request.received) => return Ok(gone()),
            Err(Refusal::Rejected(rejection)) => return Ok(self.refuse(name, request, peer, &rejection)),
            Err(Refusal::Unusable(_)) if !callback.is_open(request.received) => return Ok(gone()),
            Err(Refusal::Unusable(reason)) => return Ok(self.fail(name, request, peer, &reason)),
            Err(Refusal::Answered(reply, outcome)) => return Ok((reply.into(), outcome)),
        };
        let event = match event(&callback, request, &verified.attributes) {
            Ok(event) => event,
            Err(rejection) => return Ok(self.refuse(name, request, peer, &rejection)),
        };
        let id = event.id.clone();
        if !callback.is_open(request.received) {
            // Its sender may not have had our answer, and asks about what is there.
            return Ok(if self.is_known(&event).await? { duplicate(&id) } else { gone() });
        }
        if !requirement::is_wanted(name, &document, &event, request) {
            return Ok((told(202, "ignored", &id).into(), "ignored"));
        }
        let known = event.clone();
        let answer = verified.answer.clone();
        let commit = commit(&callback, &document, event, request, verified);
        for _ in 0..MOST_TRIES {
            if let Some(waiting) = self.commit(name, commit.clone(), document.reply_within).await? {
                let otherwise = Reply::accepted(&id, 0, answer);
                return Ok((self.clone().answer(waiting, document.reply_within, otherwise), "accepted"));
            }
            // Only what is known to be there is a repetition: whoever is told so does not come again.
            if self.is_known(&known).await? || self.is_marked(&commit).await? {
                return Ok(duplicate(&id));
            }
            match store.callback(name).await?.filter(|callback| callback.token == token) {
                Some(stands) if !stands.is_open(request.received) => return Ok(gone()),
                Some(stands) if stands.waiting >= document.most() => return Ok(full()),
                // It was full at that moment, and room was made since.
                Some(_) => {}
                None => return Ok(gone()),
            }
        }
        Ok(full())
    }

    /// Refuses a request, and keeps why.
    fn refuse(&self, name: &str, request: &InboundRequest, peer: IpAddr, rejection: &Rejection) -> Outcome {
        let Rejection { status, code, reason } = rejection;
        self.keep(name, request, peer, (*status, code.as_str(), reason));
        (requirement::refused(rejection).into(), "refused")
    }

    /// Asks a sender to come again, whom nobody can verify now, and keeps why.
    fn fail(&self, name: &str, request: &InboundRequest, peer: IpAddr, reason: &str) -> Outcome {
        self.keep(name, request, peer, (503, "callback-unusable", reason));
        (
            later("callback-unusable", "who comes here cannot be verified now; come again later").into(),
            "failed",
        )
    }

    /// Keeps why a request is not taken. The last part of its address is not kept, and with it not the request.
    fn keep(
        &self,
        name: &str,
        request: &InboundRequest,
        peer: IpAddr,
        (status, code, reason): (u16, &str, &str),
    ) {
        let refusal = rejection::Refusal {
            source: REFUSED,
            known: true,
            peer,
            method: request.method.clone(),
            path: &callback_path(name, "…"),
            request: None,
        };
        self.shared.rejections.record(&refusal, status, code, reason);
    }

    /// Whether an event of this source and id is in the log.
    async fn is_known(&self, event: &Event) -> Result<bool, StoreError> {
        let known = self.shared.store.event(&event.id).await?;
        Ok(known.iter().any(|known| known.event.source == event.source))
    }

    /// Whether one of the marks of a request that must not come twice is there: the same came before, perhaps under another id.
    async fn is_marked(&self, commit: &Commit) -> Result<bool, StoreError> {
        for (mark, _) in &commit.keys.writes {
            // A key is the first of those that begin like it.
            let found = self.shared.store.keys(mark, 1).await?;
            if found.iter().any(|(key, _)| key == mark) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes it and tells who awaits it, also if its sender hangs up meanwhile. `None` if something of it was there.
    async fn commit(
        &self,
        name: &str,
        commit: Commit,
        reply_within: Option<u64>,
    ) -> Result<Option<Waiting>, StoreError> {
        let (callbacks, name) = (self.clone(), name.to_owned());
        let written = tokio::spawn(async move {
            let outcome = callbacks.shared.store.commit(commit).await?;
            let CommitOutcome::Committed { seqs, .. } = outcome else { return Ok(None) };
            let position = seqs.first().copied().unwrap_or_default();
            // Before the program can know of it.
            let mut waiting = match reply_within {
                Some(_) => Waiting::on(&callbacks, &name, position),
                None => Waiting { callbacks: callbacks.clone(), position, reply: None },
            };
            // A program that was quicker is done with it already.
            if reply_within.is_some()
                && let Ok(Some(callback)) = callbacks.shared.store.callback(&name).await
                && callback.acked >= position
            {
                waiting.reply = None;
            }
            callbacks.shared.waiters.tell(&name);
            Ok(Some(waiting))
        });
        written
            .await
            .unwrap_or_else(|_| Err(StoreError::Internal("a callback's commit broke down".to_owned())))
    }

    /// Waits for the answer that the program chooses, where it may.
    fn answer(self, mut waiting: Waiting, within: Option<u64>, otherwise: Reply) -> CallbackAnswer {
        let (Some(within), Some(reply)) = (within, waiting.reply.take()) else { return otherwise.into() };
        // Those who wait take no place from others, and there are not too many of them.
        let Ok(place) = self.shared.senders.clone().try_acquire_owned() else { return otherwise.into() };
        CallbackAnswer::Waits(Box::pin(async move {
            let _place = place;
            let stop = self.shared.stop.clone();
            let reply = tokio::select! {
                reply = tokio::time::timeout(Duration::from_millis(within), reply) => reply,
                () = stop.cancelled() => return otherwise,
            };
            drop(waiting);
            reply.ok().and_then(Result::ok).map_or(otherwise, chosen)
        }))
    }
}

/// Somebody who waits for an answer; dropped, also because they hang up, they wait no more.
struct Waiting {
    callbacks: Callbacks,
    position: EventSeq,
    reply: Option<oneshot::Receiver<CallbackReply>>,
}

impl Waiting {
    fn on(callbacks: &Callbacks, name: &str, position: EventSeq) -> Self {
        let reply = Some(callbacks.shared.await_reply(name, position));
        Self { callbacks: callbacks.clone(), position, reply }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.callbacks.shared.end_reply(self.position);
    }
}

fn commit(
    callback: &StoredCallback,
    document: &Document,
    event: Event,
    request: &InboundRequest,
    verified: Verified,
) -> Commit {
    // The last part of the path is what only those know who may come.
    let mut record = record_request(request, &verified.credentials);
    let path = callback_path(&callback.name, &callback.token);
    record.url = record.url.replace(&path, &callback_path(&callback.name, "…"));
    // What must not come twice is remembered as long as the event is.
    let source = event.source.clone();
    let marked: Vec<String> = verified.replay_keys.iter().map(|mark| key("replay", &source, mark)).collect();
    let data = match request.body.is_empty() {
        false => request.body.clone(),
        true => Bytes::copy_from_slice(event_data(request.method.as_str(), &request.url, &request.body)),
    };
    let new = NewEvent {
        origin: Origin::Callback,
        request: Some(record),
        ..NewEvent::new(event, data, request.received)
    };
    Commit {
        keys: KeyOverlay {
            reads: marked.iter().map(|key| (key.clone(), None)).collect(),
            writes: marked.into_iter().map(|key| (key, Some(Bytes::from_static(b"1")))).collect(),
        },
        events: vec![new],
        callbacks: vec![CallbackWrite {
            name: callback.name.clone(),
            token: callback.token.clone(),
            closes: document.once,
            most: document.most(),
        }],
        ..Commit::new(request.received)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
}

fn event(
    callback: &StoredCallback,
    request: &InboundRequest,
    attributes: &Attributes,
) -> Result<Event, Rejection> {
    let headers = &request.headers;
    let said = match attributes.id {
        Some(_) => None,
        None => said_id(|name| headers.get(name).map(http::HeaderValue::as_bytes))
            .map_err(|reason| Rejection { status: 400, code: RejectionCode::InvalidRequest, reason })?,
    };
    let kind = attributes.kind.as_deref().or_else(|| text(headers, "ce-type"));
    Ok(Event {
        id: attributes.id.clone().or(said).unwrap_or_else(|| request.id.clone()),
        source: callback.source(),
        kind: kind.filter(|kind| kind.len() <= LONGEST).unwrap_or("callback").to_owned(),
        subject: attributes.subject.clone().or_else(|| Some(callback.name.clone())),
        time: attributes.time.unwrap_or(request.received),
        datacontenttype: text(headers, "content-type").map(str::to_owned),
        ..Event::default()
    })
}

fn chosen(reply: CallbackReply) -> Reply {
    let CallbackReply { status, content_type, body } = reply;
    let headers = content_type.map(|kind| ("content-type".into(), kind)).into_iter().collect();
    Reply { status, headers, body: body.to_vec() }
}

fn told(status: u16, word: &str, id: &str) -> Reply {
    let body = json!({"id": id, "status": word}).to_string().into_bytes();
    Reply { status, headers: vec![("content-type".into(), "application/json".to_owned())], body }
}

fn duplicate(id: &str) -> Outcome {
    (Reply::duplicate(id, None::<Answer>).into(), "duplicate")
}

/// It was there, and is over.
fn gone() -> Outcome {
    (Reply::problem(410, "gone", "this callback is closed, or its time is over").into(), "gone")
}

/// Whoever awaits it is behind.
fn full() -> Outcome {
    (later("inbox-full", "as much waits here as may; come again later").into(), "full")
}

/// Asks to come again later.
fn later(code: &str, reason: &str) -> Reply {
    let mut reply = Reply::problem(503, code, reason);
    reply.headers.push(("retry-after".into(), RETRY_AFTER.as_secs().max(1).to_string()));
    reply
}
