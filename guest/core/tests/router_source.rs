//! Sources that come and go, and events that come from no request.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use anglerfish_core::config::OrderingConfig;
use anglerfish_core::decision::{Decision, RejectionCode};
use anglerfish_core::event::Event;
use anglerfish_core::request::{Request, UnixMillis};
use anglerfish_core::router::{Router, RoutingDocument, RoutingSource, RoutingSubscription};
use anglerfish_core::state::Keys;
use anglerfish_core::verify::{SecretConfig, VerificationConfig};

struct Nothing;

impl Keys for Nothing {
    fn get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn set(&mut self, _key: &str, _value: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

fn source(scheme: &str) -> Vec<u8> {
    let secrets = if scheme == "none" { Vec::new() } else { vec![SecretConfig::new("a-long-secret")] };
    let verification = VerificationConfig { scheme: scheme.to_owned(), secrets, ..Default::default() };
    serde_json::to_vec(&RoutingSource { name: "shop".to_owned(), verification }).unwrap()
}

fn subscription(id: &str, sources: &[&str], filter: &str) -> Vec<u8> {
    let sources = sources.iter().map(|name| (*name).to_owned()).collect();
    let subscription = RoutingSubscription {
        id: id.to_owned(),
        sources,
        filter: Some(filter.to_owned()),
        ordering: OrderingConfig::None,
        render: anglerfish_core::router::RenderConfig::default(),
        interest: None,
    };
    serde_json::to_vec(&subscription).unwrap()
}

fn router() -> Router {
    Router::load(&serde_json::to_vec(&RoutingDocument::default()).unwrap()).unwrap()
}

fn decide(router: &mut Router) -> Decision {
    let request = Request {
        id: "r-1",
        source: "shop",
        method: "POST",
        url: "http://localhost/in/shop",
        headers: Vec::new(),
        body: br#"{"id":"1","type":"sale"}"#,
        received: UnixMillis(1_700_000_000_000),
        added_prefix: "",
        fetched: Vec::new(),
    };
    router.decide(&request, &mut Nothing)
}

fn code(decision: Decision) -> RejectionCode {
    match decision {
        Decision::Reject(rejection) => rejection.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_source_is_there_from_its_put_to_its_deletion() {
    let mut router = router();
    assert_eq!(code(decide(&mut router)), RejectionCode::UnknownSource);
    router.put_source(&source("none")).unwrap();
    assert!(matches!(decide(&mut router), Decision::Accept(_)));
    router.put_source(&source("bearer")).unwrap();
    assert_eq!(code(decide(&mut router)), RejectionCode::VerificationFailed);
    router.delete_source("shop").unwrap();
    assert_eq!(code(decide(&mut router)), RejectionCode::UnknownSource);
    router.delete_source("shop").unwrap();
}

#[test]
fn a_source_with_a_problem_leaves_the_one_before() {
    let mut router = router();
    router.put_source(&source("none")).unwrap();
    assert!(router.put_source(&source("no-such-scheme")).is_err());
    assert!(router.put_source(b"{").is_err());
    assert!(matches!(decide(&mut router), Decision::Accept(_)));
}

#[test]
fn a_source_that_a_subscription_names_stays() {
    let mut router = router();
    router.put_source(&source("none")).unwrap();
    router.put_subscription(&subscription("a", &["shop"], "true")).unwrap();
    router.put_subscription(&subscription("b", &[], "true")).unwrap();
    let problems = router.delete_source("shop").unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("\"a\""), "{problems:?}");
    router.delete_subscription("a");
    router.delete_source("shop").unwrap();
}

#[test]
fn what_a_scheme_reads_of_the_body_is_read_again_after_it_was_replaced_and_filters_went() {
    let mut router = router();
    router.put_source(&source("none")).unwrap();
    router.put_subscription(&subscription("a", &["shop"], "message.id == \"1\"")).unwrap();
    for _ in 0..3 {
        router.put_source(&source("none")).unwrap();
        router.delete_subscription("a");
        router.put_subscription(&subscription("a", &["shop"], "message.id == \"1\"")).unwrap();
        match decide(&mut router) {
            Decision::Accept(acceptance) => assert_eq!(acceptance.events[0].intents.len(), 1),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_published_event_reaches_those_whose_filters_it_meets() {
    let mut router = router();
    router.put_subscription(&subscription("all", &[], "true")).unwrap();
    router.put_subscription(&subscription("north", &[], "event.extensions.fleet == \"north\"")).unwrap();
    router.put_subscription(&subscription("any", &[], "has(event.extensions.fleet)")).unwrap();
    router.put_subscription(&subscription("data", &[], "message.size > 1")).unwrap();
    let ids = |router: &mut Router, extensions: &[(&str, &str)], data: &str| {
        let extensions =
            extensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let event = Event { source: "/ships".to_owned(), extensions, ..Event::default() };
        let routing = router.route(&event, &[], data.as_bytes(), UnixMillis(0));
        assert!(routing.failures.is_empty(), "{routing:?}");
        let mut ids: Vec<String> = routing.intents.into_iter().map(|intent| intent.subscription).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&mut router, &[], "{}"), ["all"]);
    assert_eq!(ids(&mut router, &[("fleet", "north")], "{}"), ["all", "any", "north"]);
    assert_eq!(ids(&mut router, &[("fleet", "south")], r#"{"size":2}"#), ["all", "any", "data"]);
}
