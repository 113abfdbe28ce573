//! Where the time of a fresh instance goes: the component by itself, and the same code natively, part by part.

use crate::document;
use anglerfish_core::edge::{Deployment, Directory};
use anglerfish_core::router::{Router, RoutingDocument};
use anglerfish_filter::Expression;
use anglerfish_filter::table::{RuleKey, Table};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, HasSelf, Linker, Resource};
use wasmtime::{Config, Engine, Store};

mod gateway {
    #![allow(unreachable_pub, reason = "generated code, and what it refers to")]
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "gateway",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: { "wasi:keyvalue/store.bucket": super::Bucket },
    });
}

use gateway::wasi::keyvalue::store::{Error, Host, HostBucket, KeyResponse};

/// The one bucket, which is empty.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Bucket;

struct Nothing;

impl Host for Nothing {
    fn open(&mut self, _: String) -> Result<Resource<Bucket>, Error> {
        Ok(Resource::new_own(0))
    }
}

impl HostBucket for Nothing {
    fn get(&mut self, _: Resource<Bucket>, _: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    fn set(&mut self, _: Resource<Bucket>, _: String, _: Vec<u8>) -> Result<(), Error> {
        Ok(())
    }

    fn delete(&mut self, _: Resource<Bucket>, _: String) -> Result<(), Error> {
        Ok(())
    }

    fn exists(&mut self, _: Resource<Bucket>, _: String) -> Result<bool, Error> {
        Ok(false)
    }

    fn list_keys(&mut self, _: Resource<Bucket>, _: Option<String>) -> Result<KeyResponse, Error> {
        Ok(KeyResponse { keys: Vec::new(), cursor: None })
    }

    fn drop(&mut self, _: Resource<Bucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// The median of some runs, which each say how long they took.
fn median(mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..21).map(|_| run()).collect();
    times.sort();
    times[10]
}

fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    let made = run();
    let took = started.elapsed();
    drop(made);
    took
}

/// Prints the shares for so many subscriptions.
pub(crate) fn print(component: &[u8], count: usize) {
    let deployment = Deployment::read(&document(count, "https://hooks.example.com")).unwrap();
    let kept = serde_json::to_vec(&deployment).unwrap();
    let routing = deployment.routing.get().as_bytes();
    let read: RoutingDocument = serde_json::from_slice(routing).unwrap();
    let filters: Vec<&str> = read.subscription.iter().filter_map(|one| one.filter.as_deref()).collect();
    let compiled: Vec<Expression> = filters.iter().map(|text| Expression::compile(text).unwrap()).collect();
    let sources = ["shop"];
    println!(
        "{count} subscriptions: {} KiB are kept, of which routing is {}",
        kept.len() >> 10,
        routing.len() >> 10
    );
    let shown = |name: &str, took: Duration| println!("  {name:<60} {:>9.3} ms", took.as_secs_f64() * 1e3);

    let engine = Engine::new(&Config::new()).unwrap();
    let component = Component::new(&engine, component).unwrap();
    let mut linker = Linker::<Nothing>::new(&engine);
    gateway::Gateway::add_to_linker::<_, HasSelf<_>>(&mut linker, |keys| keys).unwrap();
    let pre = gateway::GatewayPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
    let fresh = || {
        let mut store = Store::new(&engine, Nothing);
        let gateway = pre.instantiate(&mut store).unwrap();
        (store, gateway)
    };
    shown("component: an instance", median(|| timed(fresh)));
    shown(
        "component: load",
        median(|| {
            let (mut store, gateway) = fresh();
            let router = gateway.anglerfish_gateway_router().router();
            timed(|| router.call_load(&mut store, routing).unwrap().unwrap())
        }),
    );

    let (mut store, gateway) = fresh();
    let packed =
        gateway.anglerfish_gateway_router().router().call_pack(&mut store, routing).unwrap().unwrap();
    let directory = Directory::pack(&deployment).unwrap();
    println!(
        "  packed: {} KiB for the component, {} for the shell",
        packed.len() >> 10,
        directory.len() >> 10
    );
    let body = crate::event(count);
    let event = gateway::exports::anglerfish::gateway::types::EventParam {
        id: "1",
        source: "shop",
        kind: "order.created",
        subject: None,
        time: 0,
        datacontenttype: Some("application/json"),
        extensions: &[],
    };
    let mut parts = [const { Vec::new() }; 3];
    for _ in 0..21 {
        let (mut store, gateway) = fresh();
        let router = gateway.anglerfish_gateway_router().router();
        let mut table = None;
        parts[0].push(timed(|| table = Some(router.call_load_packed(&mut store, &packed).unwrap().unwrap())));
        let table = table.unwrap();
        for part in &mut parts[1..] {
            part.push(timed(|| {
                let routing =
                    router.call_route(&mut store, table, event.clone(), &[], body.as_bytes(), 0).unwrap();
                assert_eq!(routing.intents.len(), 1);
            }));
        }
    }
    for (name, part) in ["load-packed", "then the first event", "then another"].into_iter().zip(&mut parts) {
        part.sort();
        shown(&format!("component: {name}"), part[10]);
    }

    shown(
        "natively: what the deployment is packed into",
        median(|| timed(|| Directory::read(directory.clone()).unwrap())),
    );
    shown(
        "natively: the deployment's JSON",
        median(|| timed(|| serde_json::from_slice::<Deployment>(&kept).unwrap())),
    );
    shown("natively: load", median(|| timed(|| Router::load(routing).map_err(|_| ()).unwrap())));
    shown(
        "natively: of that the JSON",
        median(|| timed(|| serde_json::from_slice::<RoutingDocument>(routing).unwrap())),
    );
    shown(
        "natively: of that parsing and checking filters",
        median(|| {
            timed(|| filters.iter().map(|text| Expression::compile(text).unwrap()).collect::<Vec<_>>())
        }),
    );
    shown(
        "natively: of that the index",
        median(|| {
            timed(|| {
                let mut table = Table::new();
                for (key, expression) in (0..).map(RuleKey).zip(&compiled) {
                    table.insert(key, expression, Some(&sources));
                }
                table
            })
        }),
    );
    shown(
        "natively: of that ids and filters by name",
        median(|| {
            timed(|| {
                let named = read
                    .subscription
                    .iter()
                    .map(|one| (one.id.clone(), (one.sources.clone(), one.filter.clone())));
                named.collect::<BTreeMap<_, _>>()
            })
        }),
    );
}
