//! How what a flow has begun ends, and is given up.

use crate::call::{CallError, Calls, NewCall};
use crate::callback::{CallbackError, Callbacks, Next};
use crate::clock::WallClock;
use crate::flow::StoredFlow;
use crate::flow::run::to_the_end;
use crate::store::{CallAnswer, EventSeq, Store, StoreError, StoredCall};
use anglerfish_core::call::CallState;
use anglerfish_core::flow::{Content, FlowWait, WaitOutcome};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// How long it waits at a time; it is told at once of what comes, and whoever has it looks now and then.
const WAIT: Duration = Duration::from_hours(24);

/// How long it goes without looking at the clock, and rests after what cannot be.
const LOOK: Duration = Duration::from_secs(60);

/// How long it waits before it tries again what the store did not do.
pub(super) const AGAIN: Duration = Duration::from_millis(500);

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowAnswer {
    /// `success`, `failure`, `timeout`, `cancelled`, or `refused` if it could not be made at all.
    pub state: String,
    /// The status of the answer, if there is one.
    pub status: Option<u16>,
    /// Header fields that were kept of it.
    pub headers: Vec<(String, String)>,
    /// Its body; why the call was refused, where it was.
    pub body: Bytes,
}

/// What somebody said who came to a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowEvent {
    /// The id of what they said.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Its media type.
    pub datacontenttype: Option<String>,
    /// Header fields that were kept of the request.
    pub headers: Vec<(String, String)>,
    /// Its data.
    pub data: Bytes,
}

/// How something that a flow had begun has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowOutcome {
    /// A call has its outcome.
    Called(FlowAnswer),
    /// Somebody came to a callback.
    Received(FlowEvent),
    /// Nobody came to a callback, and nobody will.
    Over,
    /// The time has come.
    Time,
}

impl FlowAnswer {
    /// Whether an answer came that counts as one.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.state == "success"
    }

    /// Its body, read as JSON.
    ///
    /// # Errors
    ///
    /// It is none of this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

impl FlowEvent {
    /// Its data, read as JSON.
    ///
    /// # Errors
    ///
    /// It is none of this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.data)
    }
}

impl From<WaitOutcome> for FlowOutcome {
    fn from(outcome: WaitOutcome) -> Self {
        match outcome {
            WaitOutcome::Called { state, status, headers, body } => {
                Self::Called(FlowAnswer { state, status, headers, body: body.0.into() })
            }
            WaitOutcome::Refused { reason } => Self::Called(FlowAnswer {
                state: "refused".to_owned(),
                status: None,
                headers: Vec::new(),
                body: reason.into(),
            }),
            WaitOutcome::Received { id, kind, datacontenttype, headers, data } => {
                Self::Received(FlowEvent { id, kind, datacontenttype, headers, data: data.0.into() })
            }
            WaitOutcome::Over => Self::Over,
            WaitOutcome::Time => Self::Time,
        }
    }
}

/// What tells a request from others.
pub(super) fn content(call: &NewCall) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &[u8]| {
        digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(text);
    };
    add(call.request.method.as_deref().unwrap_or_default().as_bytes());
    add(call.request.path.as_bytes());
    for (name, value) in &call.request.headers {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    add(&call.body);
    hex::encode(digest.finalize())
}

/// What flows wait with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Waits {
    pub(super) store: Arc<dyn Store>,
    pub(super) calls: Calls,
    pub(super) callbacks: Callbacks,
    pub(super) retention: watch::Receiver<Duration>,
    pub(super) clock: WallClock,
}

impl Waits {
    /// Whether a request that this flow has made may be forgotten by now, as all that has ended is.
    pub(super) fn may_be_forgotten(&self, flow: &StoredFlow) -> bool {
        flow.started().after(*self.retention.borrow()) <= self.clock.now()
    }

    /// Makes a request, if it is not made; it goes on by itself. `Err` is how it ended without being made.
    pub(super) async fn begin(
        &self,
        writes: &TaskTracker,
        call: &NewCall,
    ) -> Result<StoredCall, WaitOutcome> {
        loop {
            let (calls, new) = (self.calls.clone(), call.clone());
            match to_the_end(writes, async move { calls.add(new).await }).await {
                Ok((call, _)) => return Ok(call),
                Err(CallError::Store(error)) => rest(&error).await,
                Err(CallError::Contended | CallError::Routing(_)) => tokio::time::sleep(AGAIN).await,
                Err(error) => return Err(WaitOutcome::Refused { reason: error.to_string() }),
            }
        }
    }

    /// How it ends, however long that takes. What the store does not say now it says later.
    ///
    /// `is_made` says that a request was made: what is not there any more is not made again.
    pub(super) async fn outcome(
        &self,
        writes: &TaskTracker,
        wait: &FlowWait,
        call: Option<&NewCall>,
        is_made: bool,
    ) -> WaitOutcome {
        match (wait, call) {
            (FlowWait::Call { api, key, .. }, Some(_)) if is_made && self.is_gone(api, key).await => {
                let reason =
                    "what became of it is not kept any more: it ended longer ago than `store.retention`";
                WaitOutcome::Refused { reason: reason.to_owned() }
            }
            (FlowWait::Call { .. }, Some(call)) => self.called(writes, call).await,
            // Whoever waits for a call has begun it, and so has it at hand.
            (FlowWait::Call { .. }, None) => pending().await,
            (FlowWait::Callback { callback, .. }, _) => self.received(callback).await,
            (FlowWait::Timer { until }, _) => {
                // The clock is looked at again: it may have been set, and the machine may have slept.
                loop {
                    let left = Duration::from_millis(until.saturating_sub(self.clock.now().0));
                    if left.is_zero() {
                        return WaitOutcome::Time;
                    }
                    tokio::time::sleep(left.min(LOOK)).await;
                }
            }
        }
    }

