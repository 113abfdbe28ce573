//! One warm instance of the component with its routing table loaded.

use super::bindings::Gateway;
use super::convert;
use super::document::{DocumentAnswer, DocumentQuestion};
use super::overlay::State;
use super::request::InboundRequest;
use super::table::{self, Change, Table};
use crate::store::{KeyOverlay, KeyReader};
use anglerfish_core::decision::{Decision, Routing};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{
    Explanation, LONGEST_BODY, Rendered, RoutingDocument, RoutingSubscription, Verdict,
};
use serde::Serialize;
use std::sync::Arc;
use wasmtime::component::{InstancePre, ResourceAny};
use wasmtime::{Store, Trap};

/// How much a call may copy out beside what it was given: attributes, reasons, keys.
const COPY_ALLOWANCE: usize = 4 << 20;

/// How much a decision may copy out beside the parts of the request's body: the deliveries of a whole batch.
const DECISION_ALLOWANCE: usize = 16 << 20;

/// How many bytes of subscriptions are loaded in one document.
const AT_ONCE: usize = 256 << 10;

/// What limits one instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct InstanceLimits {
    /// Bytes of linear memory.
    pub(super) memory: usize,
    /// Ticks of the epoch that one call may take.
    pub(super) call_ticks: u64,
    /// Ticks of the epoch that a decision may take on a thread that serves connections.
    pub(super) slice_ticks: u64,
    /// Ticks of the epoch that loading the routing table may take.
    pub(super) load_ticks: u64,
    /// Ticks of the epoch that an explanation for all subscriptions may take.
    pub(super) explain_ticks: u64,
}

/// Why a call gave no answer. The instance cannot be used again.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    #[error("the component ran into its deadline")]
    Deadline,
    #[error("the component needs more memory than it may have")]
    Memory,
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

