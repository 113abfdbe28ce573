//! An endpoint that takes several events in one request.
//!
//! The engine makes an attempt of each delivery. Those that are under way at the same time come together here: the first one
//! waits for others until the batch is full or has waited long enough, and what the request comes to is what all of them come to.

use super::attempt::{HttpAttempt, NoAnswer, attempt_batch, rendered};
use super::http::HttpEndpoint;
use super::{Attempted, Endpoint};
use crate::store::LeasedDelivery;
use crate::telemetry::TRACE;
use anglerfish_core::attempt::Batch;
use anglerfish_core::config::BatchConfig;
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use futures_util::future::join_all;
use http::StatusCode;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

/// How long smaller bodies are sent after the endpoint has called one too large.
const SMALLER: Duration = Duration::from_mins(10);

/// An endpoint that takes several events in one request.
pub(in crate::delivery) struct BatchEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    http: HttpEndpoint,
    config: BatchConfig,
    /// As many requests as may run at once.
    requests: Arc<Semaphore>,
    gathered: Mutex<Gathered>,
    /// There is enough for a full batch.
    is_full: Notify,
}

/// What waits for its request.
#[derive(Default)]
struct Gathered {
    entries: VecDeque<Entry>,
    /// Bytes of their elements.
    bytes: usize,
    /// Whether a task sees to them.
    is_seen_to: bool,
    /// How often what was gathered was given back.
    withdrawals: u64,
    /// How large a body may be, and until when that holds, after the endpoint has called one too large.
    smaller: Option<(usize, Instant)>,
}

/// One delivery, as it stands in the body.
struct Entry {
    id: String,
    element: Vec<u8>,
    timeout: Duration,
    since: Instant,
    /// Whoever waits for what it comes to; gone if the attempt was broken off.
    done: oneshot::Sender<Attempted>,
}

impl BatchEndpoint {
    /// Gathers for an endpoint, with up to so many requests at once.
    pub(in crate::delivery) fn new(http: HttpEndpoint, config: BatchConfig, requests: usize) -> Self {
        let shared = Shared {
            http,
            config,
            requests: Arc::new(Semaphore::new(requests.clamp(1, Semaphore::MAX_PERMITS))),
            gathered: Mutex::default(),
            is_full: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }
}

#[async_trait]
impl Endpoint for BatchEndpoint {
    #[expect(clippy::disallowed_methods, reason = "says how long it gathers, and decides nothing")]
    async fn attempt(&self, delivery: LeasedDelivery, timeout: Duration) -> Attempted {
        let withdrawals = self.shared.gathered().withdrawals;
        let element = match self.shared.element(&delivery).await {
            Ok(element) => element,
            // It is of this event alone, and must not hold up the others.
            Err(failure) => return HttpAttempt::failed(failure, self.shared.now()).into(),
        };
        let (done, answer) = oneshot::channel();
        let id = delivery.event.id.clone();
        drop(delivery);
        if !self.shared.add(Entry { id, element, timeout, since: Instant::now(), done }, withdrawals) {
            return Attempted::withdrawn(self.shared.now());
        }
        // It is dropped unanswered only if the request broke down within this program.
        answer.await.unwrap_or_else(|_| Attempted::internal(self.shared.now()))
    }

    fn withdraw(&self) {
        let entries = {
            let mut gathered = self.shared.gathered();
            gathered.withdrawals += 1;
            gathered.bytes = 0;
            std::mem::take(&mut gathered.entries)
        };
        for entry in entries {
            // Who waited may be gone.
            let _ = entry.done.send(Attempted::withdrawn(self.shared.now()));
        }
    }
}

impl Shared {
    fn now(&self) -> UnixMillis {
        self.http.clock.now()
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn element(&self, delivery: &LeasedDelivery) -> Result<Vec<u8>, NoAnswer> {
        let rendered = rendered(&self.http, delivery).await?;
        let outgoing = &self.http.target.outgoing;
        Ok(outgoing.element(&delivery.event, &delivery.data, rendered.as_ref())?)
    }

    /// `false` if what was gathered was given back since there were so many `withdrawals`.
    fn add(self: &Arc<Self>, entry: Entry, withdrawals: u64) -> bool {
        let mut gathered = self.gathered();
        if gathered.withdrawals != withdrawals {
            return false;
        }
        gathered.bytes += entry.element.len();
        gathered.entries.push_back(entry);
        if self.is_enough(&gathered) {
            self.is_full.notify_one();
        }
        if !gathered.is_seen_to {
            gathered.is_seen_to = true;
            let this = Arc::clone(self);
            tokio::spawn(async move { this.see_to().await });
        }
        true
    }

    fn is_enough(&self, gathered: &Gathered) -> bool {
        let count = gathered.entries.len();
        count >= self.config.max || Batch::length_of(count, gathered.bytes) >= self.largest(gathered)
    }

    /// How many bytes a body may have now.
    #[expect(
        clippy::disallowed_methods,
        reason = "says how large a body is, and decides nothing of a delivery"
    )]
    fn largest(&self, gathered: &Gathered) -> usize {
        let smaller = gathered.smaller.filter(|(_, until)| *until > Instant::now());
        let configured = usize::try_from(self.config.max_bytes).unwrap_or(usize::MAX);
        smaller.map_or(configured, |(bytes, _)| bytes.min(configured))
    }

