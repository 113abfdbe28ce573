//! The built-in component under the engine: what it imports, and what a fault of it costs.

use super::explainer;
use super::{Engine, EngineConfig, EngineError, GATEWAY_COMPONENT, InboundRequest, StartError, TableError};
use crate::store::{KeyReader, StoreError};
use anglerfish_core::config::OrderingConfig;
use anglerfish_core::decision::{Decision, RejectionCode};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{RenderConfig, RoutingDocument, RoutingSource, RoutingSubscription};
use anglerfish_core::verify::{DeduplicateConfig, VerificationConfig};
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wasmtime::component::Component;

fn document() -> RoutingDocument {
    let verification = VerificationConfig { scheme: "none".into(), ..VerificationConfig::default() };
    RoutingDocument {
        source: vec![RoutingSource { name: "open".into(), verification }],
        subscription: vec![RoutingSubscription {
            id: "big".into(),
            sources: Vec::new(),
            filter: Some("message.quantity + 1 > 10".into()),
            ordering: OrderingConfig::None,
            render: RenderConfig::default(),
            interest: None,
        }],
        ..RoutingDocument::default()
    }
}

fn request(body: impl Into<Bytes>) -> InboundRequest {
    InboundRequest {
        id: "r-1".into(),
        source: "open".into(),
        method: Method::POST,
        url: "http://localhost/in/open".into(),
        headers: HeaderMap::new(),
        body: body.into(),
        received: UnixMillis(1_700_000_000_000),
        added_prefix: String::new(),
        fetched: Vec::new(),
    }
}

fn engine(memory: usize) -> Engine {
    let config = EngineConfig { workers: 1, memory, ..EngineConfig::default() };
    Engine::start_without_state(document(), &config).unwrap()
}