impl LoadError {
    /// Whether the table needs more memory than there may be.
    pub(super) const fn is_memory(&self) -> bool {
        matches!(self, Self::Fault(Fault::Memory))
    }
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
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(COPY_ALLOWANCE);
        store.set_epoch_deadline(limits.load_ticks);
        let instance = pre.instantiate(&mut store).map_err(|error| fault(&store, &error))?;
        let gateway = Gateway::new(&mut store, &instance).map_err(|error| fault(&store, &error))?;
        let (RoutingDocument { source, resource, mut subscription }, version) = table.document();
        let first = at_once(&subscription);
        let later = subscription.split_off(first);
        let document = json(&RoutingDocument { source, resource, subscription })?;
        let router = gateway
            .anglerfish_gateway_router()
            .router()
            .call_load(&mut store, &document)
            .map_err(|error| fault(&store, &error))?
            .map_err(|problems| LoadError::Problems(convert::problems(problems)))?;
        let mut problems = Vec::new();
        for (index, subscription) in (first..).zip(later) {
            let document = json(&subscription)?;
            let router_type = gateway.anglerfish_gateway_router().router();
            let put = router_type.call_put_subscription(&mut store, router, &document);
            if let Err(found) = put.map_err(|error| fault(&store, &error))? {
                let below = |problem: Problem| Problem {
                    path: format!("subscription[{index}].{}", problem.path),
                    ..problem
                };
                problems.extend(convert::problems(found).into_iter().map(below));
            }
        }
        if !problems.is_empty() {
            return Err(LoadError::Problems(problems));
        }
        Ok(Self { store, gateway, router, limits, version })
    }

    /// The version of its routing table.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Brings the routing table up to date; `Ok(false)` if that takes a new instance.
    pub(super) fn catch_up(&mut self, table: &Table) -> Result<bool, Fault> {
        if self.version == table.version() {
            return Ok(true);
        }
        let Some((changes, version)) = table.changes_since(self.version) else { return Ok(false) };
        for change in &changes {
            if let Err(problems) = self.apply(change)? {
                tracing::error!(
                    of = change.name(),
                    ?problems,
                    "the component refused a change that it took before"
                );
            }
        }
        self.version = version;
        Ok(true)
    }

    /// Makes one change, or tells the problems of it.
    pub(super) fn apply(&mut self, change: &Change) -> Result<Result<(), Vec<Problem>>, Fault> {
        self.store.set_epoch_deadline(self.limits.load_ticks);
        let router = self.gateway.anglerfish_gateway_router().router();
        let (store, own) = (&mut self.store, self.router);
        let applied = match change {
            Change::Put(subscription) => {
                router.call_put_subscription(store, own, &json(subscription.as_ref())?)
            }
            Change::Delete(id) => router.call_delete_subscription(store, own, id).map(Ok),
            Change::PutSource(source) => router.call_put_source(store, own, &json(source.as_ref())?),
            Change::DeleteSource(name) => router.call_delete_source(store, own, name),
            Change::PutResource(resource) => router.call_put_resource(store, own, &json(resource.as_ref())?),
            Change::DeleteResource(id) => router.call_delete_resource(store, own, id),
        };
        Ok(applied.map_err(|error| fault(&self.store, &error))?.map_err(convert::problems))
    }

    /// Lets it have no more memory than so much, beside what it has.
    pub(super) fn limit_memory(&mut self, most: usize) {
        self.store.data_mut().memory.set(most);
    }

    /// How much memory it has.
    pub(super) fn memory(&self) -> usize {
        self.store.data().memory.size()
    }

    /// Tells an instance that made the newest change itself.
    pub(super) fn is_at(&mut self, version: u64) {
        self.version = version;
    }

    /// The decision about one request.
    pub(super) fn decide(&mut self, request: &InboundRequest) -> Result<(Decision, KeyOverlay), Fault> {
        self.decide_within(request, self.limits.call_ticks)
    }

    /// The same, if it takes no more than a slice of its time.
    pub(super) fn decide_at_once(
        &mut self,
        request: &InboundRequest,
    ) -> Result<(Decision, KeyOverlay), Fault> {
        self.decide_within(request, self.limits.slice_ticks)
    }

    fn decide_within(
        &mut self,
        request: &InboundRequest,
        ticks: u64,
    ) -> Result<(Decision, KeyOverlay), Fault> {
        self.store.set_epoch_deadline(ticks);
        let headers = convert::header_block(&request.headers);
        let fetched = convert::fetched(&request.fetched);
        // A batch comes back in parts.
        self.store.set_hostcall_fuel(DECISION_ALLOWANCE.saturating_add(request.body.len()));
        let request = convert::request(request, &headers, &fetched);
        let router = self.gateway.anglerfish_gateway_router().router();
        let decision = router
            .call_decide(&mut self.store, self.router, request)
            .map_err(|error| fault(&self.store, &error))?;
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
            .map_err(|error| fault(&self.store, &error))?;
        Ok(convert::routing(routing))
    }

    /// What a subscription makes of an event; within, why it cannot be made of this one.
    pub(super) fn render(
        &mut self,
        subscription: &str,
        event: &Event,
        headers: &[(String, String)],
        data: &[u8],
        received: UnixMillis,
    ) -> Result<Result<Rendered, String>, Fault> {
        self.store.set_epoch_deadline(self.limits.call_ticks);
        self.store.set_hostcall_fuel(COPY_ALLOWANCE.saturating_add(LONGEST_BODY));
        let headers = convert::headers(headers);
        let extensions = convert::extensions(event);
        let event = convert::event_param(event, &extensions);
        let router = self.gateway.anglerfish_gateway_router().router();
        let rendered = router
            .call_render(&mut self.store, self.router, subscription, event, &headers, data, received.0)
            .map_err(|error| fault(&self.store, &error));
        self.store.set_hostcall_fuel(COPY_ALLOWANCE);
        Ok(rendered?.map(|rendered| Rendered { body: rendered.body, values: rendered.values }))
    }

    /// The decision about a document.
    pub(super) fn document(
        &mut self,
        asked: &DocumentQuestion,
    ) -> Result<(DocumentAnswer, KeyOverlay), Fault> {
        self.store.set_epoch_deadline(self.limits.call_ticks);
        // Contents are copied in and out, and each subscriber that is told has a key.
        self.store.set_hostcall_fuel(self.limits.memory);
        let router = self.gateway.anglerfish_gateway_router().router();
        let (store, own) = (&mut self.store, self.router);
        let answer = match asked {
            DocumentQuestion::Change(change) => router
                .call_change_document(store, own, convert::document_change(change))
                .map(|decision| DocumentAnswer::Decision(convert::document_decision(decision))),
            DocumentQuestion::Announce { subscription, change, why } => router
                .call_announce_document(
                    store,
                    own,
                    subscription,
                    convert::document_change(change),
                    convert::announcement(*why),
                )
                .map(|decision| DocumentAnswer::Decision(convert::document_decision(decision))),
            DocumentQuestion::Notice { subscription, event, data, outlived } => {
                let extensions = convert::extensions(event);
                let event = convert::event_param(event, &extensions);
                let notice = router.call_document_notice(store, own, subscription, event, data, *outlived);
                notice.map(|notice| DocumentAnswer::Notice(notice.map(convert::notice)))
            }
            DocumentQuestion::Doubt { subscription, event, data } => {
                let extensions = convert::extensions(event);
                let event = convert::event_param(event, &extensions);
                router
                    .call_doubt_document(store, own, subscription, event, data)
                    .map(DocumentAnswer::Acknowledged)
            }
            DocumentQuestion::Acknowledge { subscription, url, receipt } => router
                .call_acknowledge_document(store, own, subscription, url, receipt)
                .map(DocumentAnswer::Acknowledged),
        };
        let answer = answer.map_err(|error| fault(&self.store, &error));
        self.store.set_hostcall_fuel(COPY_ALLOWANCE);
        let keys = self.store.data_mut().take_overlay();
        Ok((answer?, keys))
    }

    pub(super) fn explain(&mut self, request: &InboundRequest) -> Result<Explanation, Fault> {
        self.store.set_epoch_deadline(self.limits.explain_ticks);
        let headers = convert::header_block(&request.headers);
        let fetched = convert::fetched(&request.fetched);
        let request = convert::request(request, &headers, &fetched);
        // An explanation has a reason for each of all the subscriptions.
        self.store.set_hostcall_fuel(self.limits.memory);
        let router = self.gateway.anglerfish_gateway_router().router();
        let explanation = router
            .call_explain(&mut self.store, self.router, request)
            .map_err(|error| fault(&self.store, &error));
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
        self.store.set_epoch_deadline(self.limits.explain_ticks);
        self.store.set_hostcall_fuel(self.limits.memory);
        let headers = convert::headers(headers);
        let extensions = convert::extensions(event);
        let event = convert::event_param(event, &extensions);
        let router = self.gateway.anglerfish_gateway_router().router();
        let verdicts = router
            .call_explain_event(&mut self.store, self.router, event, &headers, data, received.0, only)
            .map_err(|error| fault(&self.store, &error));
        self.store.set_hostcall_fuel(COPY_ALLOWANCE);
        Ok(verdicts?.into_iter().map(convert::verdict).collect())
    }
}

/// How many of the first subscriptions are loaded in one document. A document takes a multiple of its length while it is read, for
/// which a large table may have no room; the others are put one by one.
fn at_once(subscriptions: &[RoutingSubscription]) -> usize {
    let mut length = 0_usize;
    let fits = |subscription: &&RoutingSubscription| {
        length += table::length(subscription);
        length <= AT_ONCE
    };
    subscriptions.iter().take_while(fits).count()
}

fn json<T: Serialize>(document: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(document).map_err(|error| Fault::Trapped(error.to_string()))
}

fn fault(store: &Store<State>, error: &wasmtime::Error) -> Fault {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Fault::Deadline,
        _ if store.data().memory.refused() => Fault::Memory,
        Some(trap) => Fault::Trapped(trap.to_string()),
        None => Fault::Trapped(format!("{error:#}")),
    }
}