    /// Sends what is gathered, as long as there is anything.
    async fn see_to(self: Arc<Self>) {
        loop {
            let due = {
                let mut gathered = self.gathered();
                let Some(first) = gathered.entries.front() else {
                    // Under the lock: whoever adds one behind this begins another task.
                    gathered.is_seen_to = false;
                    return;
                };
                let due = first.since + self.config.wait;
                (!self.is_enough(&gathered)).then_some(due)
            };
            if let Some(due) = due {
                tokio::select! {
                    // It may be an old word of a batch that is gone: the loop looks again.
                    () = self.is_full.notified() => continue,
                    () = sleep_until(due) => {}
                }
            }
            // While all requests are taken more may come together.
            let Ok(permit) = Arc::clone(&self.requests).acquire_owned().await else { return };
            let batch = self.take();
            if !batch.is_empty() {
                let this = Arc::clone(&self);
                tokio::spawn(async move { this.send(batch, permit).await });
            }
        }
    }

    /// Takes out what goes in one request: the oldest, as many as there is room for, and the first one however large it is.
    fn take(&self) -> Vec<Entry> {
        let mut gathered = self.gathered();
        let largest = self.largest(&gathered);
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < self.config.max {
            let Some(entry) = gathered.entries.front() else { break };
            let with = bytes + entry.element.len();
            let is_too_much = !taken.is_empty() && Batch::length_of(taken.len() + 1, with) > largest;
            if is_too_much && !entry.done.is_closed() {
                break;
            }
            let Some(entry) = gathered.entries.pop_front() else { break };
            gathered.bytes = gathered.bytes.saturating_sub(entry.element.len());
            if !entry.done.is_closed() {
                bytes = with;
                taken.push(entry);
            }
        }
        taken
    }

    /// Sends them in one request, and in two halves one after the other if the endpoint says that it was too large.
    async fn send(&self, batch: Vec<Entry>, _permit: OwnedSemaphorePermit) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            part.retain(|entry| !entry.done.is_closed());
            let Some(timeout) = part.iter().map(|entry| entry.timeout).max() else { continue };
            let mut body = Batch::default();
            part.iter().for_each(|entry| body.add(&entry.id, &entry.element));
            let count = part.len();
            let span = tracing::trace_span!(target: TRACE, "attempt", events = count);
            let attempt = attempt_batch(&self.http.target, body, timeout, &self.http.clock).instrument(span);
            let attempted = {
                // Nobody may be left who waits: then nobody would settle what comes of it.
                let gone = join_all(part.iter_mut().map(|entry| entry.done.closed()));
                tokio::select! {
                    biased;
                    attempted = attempt => attempted,
                    _ = gone => continue,
                }
            };
            let mut attempted = Attempted::from(attempted);
            if attempted.status == Some(StatusCode::PAYLOAD_TOO_LARGE.as_u16())
                && attempted.failure.is_none()
                && count > 1
            {
                let second = part.split_off(count.div_ceil(2));
                self.shrink(length(&part).max(length(&second)));
                parts.push(second);
                parts.push(part);
                continue;
            }
            if count > 1 {
                attempted.error =
                    attempted.error.map(|error| format!("{error} (in a batch of {count} events)"));
            }
            for entry in part {
                // Who waited may be gone.
                let _ = entry.done.send(attempted.clone());
                attempted.is_joined = true;
            }
        }
    }

    /// A body was too large; its halves have this length at most.
    #[expect(
        clippy::disallowed_methods,
        reason = "says how large a body is, and decides nothing of a delivery"
    )]
    fn shrink(&self, length: usize) {
        let mut gathered = self.gathered();
        let bytes = gathered.smaller.map_or(length, |(known, _)| known.min(length));
        gathered.smaller = Some((bytes, Instant::now() + SMALLER));
    }
}

/// How many bytes the body of these has.
fn length(entries: &[Entry]) -> usize {
    Batch::length_of(entries.len(), entries.iter().map(|entry| entry.element.len()).sum())
}
