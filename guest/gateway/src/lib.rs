//! The gateway component: the WIT contract of `wit/gateway.wit` over `anglerfish-core`.
//!
//! It imports key-value state and nothing else; everything that decides is in the core.

mod bindings;
mod convert;
mod keys;

use anglerfish_core::decision::Decision;
use anglerfish_core::router::{Explanation, Rendered, Router as Core};
use bindings::exports::anglerfish::gateway::router::{Guest, GuestRouter, Router};
use bindings::exports::anglerfish::gateway::types;
use keys::KeyValueStore;
use std::cell::RefCell;

struct Gateway;

impl Guest for Gateway {
    type Router = RoutingTable;
}

/// The resource `router`. The component is single-threaded, so a `RefCell` never finds itself borrowed.
struct RoutingTable {
    core: RefCell<Core>,
    keys: RefCell<KeyValueStore>,
}

fn routing_table(core: Core) -> Router {
    Router::new(RoutingTable { core: RefCell::new(core), keys: RefCell::new(KeyValueStore::default()) })
}

impl GuestRouter for RoutingTable {
    fn load(configuration: Vec<u8>) -> Result<Router, Vec<types::Problem>> {
        Core::load(&configuration).map(routing_table).map_err(convert::problems)
    }

    fn pack(configuration: Vec<u8>) -> Result<Vec<u8>, Vec<types::Problem>> {
        Core::pack(&configuration).map_err(convert::problems)
    }

    fn load_packed(packed: Vec<u8>) -> Result<Router, String> {
        Core::load_packed(packed).map(routing_table)
    }

    fn put_source(&self, source: Vec<u8>) -> Result<(), Vec<types::Problem>> {
        self.core.borrow_mut().put_source(&source).map_err(convert::problems)
    }

    fn delete_source(&self, name: String) -> Result<(), Vec<types::Problem>> {
        self.core.borrow_mut().delete_source(&name).map_err(convert::problems)
    }

    fn put_resource(&self, resource: Vec<u8>) -> Result<(), Vec<types::Problem>> {
        self.core.borrow_mut().put_resource(&resource).map_err(convert::problems)
    }

    fn delete_resource(&self, id: String) -> Result<(), Vec<types::Problem>> {
        self.core.borrow_mut().delete_resource(&id).map_err(convert::problems)
    }

    fn put_subscription(&self, subscription: Vec<u8>) -> Result<(), Vec<types::Problem>> {
        self.core.borrow_mut().put_subscription(&subscription).map_err(convert::problems)
    }

    fn delete_subscription(&self, id: String) {
        self.core.borrow_mut().delete_subscription(&id);
    }

    fn decide(&self, request: types::Request) -> types::Decision {
        let decision = match convert::request(&request) {
            Some(request) => self.core.borrow_mut().decide(&request, &mut *self.keys.borrow_mut()),
            None => Decision::Reject(convert::malformed()),
        };
        convert::decision(decision)
    }

    fn route(
        &self,
        event: types::Event,
        headers: Vec<types::Header>,
        data: Vec<u8>,
        received: types::UnixMillis,
    ) -> types::Routing {
        let event = convert::event_in(event);
        let headers: Vec<_> = headers.iter().map(convert::header).collect();
        let now = convert::instant(received);
        convert::routing(self.core.borrow_mut().route(&event, &headers, &data, now))
    }

    fn render(
        &self,
        subscription: String,
        event: types::Event,
        headers: Vec<types::Header>,
        data: Vec<u8>,
        received: types::UnixMillis,
    ) -> Result<types::Rendered, String> {
        let event = convert::event_in(event);
        let headers: Vec<_> = headers.iter().map(convert::header).collect();
        let now = convert::instant(received);
        let Rendered { body, values } =
            self.core.borrow_mut().render(&subscription, &event, &headers, &data, now)?;
        Ok(types::Rendered { body, values })
    }

    fn change_document(&self, change: types::DocumentChange) -> types::DocumentDecision {
        let change = convert::document_change(&change);
        let decision = self.core.borrow_mut().change_document(&change, &mut *self.keys.borrow_mut());
        convert::document_decision(decision)
    }

    fn announce_document(
        &self,
        subscription: String,
        change: types::DocumentChange,
        why: types::Announcement,
    ) -> types::DocumentDecision {
        let change = convert::document_change(&change);
        let keys = &mut *self.keys.borrow_mut();
        convert::document_decision(self.core.borrow_mut().announce_document(
            &subscription,
            &change,
            convert::announcement(why),
            keys,
        ))
    }

    fn document_notice(
        &self,
        subscription: String,
        event: types::Event,
        data: Vec<u8>,
        outlived: bool,
    ) -> Result<types::Notice, String> {
        let event = convert::event_in(event);
        let keys = &mut *self.keys.borrow_mut();
        let notice =
            self.core.borrow_mut().document_notice(&subscription, (&event, data.as_slice()), outlived, keys);
        notice.map(convert::notice)
    }

    fn doubt_document(&self, subscription: String, event: types::Event, data: Vec<u8>) -> Result<(), String> {
        let event = convert::event_in(event);
        let keys = &mut *self.keys.borrow_mut();
        self.core.borrow_mut().doubt_document(&subscription, &event, &data, keys)
    }

    fn acknowledge_document(
        &self,
        subscription: String,
        url: String,
        receipt: Vec<u8>,
    ) -> Result<(), String> {
        let keys = &mut *self.keys.borrow_mut();
        self.core.borrow_mut().acknowledge_document(&subscription, &url, &receipt, keys)
    }

    fn hold_writes(&self) {
        self.keys.borrow_mut().hold();
    }

    fn take_writes(&self) -> Vec<types::Write> {
        let held = self.keys.borrow_mut().take();
        held.into_iter().map(|(key, value)| types::Write { key, value }).collect()
    }

    fn explain(&self, request: types::Request) -> types::Explanation {
        let explanation = match convert::request(&request) {
            Some(request) => self.core.borrow_mut().explain(&request, &mut *self.keys.borrow_mut()),
            None => Explanation::rejected(convert::malformed()),
        };
        convert::explanation(explanation)
    }

    fn explain_event(
        &self,
        event: types::Event,
        headers: Vec<types::Header>,
        data: Vec<u8>,
        received: types::UnixMillis,
        only: Option<String>,
    ) -> Vec<types::Verdict> {
        let event = convert::event_in(event);
        let headers: Vec<_> = headers.iter().map(convert::header).collect();
        let now = convert::instant(received);
        let verdicts = self.core.borrow_mut().explain_event(&event, &headers, &data, now, only.as_deref());
        verdicts.into_iter().map(convert::verdict).collect()
    }
}

#[expect(unsafe_code, reason = "the exports of the canonical ABI are generated")]
mod export {
    use super::{Gateway, bindings};

    bindings::export!(Gateway with_types_in bindings);
}
