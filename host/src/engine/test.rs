//! The built-in component under the engine: what it imports, and what a fault of it costs.

use super::{Engine, EngineConfig, EngineError, GATEWAY_COMPONENT, InboundRequest};
use anglerfish_core::decision::{Decision, RejectionCode};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{RoutingDocument, RoutingSource, RoutingSubscription};
use anglerfish_core::verify::VerificationConfig;
use bytes::Bytes;
use http::{HeaderMap, Method};
use wasmtime::component::Component;

fn document() -> RoutingDocument {
    let verification = VerificationConfig { scheme: "none".into(), ..VerificationConfig::default() };
    RoutingDocument {
        source: vec![RoutingSource { name: "open".into(), verification }],
        subscription: vec![RoutingSubscription {
            id: "big".into(),
            sources: Vec::new(),
            filter: Some("message.quantity + 1 > 10".into()),
        }],
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
        fetched: Vec::new(),
    }
}

fn engine(memory: usize) -> Engine {
    let config = EngineConfig { workers: 1, memory, ..EngineConfig::default() };
    Engine::start_without_state(document(), &config).unwrap()
}

async fn matches(engine: &Engine, body: &'static str) -> usize {
    match engine.decide(request(body)).await.unwrap().decision {
        Decision::Accept(acceptance) => acceptance.intents.len(),
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
async fn a_subscription_put_at_run_time_is_seen_by_the_next_decision() {
    let engine = engine(64 << 20);
    let all = RoutingSubscription { id: "all".into(), sources: Vec::new(), filter: None };
    engine.put_subscription(all).unwrap();
    assert_eq!(matches(&engine, r#"{"quantity": 10}"#).await, 2);
    engine.delete_subscription("all");
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
    engine.put_source(source.clone()).unwrap();
    assert!(engine.has_source("new"));
    assert!(matches!(engine.decide(inbound("new")).await.unwrap().decision, Decision::Accept(_)));

    let listening = RoutingSubscription { id: "listening".into(), sources: vec!["new".into()], filter: None };
    engine.put_subscription(listening).unwrap();
    let problems = engine.delete_source("new").unwrap_err();
    assert!(problems[0].message.contains("\"listening\""), "{problems:?}");
    engine.delete_subscription("listening");
    engine.delete_source("new").unwrap();
    assert_eq!(refused(engine.decide(inbound("new")).await.unwrap().decision), RejectionCode::UnknownSource);

    let unknown = VerificationConfig { scheme: "no-such".into(), ..VerificationConfig::default() };
    assert!(engine.put_source(RoutingSource { verification: unknown, ..source }).is_err());
    assert!(!engine.has_source("new"));
}

#[tokio::test]
async fn an_event_that_comes_from_no_request_is_routed_by_its_attributes_and_data() {
    let engine = engine(64 << 20);
    let fleet = RoutingSubscription {
        id: "fleet".into(),
        sources: Vec::new(),
        filter: Some("event.extensions.fleet == \"north\" && event.source == \"/ships\"".into()),
    };
    engine.put_subscription(fleet).unwrap();
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
