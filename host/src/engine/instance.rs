//! One warm instance of the component with its routing table loaded.

use super::bindings::Gateway;
use super::convert;
use super::overlay::State;
use super::request::InboundRequest;
use super::table::{Change, Table};
use crate::store::{KeyOverlay, KeyReader};
use anglerfish_core::decision::{Decision, Routing};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{Explanation, Verdict};
use serde::Serialize;
use std::sync::Arc;
use wasmtime::component::{InstancePre, ResourceAny};
use wasmtime::{Store, Trap};

/// How much a call may copy out beside what it was given: attributes, reasons, keys.
const COPY_ALLOWANCE: usize = 4 << 20;

/// What limits one instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct InstanceLimits {
    /// Bytes of linear memory.
    pub(super) memory: usize,
    /// Ticks of the epoch that one call may take.
    pub(super) call_ticks: u64,
    /// Ticks of the epoch that loading the routing table may take.
    pub(super) load_ticks: u64,
}

/// Why a call gave no answer. The instance cannot be used again.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    #[error("the component ran into its deadline")]
    Deadline,
    #[error("the component trapped: {0}")]
    Trapped(String),
}

/// Why an instance could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("the configuration has {} problem(s)", .0.len())]
    Problems(Vec<Problem>),
}

pub(super) struct Instance {
    store: Store<State>,
    gateway: Gateway,
    router: ResourceAny,
    limits: InstanceLimits,
    version: u64,
}

impl Instance {
    pub(super) fn load(
        pre: &InstancePre<State>,
        reader: Arc<dyn KeyReader>,
        limits: InstanceLimits,
        table: &Table,
    ) -> Result<Self, LoadError> {
        let mut store = Store::new(pre.engine(), State::new(reader, limits.memory));
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(COPY_ALLOWANCE);
        store.set_epoch_deadline(limits.load_ticks);
        let instance = pre.instantiate(&mut store).map_err(|error| fault(&error))?;
        let gateway = Gateway::new(&mut store, &instance).map_err(|error| fault(&error))?;
        let (document, version) = table.document();
        let document = json(&document)?;
        let router = gateway
            .anglerfish_gateway_router()
            .router()
            .call_load(&mut store, &document)
            .map_err(|error| fault(&error))?
            .map_err(|problems| LoadError::Problems(convert::problems(problems)))?;
        Ok(Self { store, gateway, router, limits, version })
    }

    /// Brings the routing table up to date; `Ok(false)` if that takes a new instance.
    pub(super) fn catch_up(&mut self, table: &Table) -> Result<bool, Fault> {
        if self.version == table.version() {
            return Ok(true);
        }
        let Some((changes, version)) = table.changes_since(self.version) else { return Ok(false) };
        for change in changes {
            self.store.set_epoch_deadline(self.limits.load_ticks);
            let router = self.gateway.anglerfish_gateway_router().router();
            let (store, own) = (&mut self.store, self.router);
            let changed = match &change {
                Change::Put(subscription) => router.call_put_subscription(store, own, &json(subscription)?),
                Change::Delete(id) => router.call_delete_subscription(store, own, id).map(Ok),
                Change::PutSource(source) => router.call_put_source(store, own, &json(source)?),
                Change::DeleteSource(name) => router.call_delete_source(store, own, name),
            };
            if let Err(problems) = changed.map_err(|error| fault(&error))? {
                let problems = convert::problems(problems);
                tracing::error!(
                    change = change.name(),
                    ?problems,
                    "the component refused a validated change"
                );
            }
        }
        self.version = version;
        Ok(true)
    }

    pub(super) fn decide(&mut self, request: &InboundRequest) -> Result<(Decision, KeyOverlay), Fault> {
        self.store.set_epoch_deadline(self.limits.call_ticks);
        let headers = convert::header_block(&request.headers);
        let fetched = convert::fetched(&request.fetched);
        let request = convert::request(request, &headers, &fetched);
        let router = self.gateway.anglerfish_gateway_router().router();
        let decision =
            router.call_decide(&mut self.store, self.router, request).map_err(|error| fault(&error))?;
        Ok((convert::decision(decision), self.store.data_mut().take_overlay()))
    }

    pub(super) fn route(
        &mut self,
        event: &Event,
        headers: &[(String, String)],
        data: &[u8],
        received: UnixMillis,
    ) -> Result<Routing, Fault> {
        self.store.set_epoch_deadline(self.limits.call_ticks);
        let headers = convert::headers(headers);
        let extensions = convert::extensions(event);
        let event = convert::event_param(event, &extensions);
        let router = self.gateway.anglerfish_gateway_router().router();
        let routing = router
            .call_route(&mut self.store, self.router, event, &headers, data, received.0)
            .map_err(|error| fault(&error))?;
        Ok(convert::routing(routing))
    }

    pub(super) fn explain(&mut self, request: &InboundRequest) -> Result<Explanation, Fault> {
        self.store.set_epoch_deadline(self.limits.load_ticks);
        let headers = convert::header_block(&request.headers);
        let fetched = convert::fetched(&request.fetched);
        let request = convert::request(request, &headers, &fetched);
        // An explanation has a reason for each of all the subscriptions.
        self.store.set_hostcall_fuel(self.limits.memory);
        let router = self.gateway.anglerfish_gateway_router().router();
        let explanation =
            router.call_explain(&mut self.store, self.router, request).map_err(|error| fault(&error));
        self.store.set_hostcall_fuel(COPY_ALLOWANCE);
        // What it read is not committed, and it wrote nothing.
        drop(self.store.data_mut().take_overlay());
        explanation.map(convert::explanation)
    }

    pub(super) fn explain_event(
        &mut self,
        event: &Event,
        headers: &[(String, String)],
        data: &[u8],
        received: UnixMillis,
        only: Option<&str>,
    ) -> Result<Vec<Verdict>, Fault> {
        self.store.set_epoch_deadline(self.limits.load_ticks);
        self.store.set_hostcall_fuel(self.limits.memory);
        let headers = convert::headers(headers);
        let extensions = convert::extensions(event);
        let event = convert::event_param(event, &extensions);
        let router = self.gateway.anglerfish_gateway_router().router();
        let verdicts = router
            .call_explain_event(&mut self.store, self.router, event, &headers, data, received.0, only)
            .map_err(|error| fault(&error));
        self.store.set_hostcall_fuel(COPY_ALLOWANCE);
        Ok(verdicts?.into_iter().map(convert::verdict).collect())
    }
}

fn json<T: Serialize>(document: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(document).map_err(|error| Fault::Trapped(error.to_string()))
}

fn fault(error: &wasmtime::Error) -> Fault {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Fault::Deadline,
        Some(trap) => Fault::Trapped(trap.to_string()),
        None => Fault::Trapped(format!("{error:#}")),
    }
}
