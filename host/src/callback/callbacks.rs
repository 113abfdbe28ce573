//! The callbacks of a gateway.

use super::options::{Document, Rules};
use super::{CallbackError, CallbackMetrics, CallbackOptions, CallbackReply, requirement};
use crate::clock::{self, WallClock};
use crate::ingress::Fetcher;
use crate::random;
use crate::rejection::Rejections;
use crate::source::SourceReader;
use crate::store::{CallbackAcked, EventSeq, LogPart, Origin, Store, StoreError, StoredCallback};
use crate::subscription::refuse_hidden_at;
use crate::waiter::{Looks, Waiters};
use anglerfish_core::callback::{callback_path, callback_token, is_callback_name};
use anglerfish_core::config::SOURCE_SECRETS;
use anglerfish_core::event::Event;
use anglerfish_core::flow::is_flow_callback;
use anglerfish_core::problem::Problem;
use anglerfish_core::router::check_filter;
use bytes::Bytes;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many senders wait at the same time for an answer that a program chooses; the others are told that it is on disk.
const SENDERS: usize = 4096;

/// How many callbacks are looked through at once.
const PAGE: usize = 500;

/// The callbacks of a gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Callbacks {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) fetcher: Arc<dyn Fetcher>,
    pub(super) metrics: CallbackMetrics,
    pub(super) waiters: Waiters,
    /// Places for those who wait for an answer that a program chooses.
    pub(super) senders: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
    pub(super) reader: SourceReader,
    /// Where it is told what was refused.
    pub(super) rejections: Rejections,
    clock: WallClock,
    base: Option<String>,
    replies: Mutex<HashMap<EventSeq, Awaited>>,
}

/// An answer that somebody waits for who came to a callback.
struct Awaited {
    /// The name of the callback.
    callback: String,
    sender: oneshot::Sender<CallbackReply>,
}

/// What callbacks stand on.
pub struct CallbackParts {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Reads how requests are verified.
    pub reader: SourceReader,
    /// Gets what schemes ask their providers for.
    pub fetcher: Arc<dyn Fetcher>,
    /// What addresses begin with, if that is known.
    pub base: Option<String>,
    /// Where it is told what was refused.
    pub rejections: Rejections,
    /// Where they are counted.
    pub metrics: CallbackMetrics,
    /// The clock of the gateway.
    pub clock: WallClock,
}

/// Something that came in at a callback.
#[derive(Debug, Clone)]
pub struct ReceivedCallback {
    /// Its position in the log.
    pub position: EventSeq,
    /// Its attributes.
    pub event: Event,
    /// The header fields that were kept of its request.
    pub headers: Vec<(String, String)>,
    /// Its data, byte for byte.
    pub data: Bytes,
}

/// What there is to a callback.
#[derive(Debug, Clone)]
pub enum Next {
    /// This one, the first that is not done with.
    Received(Box<ReceivedCallback>),
    /// Nothing within the time.
    Nothing,
    /// Nothing, and nothing will come: it is closed, or its time is over.
    Over,
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Callbacks").finish_non_exhaustive()
    }
}