    /// Whether there is no request of this key.
    async fn is_gone(&self, api: &str, key: &str) -> bool {
        loop {
            match self.store.call_of_key(api, key).await {
                Ok(found) => return found.is_none(),
                Err(error) => rest(&error).await,
            }
        }
    }

    async fn called(&self, writes: &TaskTracker, call: &NewCall) -> WaitOutcome {
        let mut made = match self.begin(writes, call).await {
            Ok(made) => made,
            Err(refused) => return refused,
        };
        while made.head.state == CallState::Pending {
            match self.calls.wait(&made.head.id, WAIT).await {
                Ok(call) => made = call,
                Err(CallError::Store(error)) => rest(&error).await,
                Err(error) => return WaitOutcome::Refused { reason: error.to_string() },
            }
        }
        let state = made.head.state.word().to_owned();
        let (status, headers, body) = match made.answer {
            Some(CallAnswer { status, headers, body }) => (Some(status), headers, body.to_vec()),
            None => (None, Vec::new(), Vec::new()),
        };
        WaitOutcome::Called { state, status, headers, body: Content(body) }
    }

    async fn received(&self, callback: &str) -> WaitOutcome {
        loop {
            match self.callbacks.next(callback, None, WAIT).await {
                Ok(Next::Received(received)) => {
                    return WaitOutcome::Received {
                        id: received.event.id,
                        kind: received.event.kind,
                        datacontenttype: received.event.datacontenttype,
                        headers: received.headers,
                        data: Content(received.data.to_vec()),
                    };
                }
                Ok(Next::Nothing) => {}
                // It is forgotten once it is over for long.
                Ok(Next::Over) | Err(CallbackError::Unknown(_)) => return WaitOutcome::Over,
                Err(CallbackError::Stopping) => pending().await,
                Err(CallbackError::Store(error)) => rest(&error).await,
                Err(error) => {
                    tracing::error!(callback, %error, "a callback of a flow cannot be awaited");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Is done with what has ended, however long the store takes: an inbox keeps nothing for it.
    pub(super) async fn finish(&self, wait: &FlowWait) {
        let FlowWait::Callback { callback, .. } = wait else { return };
        loop {
            match self.acknowledge(callback).await {
                Ok(()) | Err(CallbackError::Unknown(_)) => return,
                Err(CallbackError::Store(error)) if error.is_unreachable() => rest(&error).await,
                Err(error) => {
                    tracing::warn!(callback, %error, "a callback of a flow stays in its inbox");
                    return;
                }
            }
        }
    }

    async fn acknowledge(&self, callback: &str) -> Result<(), CallbackError> {
        let Some(record) = self.store.waiting_callback(callback, EventSeq(0)).await? else { return Ok(()) };
        let holder = self.callbacks.get(callback).await?.holder;
        self.callbacks.ack(callback, holder, record.seq).await
    }

    /// Gives up what nobody waits for any more, however long the store takes.
    pub(super) async fn give_up(&self, wait: &FlowWait) {
        match wait {
            FlowWait::Timer { .. } => {}
            FlowWait::Callback { callback, .. } => self.close(callback).await,
            FlowWait::Call { api, key, .. } => self.cancel(api, key).await,
        }
    }

    /// Closes a callback, if there is one.
    pub(super) async fn close(&self, callback: &str) {
        loop {
            match self.callbacks.close(callback).await {
                Ok(_) | Err(CallbackError::Unknown(_)) => return,
                Err(CallbackError::Store(error)) if error.is_unreachable() => rest(&error).await,
                Err(error) => {
                    tracing::warn!(callback, %error, "a callback that a flow does not await any more stays open");
                    return;
                }
            }
        }
    }

    /// Cancels a request, if it was made and has not ended.
    async fn cancel(&self, api: &str, key: &str) {
        loop {
            let cancelled = match self.store.call_of_key(api, key).await {
                Ok(Some(call)) => self.calls.cancel(&call.head.id).await.map(drop),
                Ok(None) => return,
                Err(error) => Err(error.into()),
            };
            match cancelled {
                Ok(()) | Err(CallError::State(..) | CallError::Unknown(_)) => return,
                Err(CallError::Store(error)) if error.is_unreachable() => rest(&error).await,
                Err(CallError::Contended | CallError::Routing(_)) => tokio::time::sleep(AGAIN).await,
                Err(error) => {
                    tracing::warn!(api, key, %error, "a call that a flow does not wait for any more goes on");
                    return;
                }
            }
        }
    }
}

/// The store did not do something; it is asked again in a moment.
pub(super) async fn rest(error: &StoreError) {
    if matches!(error, StoreError::Closed) {
        // The gateway has ended, and what waits for it is dropped.
        return pending().await;
    }
    tracing::debug!(%error, "a flow waits for the store");
    tokio::time::sleep(AGAIN).await;
}
