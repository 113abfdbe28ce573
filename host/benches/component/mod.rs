//! The gateway component called directly, without the engine's threads: what a benchmark of the boundary measures.

#![allow(unreachable_pub, reason = "generated code, and what it refers to")]

use anglerfish::engine::GATEWAY_COMPONENT;
use std::collections::BTreeMap;
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceAny};
use wasmtime::{Config, Engine, Store};

wasmtime::component::bindgen!({
    path: "../wit",
    world: "gateway",
    ownership: Borrowing { duplicate_if_necessary: true },
    with: { "wasi:keyvalue/store.bucket": Bucket },
});

pub use exports::anglerfish::gateway::types::{Decision, Request};
use wasi::keyvalue::store::{Error, Host, HostBucket, KeyResponse};

/// The one bucket.
pub struct Bucket;

/// State in memory.
#[derive(Default)]
pub struct Keys(BTreeMap<String, Vec<u8>>);

impl Host for Keys {
    fn open(&mut self, _identifier: String) -> Result<Resource<Bucket>, Error> {
        Ok(Resource::new_own(0))
    }
}

impl HostBucket for Keys {
    fn get(&mut self, _bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.get(&key).cloned())
    }

    fn set(&mut self, _bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.0.insert(key, value);
        Ok(())
    }

    fn delete(&mut self, _bucket: Resource<Bucket>, key: String) -> Result<(), Error> {
        self.0.remove(&key);
        Ok(())
    }

    fn exists(&mut self, _bucket: Resource<Bucket>, key: String) -> Result<bool, Error> {
        Ok(self.0.contains_key(&key))
    }

    fn list_keys(
        &mut self,
        _bucket: Resource<Bucket>,
        _cursor: Option<String>,
    ) -> Result<KeyResponse, Error> {
        Ok(KeyResponse { keys: self.0.keys().cloned().collect(), cursor: None })
    }

    fn drop(&mut self, _bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// A warm instance with a routing table, run as the engine runs it: with epoch interruption and a cap on copies.
pub struct Warm {
    store: Store<Keys>,
    gateway: Gateway,
    router: ResourceAny,
}

impl Warm {
    /// Compiles the component and loads a configuration document.
    pub fn load(document: &[u8]) -> Self {
        let mut config = Config::new();
        config.epoch_interruption(true);
        config.concurrency_support(false);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, GATEWAY_COMPONENT).unwrap();
        let mut linker = Linker::<Keys>::new(&engine);
        Gateway::add_to_linker::<_, HasSelf<_>>(&mut linker, |keys| keys).unwrap();
        let mut store = Store::new(&engine, Keys::default());
        store.set_hostcall_fuel(64 << 20);
        store.set_epoch_deadline(u64::MAX / 2);
        let gateway = Gateway::instantiate(&mut store, &component, &linker).unwrap();
        let router = gateway
            .anglerfish_gateway_router()
            .router()
            .call_load(&mut store, document)
            .unwrap()
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        Self { store, gateway, router }
    }

    /// One decision. What it wrote is forgotten, so that the next one is no duplicate.
    pub fn decide(&mut self, request: Request<'_>) -> Decision {
        let router = self.gateway.anglerfish_gateway_router().router();
        let decision = router.call_decide(&mut self.store, self.router, request).unwrap();
        self.store.data_mut().0.clear();
        decision
    }
}