impl Callbacks {
    /// Those of these parts.
    #[must_use]
    pub fn new(parts: CallbackParts) -> Self {
        let CallbackParts { store, reader, fetcher, base, rejections, metrics, clock } = parts;
        let shared = Shared {
            store,
            fetcher,
            metrics,
            waiters: Waiters::default(),
            senders: Arc::new(Semaphore::new(SENDERS)),
            stop: CancellationToken::new(),
            reader,
            rejections,
            clock,
            base,
            replies: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Tells all who wait that nothing is awaited here any more.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }

    /// Takes hold of the callback of this name, or of a new one; without a name it gets one that nobody else has. It is on
    /// disk when this returns, and whoever held it before is fenced off.
    ///
    /// # Errors
    ///
    /// What is asked for makes no sense, the name is one of a flow's own, nobody knows this gateway's address, or it cannot be
    /// written down.
    pub async fn hold(
        &self,
        name: Option<String>,
        options: &CallbackOptions,
    ) -> Result<StoredCallback, CallbackError> {
        if name.as_deref().is_some_and(is_flow_callback) {
            let message =
                "begins with `flow/`: such callbacks are those of flows, which hold them themselves";
            return Err(CallbackError::Invalid(vec![Problem::new("name", message)]));
        }
        self.hold_any(name, options).await
    }

    /// The same also of those that flows hold.
    pub(crate) async fn hold_any(
        &self,
        name: Option<String>,
        options: &CallbackOptions,
    ) -> Result<StoredCallback, CallbackError> {
        if self.shared.base.is_none() {
            return Err(CallbackError::NoAddress);
        }
        let now = self.shared.clock.now();
        let name = name.unwrap_or_else(|| clock::request_id(now));
        let document = Document::from(options);
        self.check(&name, &document)?;
        let mut octets = [0; 16];
        // Who could guess it could come.
        random::fill(&mut octets).map_err(|_| CallbackError::NoRandomNumbers)?;
        let new = StoredCallback {
            token: callback_token(&name, octets),
            document: serde_json::to_string(&document).map_err(unwritable)?,
            created: now,
            expires: options.expires.map(|expires| now.after(expires)),
            closed: None,
            cancelled: false,
            acked: EventSeq(0),
            waiting: 0,
            holder: 0,
            name,
        };
        let held = self.shared.store.hold_callback(new, options.keeps_rules, now).await?;
        self.shared.metrics.held();
        // Whoever held it learns that now.
        self.shared.waiters.tell(&held.name);
        Ok(held)
    }

    fn check(&self, name: &str, document: &Document) -> Result<(), CallbackError> {
        let mut problems = Vec::new();
        if !is_callback_name(name) {
            let message = "must be 1 to 128 of `a-z A-Z 0-9 . _ - /`, with something between its slashes";
            problems.push(Problem::new("name", message));
        }
        match document.verify.as_ref().map(|verify| refuse_hidden_at(verify, SOURCE_SECRETS)) {
            Some(hidden) if !hidden.is_empty() => problems.extend(hidden.into_iter().map(requirement::below)),
            _ => {
                problems.extend({ document.verify.iter() }.flat_map(requirement::without_effect));
                let verifier = requirement::verifier(document, &self.shared.reader);
                problems.extend(verifier.err().into_iter().flatten());
            }
        }
        if let Some(Err(found)) = document.filter.as_deref().map(check_filter) {
            problems.extend(found);
        }
        if document.max_waiting.is_some_and(|most| !(1..=CallbackOptions::LARGEST_INBOX).contains(&most)) {
            let message = format!("must be 1 to {}", CallbackOptions::LARGEST_INBOX);
            problems.push(Problem::new("max_waiting", message));
        }
        if problems.is_empty() { Ok(()) } else { Err(CallbackError::Invalid(problems)) }
    }

    /// The address of a callback.
    #[must_use]
    pub fn url(&self, callback: &StoredCallback) -> String {
        let base = self.shared.base.as_deref().unwrap_or_default().trim_end_matches('/');
        format!("{base}{}", callback_path(&callback.name, &callback.token))
    }

    /// What is asked of those who come to a callback, without secrets.
    #[must_use]
    pub fn rules(&self, callback: &StoredCallback) -> Rules {
        // Where it cannot be read nothing is taken either, and that is logged.
        let document: Document = serde_json::from_str(&callback.document).unwrap_or_default();
        document.into()
    }

    /// Why those who come to a callback cannot be verified now, if they cannot: a secret that it refers to may be gone.
    #[must_use]
    pub fn problem(&self, callback: &StoredCallback) -> Option<String> {
        let document: Document = serde_json::from_str(&callback.document).ok()?;
        let verifier = requirement::verifier(&document, &self.shared.reader);
        verifier.err().map(|problems| requirement::in_words(&problems))
    }

    /// Says in the log which open callbacks take nothing because those who come cannot be verified.
    pub(crate) async fn tell_of_unusable(&self) {
        let mut after: Option<String> = None;
        while !self.shared.stop.is_cancelled() {
            let page = match self.shared.store.callbacks(after.as_deref(), PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "callbacks cannot be looked through now");
                    return;
                }
            };
            for callback in page.iter().filter(|callback| callback.is_open(self.shared.clock.now())) {
                if let Some(reason) = self.problem(callback) {
                    tracing::error!(
                        callback = callback.name,
                        reason,
                        "those who come to a callback cannot be verified: they are asked to come again"
                    );
                }
            }
            match page.last().filter(|_| page.len() == PAGE) {
                Some(last) => after = Some(last.name.clone()),
                None => return,
            }
        }
    }

    /// How a callback stands.
    ///
    /// # Errors
    ///
    /// There is none, or the store cannot be read.
    pub async fn get(&self, name: &str) -> Result<StoredCallback, CallbackError> {
        let found = self.shared.store.callback(name).await?;
        found.ok_or_else(|| CallbackError::Unknown(name.to_owned()))
    }

    /// Up to `limit` callbacks behind a name, by name.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredCallback>, CallbackError> {
        Ok(self.shared.store.callbacks(after, limit).await?)
    }

    /// The first that came in and is not done with, within this time. The same again gives the same, until it is
    /// acknowledged. `holder` is who asks, where more than one could.
    ///
    /// # Errors
    ///
    /// There is no such callback, somebody else holds it, the gateway stops, or the store cannot be read.
    pub async fn next(&self, name: &str, holder: Option<u64>, wait: Duration) -> Result<Next, CallbackError> {
        self.next_behind(name, holder, EventSeq(0), wait).await
    }

    /// The same of those behind a position, for whoever is given several before they are done with.
    ///
    /// # Errors
    ///
    /// Like [`Callbacks::next`].
    pub async fn next_behind(
        &self,
        name: &str,
        holder: Option<u64>,
        after: EventSeq,
        wait: Duration,
    ) -> Result<Next, CallbackError> {
        let (end, mut looks) = (Instant::now() + wait, Looks::new());
        loop {
            let waiter = self.shared.waiters.on(name);
            let mut told = std::pin::pin!(waiter.notify().notified());
            // From here on nothing that comes is missed.
            told.as_mut().enable();
            let (next, callback) = self.look(name, holder, after).await?;
            let now = Instant::now();
            if !matches!(next, Next::Nothing) || now >= end {
                return Ok(next);
            }
            // Its own end is looked at when it comes.
            let over = callback.expires.map_or(Duration::MAX, |expires| {
                Duration::from_millis(expires.0.saturating_sub(self.shared.clock.now().0))
            });
            let until = end.min(now + looks.next().min(over.max(Duration::from_millis(1))));
            tokio::select! {
                _ = tokio::time::timeout_at(until, told) => {}
                () = self.shared.stop.cancelled() => return Err(CallbackError::Stopping),
            }
        }
    }

    /// What there is to one, and how it stands.
    async fn look(
        &self,
        name: &str,
        holder: Option<u64>,
        after: EventSeq,
    ) -> Result<(Next, StoredCallback), CallbackError> {
        let callback = self.get(name).await?;
        if holder.is_some_and(|holder| holder != callback.holder) {
            return Err(CallbackError::Fenced(name.to_owned()));
        }
        // Asked in this order: what came in before it was closed is found.
        let now = self.shared.clock.now();
        let store = &self.shared.store;
        let Some(record) = store.waiting_callback(name, after).await? else {
            return Ok((if callback.is_open(now) { Next::Nothing } else { Next::Over }, callback));
        };
        let data = store.data(record.seq).await?.ok_or_else(|| {
            CallbackError::Store(StoreError::Internal(format!("entry {} has no data", record.seq.0)))
        })?;
        let received = ReceivedCallback {
            position: record.seq,
            event: record.event,
            headers: record.request.unwrap_or_default().headers,
            data,
        };
        Ok((Next::Received(Box::new(received)), callback))
    }

    /// Is done with all that came in up to this position. Whoever came with one of these and waits for an answer is told that it
    /// was taken.
    ///
    /// # Errors
    ///
    /// There is no such callback, somebody else holds it, or it cannot be written down.
    pub async fn ack(&self, name: &str, holder: u64, position: EventSeq) -> Result<(), CallbackError> {
        match self.shared.store.ack_callback(name, holder, position).await? {
            CallbackAcked::Done => {
                self.shared.metrics.acked();
                self.end_replies(name, position).await;
                Ok(())
            }
            CallbackAcked::Fenced => Err(CallbackError::Fenced(name.to_owned())),
            CallbackAcked::Unknown => Err(CallbackError::Unknown(name.to_owned())),
        }
    }

    /// Lets those wait no more for an answer who came with what is done with by now.
    async fn end_replies(&self, name: &str, position: EventSeq) {
        if !self.shared.awaits_replies(name, position) {
            return;
        }
        // What came in since is not done with, whatever position was said.
        match self.shared.store.callback(name).await {
            Ok(Some(callback)) => self.shared.end_replies(name, callback.acked),
            Ok(None) => {}
            Err(error) => tracing::debug!(callback = name, %error, "those who wait for an answer wait on"),
        }
    }

    /// Answers whoever came to this callback with what is at this position, as long as they wait.
    ///
    /// # Errors
    ///
    /// Nobody waits any more, or it is known to have come in at another callback.
    pub fn reply(&self, name: &str, position: EventSeq, reply: CallbackReply) -> Result<(), CallbackError> {
        let answered = || CallbackError::Answered(position.0);
        let awaited = {
            let mut replies = self.shared.replies();
            match replies.get(&position) {
                Some(awaited) if awaited.callback != name => {
                    return Err(CallbackError::Elsewhere(name.to_owned(), position.0));
                }
                _ => replies.remove(&position).ok_or_else(answered)?,
            }
        };
        awaited.sender.send(reply).map_err(|_| answered())
    }

    /// Answers whoever came with what is at this position, and is done with all up to it. Says whether they have that answer: not
    /// if they had one before, or did not wait so long.
    ///
    /// # Errors
    ///
    /// Somebody else holds it, what is at this position did not come in there, or it cannot be written down.
    pub async fn ack_with(
        &self,
        name: &str,
        holder: u64,
        position: EventSeq,
        reply: CallbackReply,
    ) -> Result<bool, CallbackError> {
        let callback = self.get(name).await?;
        // Whoever does not hold it any more answers nobody.
        if callback.holder != holder {
            return Err(CallbackError::Fenced(name.to_owned()));
        }
        let is_sent = match self.reply(name, position, reply) {
            Ok(()) => true,
            Err(CallbackError::Answered(_)) => {
                self.came_there(&callback, position).await?;
                false
            }
            Err(error) => return Err(error),
        };
        self.ack(name, holder, position).await?;
        Ok(is_sent)
    }

    /// Finds out whether what is at this position came in at this callback, as far as that is known.
    async fn came_there(&self, callback: &StoredCallback, position: EventSeq) -> Result<(), CallbackError> {
        let (store, before) = (&self.shared.store, EventSeq(position.0.saturating_sub(1)));
        let waits = store.waiting_callback(&callback.name, before).await?;
        let is_there = waits.is_some_and(|waiting| waiting.seq == position)
            || position <= callback.acked
                && match store.read(before, 1, 1).await? {
                    LogPart::Entries(entries) => entries.iter().any(|entry| {
                        let is_ours =
                            entry.origin == Origin::Callback && entry.event.source == callback.source();
                        entry.seq == position && is_ours
                    }),
                    // It may be forgotten, and is done with.
                    LogPart::Gap { .. } => true,
                };
        is_there.then_some(()).ok_or_else(|| CallbackError::Elsewhere(callback.name.clone(), position.0))
    }

    /// The newest position of the log.
    #[must_use]
    pub fn newest(&self) -> EventSeq {
        *self.shared.store.head().borrow()
    }

    /// Takes nothing at this address any more. What came in stays.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be written down.
    pub async fn close(&self, name: &str) -> Result<StoredCallback, CallbackError> {
        let closed = self.shared.store.close_callback(name, self.shared.clock.now()).await?;
        self.shared.waiters.tell(name);
        closed.ok_or_else(|| CallbackError::Unknown(name.to_owned()))
    }
}

fn unwritable(error: serde_json::Error) -> CallbackError {
    CallbackError::Store(StoreError::Internal(format!("failed to write JSON: {error}")))
}

impl Shared {
    /// Waits for the answer that the program gives to this one.
    pub(super) fn await_reply(&self, name: &str, position: EventSeq) -> oneshot::Receiver<CallbackReply> {
        let (sender, receiver) = oneshot::channel();
        self.replies().insert(position, Awaited { callback: name.to_owned(), sender });
        receiver
    }

    fn awaits_replies(&self, name: &str, to: EventSeq) -> bool {
        self.replies().iter().any(|(position, awaited)| *position <= to && awaited.callback == name)
    }

    fn end_replies(&self, name: &str, to: EventSeq) {
        self.replies().retain(|position, awaited| *position > to || awaited.callback != name);
    }

    /// Nobody waits for it any more.
    pub(super) fn end_reply(&self, position: EventSeq) {
        self.replies().remove(&position);
    }

    fn replies(&self) -> MutexGuard<'_, HashMap<EventSeq, Awaited>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