async fn matches(engine: &Engine, body: &'static str) -> usize {
    match engine.decide(request(body)).await.unwrap().decision {
        Decision::Accept(acceptance) => acceptance.events[0].intents.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_component_imports_key_value_state_and_nothing_else_and_exports_the_router() {
    let engine = wasmtime::Engine::default();
    let component = Component::new(&engine, GATEWAY_COMPONENT).unwrap();
    let kind = component.component_type();
    let imports: Vec<String> = kind.imports(&engine).map(|(name, _)| name.to_owned()).collect();
    let exports: Vec<String> = kind.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    assert_eq!(imports, ["wasi:keyvalue/store@0.2.0-draft2"]);
    assert_eq!(exports, ["anglerfish:gateway/types@0.1.0", "anglerfish:gateway/router@0.1.0"]);
}

#[test]
fn the_component_stays_under_one_and_a_half_mebibytes() {
    assert!(GATEWAY_COMPONENT.len() < 3 << 19, "{} bytes", GATEWAY_COMPONENT.len());
}

#[tokio::test]
async fn integers_of_the_body_are_ints_and_a_missing_field_is_no_match() {
    let engine = engine(64 << 20);
    assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 1);
    assert_eq!(matches(&engine, r#"{"quantity": 9}"#).await, 0);
    assert_eq!(matches(&engine, "{}").await, 0);
}

#[tokio::test]
async fn a_trap_costs_one_request_and_nothing_else() {
    // A body that does not fit the instance's memory makes the component trap while it is copied in.
    let engine = engine(16 << 20);
    assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 1);
    let fault = engine.decide(request(vec![b' '; 32 << 20])).await.unwrap_err();
    assert!(matches!(fault, EngineError::Trapped(_)), "{fault}");
    assert_eq!(matches(&engine, r#"{"quantity": 11}"#).await, 1);
}

#[tokio::test]
async fn what_takes_too_long_where_it_was_read_is_decided_on_a_deciding_thread() {
    let config = EngineConfig { workers: 1, slice: Duration::ZERO, ..EngineConfig::default() };
    let engine = Engine::start_without_state(document(), &config).unwrap();
    for _ in 0..3 {
        assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 1);
        assert_eq!(matches(&engine, r#"{"quantity": 9}"#).await, 0);
    }
}

#[tokio::test]
async fn a_subscription_put_at_run_time_is_seen_by_the_next_decision() {
    let engine = engine(64 << 20);
    let all = RoutingSubscription {
        id: "all".into(),
        sources: Vec::new(),
        filter: None,
        ordering: OrderingConfig::None,
        render: RenderConfig::default(),
        interest: None,
    };
    engine.put_subscription(all).await.unwrap();
    assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 2);
    engine.delete_subscription("all").await.unwrap();
    assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 1);
}

#[tokio::test]
async fn a_source_comes_and_goes_at_run_time() {
    let engine = engine(64 << 20);
    let inbound = |source: &str| InboundRequest { source: source.into(), ..request("{}") };
    let refused = |decision| match decision {
        Decision::Reject(rejection) => rejection.code,
        other => panic!("{other:?}"),
    };
    let verification = VerificationConfig { scheme: "none".into(), ..VerificationConfig::default() };
    let source = RoutingSource { name: "new".into(), verification };
    assert_eq!(refused(engine.decide(inbound("new")).await.unwrap().decision), RejectionCode::UnknownSource);
    engine.put_source(source.clone()).await.unwrap();
    assert!(engine.has_source("new"));
    assert!(matches!(engine.decide(inbound("new")).await.unwrap().decision, Decision::Accept(_)));

    let listening = RoutingSubscription {
        id: "listening".into(),
        sources: vec!["new".into()],
        filter: None,
        ordering: OrderingConfig::None,
        render: RenderConfig::default(),
        interest: None,
    };
    engine.put_subscription(listening).await.unwrap();
    let Err(TableError::Problems(problems)) = engine.delete_source("new").await else { panic!("it is gone") };
    assert!(problems[0].message.contains("\"listening\""), "{problems:?}");
    engine.delete_subscription("listening").await.unwrap();
    engine.delete_source("new").await.unwrap();
    assert_eq!(refused(engine.decide(inbound("new")).await.unwrap().decision), RejectionCode::UnknownSource);

    let unknown = VerificationConfig { scheme: "no-such".into(), ..VerificationConfig::default() };
    assert!(engine.put_source(RoutingSource { verification: unknown, ..source }).await.is_err());
    assert!(!engine.has_source("new"));
}

#[tokio::test]
async fn an_event_that_comes_from_no_request_is_routed_by_its_attributes_and_data() {
    let engine = engine(64 << 20);
    let fleet = RoutingSubscription {
        id: "fleet".into(),
        sources: Vec::new(),
        filter: Some("event.extensions.fleet == \"north\" && event.source == \"/ships\"".into()),
        ordering: OrderingConfig::None,
        render: RenderConfig::default(),
        interest: None,
    };
    engine.put_subscription(fleet).await.unwrap();
    let event = |fleet: &str| Event {
        id: "1".into(),
        source: "/ships".into(),
        kind: "arrived".into(),
        extensions: [("fleet".to_owned(), fleet.to_owned())].into(),
        ..Event::default()
    };
    for (fleet, data, expected) in [
        ("north", "{}", &["fleet"][..]),
        ("south", "{}", &[]),
        ("north", r#"{"quantity": 10}"#, &["big", "fleet"]),
    ] {
        let routing = engine.route(event(fleet), Vec::new(), data.into(), UnixMillis(0)).await.unwrap();
        let mut ids: Vec<String> = routing.intents.into_iter().map(|intent| intent.subscription).collect();
        ids.sort();
        assert_eq!(ids, expected, "{fleet} {data}");
    }
}

/// A subscription that wants the tests' events and whose filter takes a few kilobytes.
fn large(number: usize) -> RoutingSubscription {
    let names: String = (0..300).map(|name| format!("'{number}-{name}',")).collect();
    let filter = format!("message.quantity == 12 || message.name in [{names}]");
    RoutingSubscription {
        id: format!("large-{number}"),
        sources: Vec::new(),
        filter: Some(filter),
        ordering: OrderingConfig::None,
        render: RenderConfig::default(),
        interest: None,
    }
}

#[tokio::test]
async fn a_table_is_refused_what_does_not_fit_and_decides_as_before() {
    let engine = engine(8 << 20);
    let mut fits = 0;
    let refused = loop {
        match engine.put_subscription(large(fits)).await {
            Ok(()) => fits += 1,
            Err(error) => break error,
        }
        assert!(fits < 100_000);
    };
    assert!(
        matches!(&refused, TableError::Full(reason) if reason.contains("server.memory_limit")),
        "{refused}"
    );
    assert!(fits > 10, "{fits}");
    assert_eq!(matches(&engine, r#"{"quantity": 12}"#).await, fits + 1);
    // Refused again and again; what is there stays, and so does what replaces it.
    assert!(matches!(engine.put_subscription(large(fits)).await, Err(TableError::Full(_))));
    let all = RoutingSubscription {
        id: "large-0".into(),
        sources: Vec::new(),
        filter: None,
        ordering: OrderingConfig::None,
        render: RenderConfig::default(),
        interest: None,
    };
    engine.put_subscription(all).await.unwrap();
    assert_eq!(matches(&engine, "{}").await, 1);
    // A worker's new instance has room for the same table, and for a decision.
    let fault = engine.decide(request(vec![b' '; 16 << 20])).await.unwrap_err();
    assert!(matches!(fault, EngineError::Trapped(_)), "{fault}");
    assert_eq!(matches(&engine, r#"{"quantity": 12}"#).await, fits + 1);
    // What is deleted makes room.
    for number in 1..5 {
        engine.delete_subscription(&format!("large-{number}")).await.unwrap();
    }
    engine.put_subscription(large(fits)).await.unwrap();
    assert_eq!(matches(&engine, r#"{"quantity": 12}"#).await, fits - 2);
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_no_start() {
    let mut document = document();
    document.subscription.extend((0..5000).map(large));
    let config = EngineConfig { workers: 1, memory: 8 << 20, ..EngineConfig::default() };
    let error = Engine::start_without_state(document, &config).map(drop).unwrap_err();
    assert!(matches!(&error, StartError::Full(reason) if reason.contains("8.0 MiB")), "{error}");
}

#[tokio::test]
async fn what_is_explained_waits_in_a_queue_of_its_own_that_has_an_end() {
    let engine = Arc::new(engine(64 << 20));
    let (go_on, wait) = crossbeam_channel::bounded::<()>(0);
    let asked: Vec<_> = (0..2 * explainer::QUEUE)
        .map(|_| {
            let (engine, wait) = (Arc::clone(&engine), wait.clone());
            tokio::spawn(async move { engine.aside(move || wait.recv().is_ok()).await })
        })
        .collect();
    // All have asked once each of them has had its turn.
    tokio::task::yield_now().await;
    assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 1);
    drop(go_on);
    let mut refused = 0;
    for asked in asked {
        match asked.await.unwrap() {
            Ok(_) => {}
            Err(EngineError::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    // One may have been taken out of the queue at once.
    assert!((explainer::QUEUE - 1..=explainer::QUEUE).contains(&refused), "{refused}");
    assert_eq!(engine.explain(request(r#"{"quantity": 10}"#)).await.unwrap().subscriptions.len(), 1);
}

/// State whose reading breaks the thread that reads it, as long as it is armed.
struct Trap(Arc<AtomicBool>);

impl KeyReader for Trap {
    fn get(&self, _key: &str) -> Result<Option<Bytes>, StoreError> {
        assert!(!self.0.swap(false, Ordering::SeqCst), "the trap snaps");
        Ok(None)
    }
}

#[tokio::test]
async fn a_thread_that_panics_costs_one_call_and_comes_back() {
    let armed = Arc::new(AtomicBool::new(false));
    let reader = || -> Result<Arc<dyn KeyReader>, StoreError> { Ok(Arc::new(Trap(Arc::clone(&armed)))) };
    let config = EngineConfig { workers: 1, memory: 64 << 20, ..EngineConfig::default() };
    // Without an identifier no key would be read.
    let mut document = document();
    for source in &mut document.source {
        let deduplicate = DeduplicateConfig::By { places: vec!["body".into()], within_seconds: None };
        source.verification.deduplicate = Some(deduplicate);
    }
    let engine = Engine::start_component(GATEWAY_COMPONENT, document, &reader, &config).unwrap();
    assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 1);
    for _ in 0..2 {
        armed.store(true, Ordering::SeqCst);
        let error = engine.decide(request(r#"{"quantity": 10}"#)).await.unwrap_err();
        assert!(matches!(error, EngineError::BrokenOff), "{error}");
        assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 1);
    }
    let error = engine.aside(|| -> bool { panic!("the work is broken") }).await.unwrap_err();
    assert!(matches!(error, EngineError::BrokenOff), "{error}");
    assert_eq!(engine.aside(|| 7).await.unwrap(), 7);
}
