//! A thread that runs decisions one after another on its warm instance.

use super::instance::{Fault, Instance, InstanceLimits, LoadError};
use super::overlay::State;
use super::pool::EngineError;
use super::request::InboundRequest;
use super::table::Table;
use crate::store::{KeyOverlay, KeyReader};
use anglerfish_core::decision::{Decision, Routing};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{Explanation, Verdict};
use std::sync::Arc;
use tokio::sync::oneshot;
use wasmtime::component::InstancePre;

/// A decision with the keys that it read and wrote.
#[derive(Debug)]
pub struct Decided {
    /// What the component decided.
    pub decision: Decision,
    /// What it read and wrote; to be committed with the decision.
    pub keys: KeyOverlay,
}

type Reply<T> = oneshot::Sender<Result<T, EngineError>>;

/// One call for a worker.
pub(super) enum Job {
    Decide(Arc<InboundRequest>, Reply<Decided>),
    Route(Box<RoutedEvent>, Reply<Routing>),
    Explain(Box<InboundRequest>, Reply<Explanation>),
    ExplainEvent(Box<StoredEvent>, Reply<Vec<Verdict>>),
}

/// An event to route that comes from no request.
pub(super) struct RoutedEvent {
    pub(super) event: Event,
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: bytes::Bytes,
    pub(super) received: UnixMillis,
}

/// An event to explain as it was stored.
pub(super) struct StoredEvent {
    pub(super) event: Event,
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: bytes::Bytes,
    pub(super) received: UnixMillis,
    pub(super) only: Option<String>,
}

/// What a worker makes instances from.
#[derive(Clone)]
pub(super) struct Workshop {
    pub(super) pre: InstancePre<State>,
    pub(super) reader: Arc<dyn KeyReader>,
    pub(super) limits: InstanceLimits,
    pub(super) table: Arc<Table>,
}

impl Workshop {
    pub(super) fn instance(&self) -> Result<Instance, LoadError> {
        Instance::load(&self.pre, Arc::clone(&self.reader), self.limits, &self.table)
    }
}

pub(super) struct Worker {
    workshop: Workshop,
    instance: Option<Instance>,
}

impl Worker {
    pub(super) fn new(workshop: Workshop, instance: Instance) -> Self {
        Self { workshop, instance: Some(instance) }
    }

    /// Runs until the channel closes.
    pub(super) fn run(mut self, jobs: &crossbeam_channel::Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Decide(request, reply) => {
                    // A sender that is gone needs no decision: it was answered nothing, so nothing is lost.
                    if reply.is_closed() {
                        continue;
                    }
                    let decided = self
                        .call(|instance| instance.decide(&request))
                        .map(|(decision, keys)| Decided { decision, keys });
                    let _ = reply.send(decided);
                }
                Job::Route(routed, reply) => {
                    if reply.is_closed() {
                        continue;
                    }
                    let RoutedEvent { event, headers, data, received } = &*routed;
                    let _ = reply.send(self.call(|instance| instance.route(event, headers, data, *received)));
                }
                Job::Explain(request, reply) => {
                    let _ = reply.send(self.call(|instance| instance.explain(&request)));
                }
                Job::ExplainEvent(stored, reply) => {
                    let verdicts = self.call(|instance| {
                        let StoredEvent { event, headers, data, received, only } = &*stored;
                        instance.explain_event(event, headers, data, *received, only.as_deref())
                    });
                    let _ = reply.send(verdicts);
                }
            }
        }
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut Instance) -> Result<T, Fault>) -> Result<T, EngineError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.fresh()?,
        };
        match instance.catch_up(&self.workshop.table) {
            Ok(true) => {}
            Ok(false) => instance = self.fresh()?,
            Err(fault) => return Err(self.replace(&fault)),
        }
        match call(&mut instance) {
            Ok(answer) => {
                self.instance = Some(instance);
                Ok(answer)
            }
            Err(fault) => {
                drop(instance);
                Err(self.replace(&fault))
            }
        }
    }

    /// Makes a fresh instance ready before the next call, so that only the call that trapped pays for it.
    fn replace(&mut self, fault: &Fault) -> EngineError {
        tracing::error!(%fault, "the instance is replaced");
        self.instance = self.fresh().ok();
        match fault {
            Fault::Deadline => EngineError::Deadline,
            Fault::Trapped(reason) => EngineError::Trapped(reason.clone()),
        }
    }

    fn fresh(&self) -> Result<Instance, EngineError> {
        self.workshop.instance().map_err(|error| {
            tracing::error!(%error, "no fresh instance could be made");
            EngineError::Trapped(error.to_string())
        })
    }
}
