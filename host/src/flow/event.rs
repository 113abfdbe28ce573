//! Flows that events start.

use super::flows::{Code, Shared};
use super::{FlowError, Flows};
use crate::clock::WallClock;
use crate::delivery::{AttemptFailure, Attempted, Endpoint, FlowEndpoints};
use crate::store::LeasedDelivery;
use anglerfish_core::attempt::{CloudEvent, DataForm};
use anglerfish_core::flow::event_flow_id;
use async_trait::async_trait;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

impl Flows {
    /// Makes what starts flows by deliveries. It does not keep them: they stand on what deliveries are part of.
    pub(crate) fn endpoints(&self) -> Box<FlowEndpoints> {
        let (shared, clock) = (Arc::downgrade(&self.shared), self.clock().clone());
        Box::new(move |flow: &str| -> Arc<dyn Endpoint> {
            let (shared, flow, clock) = (Weak::clone(&shared), flow.to_owned(), clock.clone());
            Arc::new(FlowEndpoint { shared, flow, clock, withdrawn: Notify::new() })
        })
    }
}

/// Starts a flow by each delivery.
struct FlowEndpoint {
    shared: Weak<Shared>,
    flow: String,
    clock: WallClock,
    withdrawn: Notify,
}

/// What came of a delivery.
enum Start {
    /// A flow is started, in words.
    New(String),
    /// Nothing, as there is its flow already, in words.
    There(String),
    /// Nothing now, for this reason.
    NotNow(String),
    /// Nothing, and it will not be otherwise.
    Never(String),
    /// Nothing, as nothing is to begin any more.
    Withdrawn,
}

#[async_trait]
impl Endpoint for FlowEndpoint {
    async fn attempt(&self, delivery: LeasedDelivery, timeout: Duration) -> Attempted {
        let (started, begun) = (self.clock.now(), Instant::now());
        let (answer, failed) = match self.start(&delivery, timeout).await {
            Start::New(words) => (Some(words), None),
            Start::There(words) => (None, Some((AttemptFailure::Unneeded, words))),
            Start::NotNow(reason) => (None, Some((AttemptFailure::Local, reason))),
            Start::Never(reason) => (None, Some((AttemptFailure::Unsendable, reason))),
            Start::Withdrawn => return Attempted::withdrawn(started),
        };
        Attempted { answer, ..Attempted::within(started, begun.elapsed(), failed) }
    }

    fn withdraw(&self) {
        self.withdrawn.notify_waiters();
    }
}

impl FlowEndpoint {
    async fn start(&self, delivery: &LeasedDelivery, timeout: Duration) -> Start {
        let Some(flows) = self.shared.upgrade().map(|shared| Flows { shared }) else {
            return Start::Withdrawn;
        };
        let code = match self.code(&flows, timeout).await {
            Ok(code) => code,
            Err(other) => return other,
        };
        let LeasedDelivery { event, data, .. } = delivery;
        let id = event_flow_id(&event.source, &event.id);
        let flow = format!("{}/{id}", self.flow);
        let input = match serde_json::to_value(CloudEvent::new(event, data, DataForm::Plain)) {
            Ok(input) => input,
            Err(error) => return Start::Never(format!("the event cannot be written as JSON: {error}")),
        };
        match flows.start_with(code, &id, input).await {
            Ok((_, true)) => Start::New(format!("started flow {flow}")),
            Ok((_, false)) => Start::There(format!("flow {flow} is there already")),
            // It is this event's all the same: a plugin may have made something else of it this time.
            Err(FlowError::OtherInput(_)) => {
                Start::There(format!("flow {flow} is there already, with other data of this event"))
            }
            Err(FlowError::Invalid(problems)) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Start::Never(format!("flow {flow} cannot be started: {}", problems.join("; ")))
            }
            Err(FlowError::Stopping) => Start::Withdrawn,
            Err(error) => Start::NotNow(format!("flow {} cannot be started now: {error}", self.flow)),
        }
    }

    /// The code of its flows; a program makes it known once it runs, so that it is waited for.
    async fn code(&self, flows: &Flows, timeout: Duration) -> Result<Arc<Code>, Start> {
        let mut withdrawn = std::pin::pin!(self.withdrawn.notified());
        withdrawn.as_mut().enable();
        let until = tokio::time::Instant::now() + timeout;
        loop {
            let mut known = std::pin::pin!(flows.shared.known.notified());
            // From here on none that becomes known is missed.
            known.as_mut().enable();
            if let Some(code) = flows.newest(&self.flow) {
                return Ok(code);
            }
            tokio::select! {
                () = known => {}
                () = &mut withdrawn => return Err(Start::Withdrawn),
                () = flows.stopped() => return Err(Start::Withdrawn),
                () = tokio::time::sleep_until(until) => {
                    return Err(Start::NotNow(format!("this program has no flow {}", self.flow)));
                }
            }
        }
    }
}
