//! What the code of a flow does everything through.

use super::waiting::{FlowAnswer, FlowOutcome, content};
use super::{FlowError, run::Run};
use crate::call::NewCall;
use crate::callback::{CallbackError, CallbackOptions};
use anglerfish_core::flow::{Asked, FlowRecord, FlowWait, StepOutcome, flow_callback};
use anglerfish_core::request::UnixMillis;
use futures_util::future::select_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// What the code of a flow does everything through that must not be done twice, or be another thing after a restart: time,
/// random numbers, calls, callbacks, and whatever has an effect or a result of its own ([`FlowContext::step`]).
///
/// What was done is answered from the journal. So code must do the same things in the same order when it runs again with the
/// same answers; where it does not, its flow is stopped and says what differs.
#[derive(Debug)]
pub struct FlowContext {
    pub(super) run: Arc<Run>,
}

/// Something that a flow has begun and can wait for.
#[derive(Debug, Clone)]
pub struct Pending {
    number: usize,
    wait: FlowWait,
    call: Option<NewCall>,
}

impl Pending {
    /// The address, if it is a callback.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match &self.wait {
            FlowWait::Callback { url, .. } => Some(url),
            _ => None,
        }
    }
}

impl FlowContext {
    /// The flow's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.run.open.flow.id
    }

    /// The version of the code that it was started with.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.run.open.flow.version
    }

    /// When it was started.
    #[must_use]
    pub fn started(&self) -> UnixMillis {
        self.run.open.flow.started()
    }

    /// Does something once and keeps its result, or its error in words. Where the process dies between the two it is done again:
    /// what it does elsewhere must bear that, as a request with an idempotency key does ([`FlowContext::call`]).
    ///
    /// # Errors
    ///
    /// It failed, now or when it was done; or its result is none of this type.
    pub async fn step<T, E, F, R>(&mut self, name: &str, run: F) -> Result<T, FlowError>
    where
        T: Serialize + DeserializeOwned,
        E: Display,
        F: FnOnce() -> R,
        R: Future<Output = Result<T, E>>,
    {
        let json = |error: serde_json::Error| {
            FlowError::Json(format!("the result of step {name:?}"), error.to_string())
        };
        let outcome = match self.run.asked(Asked::Step(name)).await {
            Some((_, FlowRecord::Step { outcome, .. })) => outcome,
            _ => {
                let outcome = match run().await {
                    Ok(value) => StepOutcome::Done(serde_json::to_value(&value).map_err(json)?),
                    Err(error) => StepOutcome::Failed(error.to_string()),
                };
                self.run.write(FlowRecord::Step { name: name.to_owned(), outcome: outcome.clone() }).await;
                outcome
            }
        };
        match outcome {
            StepOutcome::Done(value) => serde_json::from_value(value).map_err(json),
            StepOutcome::Failed(reason) => Err(FlowError::Step(name.to_owned(), reason)),
        }
    }

    /// Makes a request to an API of the configuration and waits for what becomes of it. It is one request, whatever happens to
    /// this process: each of its attempts carries the same idempotency key.
    pub async fn call(&mut self, call: NewCall) -> FlowAnswer {
        let pending = self.begin_call(call).await;
        match self.wait(&pending).await {
            FlowOutcome::Called(answer) => answer,
            // A journal that says something else of a call is none that this program wrote.
            other => FlowAnswer {
                state: "refused".to_owned(),
                status: None,
                headers: Vec::new(),
                body: format!("{other:?}").into(),
            },
        }
    }

    /// Begins a request, to be waited for with others.
    pub async fn begin_call(&mut self, mut call: NewCall) -> Pending {
        let flow = &self.run.open.flow;
        let api = call.api.clone();
        let asked = FlowWait::Call { api: api.clone(), key: String::new(), content: content(&call) };
        let (number, wait) = match self.run.asked(Asked::Begin(&asked)).await {
            Some((number, FlowRecord::Begun { wait })) => (number, wait),
            _ => {
                let number = self.run.next();
                // After it was opened again it is another request.
                let again = if flow.revision > 1 { format!(".{}", flow.revision) } else { String::new() };
                let given = call.key.take();
                let key = given.unwrap_or_else(|| format!("flow:{}/{}/{number}{again}", flow.flow, flow.id));
                let wait = FlowWait::Call { api, key, content: content(&call) };
                self.run.write(FlowRecord::Begun { wait: wait.clone() }).await;
                (number, wait)
            }
        };
        if let FlowWait::Call { key, .. } = &wait {
            call.key = Some(key.clone());
        }
        if self.run.is_newest() {
            // It goes on by itself from here; what is wrong with it is told to whoever waits for it.
            let _ = self.run.flows.waits().begin(&self.run.writes, &call).await;
        }
        Pending { number, wait, call: Some(call) }
    }

    /// An address for somebody to come to once. It is on disk with the journal before this returns.
    ///
    /// # Errors
    ///
    /// Nobody knows this gateway's address.
    pub async fn callback(&mut self, name: &str) -> Result<Pending, CallbackError> {
        self.callback_with(name, CallbackOptions::default()).await
    }

    /// The same for somebody of whom something is asked.
    ///
    /// # Errors
    ///
    /// What is asked makes no sense, or nobody knows this gateway's address.
    pub async fn callback_with(
        &mut self,
        name: &str,
        options: CallbackOptions,
    ) -> Result<Pending, CallbackError> {
        let asked = FlowWait::Callback { name: name.to_owned(), callback: String::new(), url: String::new() };
        let (number, wait) = match self.run.asked(Asked::Begin(&asked)).await {
            Some((number, FlowRecord::Begun { wait })) => (number, wait),
            _ => {
                let flow = &self.run.open.flow;
                let callback = flow_callback(&flow.flow, &flow.id, self.run.next());
                let options = CallbackOptions { once: true, ..options };
                // Held before it is written: the same name has the same address if the process dies between the two.
                let url = self.run.hold(&callback, &options).await?;
                let wait = FlowWait::Callback { name: name.to_owned(), callback, url };
                (self.run.write(FlowRecord::Begun { wait: wait.clone() }).await, wait)
            }
        };
        Ok(Pending { number, wait, call: None })
    }

    /// A timer that ends after this time, whatever happens meanwhile.
    pub async fn timer(&mut self, after: Duration) -> Pending {
        let until = self.run.flows.clock().now().after(after).0;
        let asked = FlowWait::Timer { until };
        let (number, wait) = match self.run.asked(Asked::Begin(&asked)).await {
            Some((number, FlowRecord::Begun { wait })) => (number, wait),
            _ => (self.run.write(FlowRecord::Begun { wait: asked.clone() }).await, asked),
        };
        Pending { number, wait, call: None }
    }

    /// Waits for this time, whatever happens meanwhile.
    pub async fn sleep(&mut self, time: Duration) {
        let timer = self.timer(time).await;
        let _ = self.wait(&timer).await;
    }

    /// Waits for something that was begun.
    pub async fn wait(&mut self, pending: &Pending) -> FlowOutcome {
        self.first(&[pending]).await.1
    }

    /// Waits for something that was begun, so long at most; then it is given up, and this is `None`.
    pub async fn timeout(&mut self, time: Duration, pending: &Pending) -> Option<FlowOutcome> {
        let timer = self.timer(time).await;
        match self.first(&[pending, &timer]).await {
            (0, outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Waits for the first of several to end, and says which. The others are given up: calls are cancelled, callbacks closed.
    /// Of none it waits for ever.
    pub async fn first(&mut self, several: &[&Pending]) -> (usize, FlowOutcome) {
        let of: Vec<usize> = several.iter().map(|pending| pending.number).collect();
        let (waits, writes) = (self.run.flows.waits(), &self.run.writes);
        let (winner, outcome) = match self.run.asked(Asked::Wait(&of)).await {
            Some((_, FlowRecord::Ended { winner, outcome, .. })) => (winner, outcome),
            _ if several.is_empty() => std::future::pending().await,
            _ => {
                // What has an entry behind it was made; what is old may have ended and be forgotten.
                let (entries, is_old) = (self.run.next(), waits.may_be_forgotten(&self.run.open.flow));
                let ends = several.iter().map(|pending| {
                    let is_made = is_old && pending.number + 1 < entries;
                    Box::pin(waits.outcome(writes, &pending.wait, pending.call.as_ref(), is_made))
                });
                let (outcome, winner, _) = select_all(ends).await;
                self.run.write(FlowRecord::Ended { of, winner, outcome: outcome.clone() }).await;
                (winner, outcome)
            }
        };
        // Whoever died here does it again.
        if self.run.is_newest() {
            for (index, pending) in several.iter().enumerate() {
                match index == winner {
                    true => waits.finish(&pending.wait).await,
                    false => waits.give_up(&pending.wait).await,
                }
            }
        }
        (winner, outcome.into())
    }

    /// A random number.
    pub async fn random(&mut self) -> u64 {
        match self.run.asked(Asked::Random).await {
            Some((_, FlowRecord::Random { value })) => value,
            _ => {
                let value = fastrand::u64(..);
                self.run.write(FlowRecord::Random { value }).await;
                value
            }
        }
    }

    /// The present time.
    pub async fn now(&mut self) -> UnixMillis {
        match self.run.asked(Asked::Now).await {
            Some((_, FlowRecord::Now { at })) => UnixMillis(at),
            _ => {
                let at = self.run.flows.clock().now();
                self.run.write(FlowRecord::Now { at: at.0 }).await;
                at
            }
        }
    }
}
