//! What is explained is what was decided.

mod router_support;

use anglerfish_core::config::OrderingConfig;
use anglerfish_core::decision::Decision;
use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::router::{Router, RoutingDocument, RoutingSource, RoutingSubscription, VerdictOutcome};
use anglerfish_core::verify::VerificationConfig;
use router_support::Memory;

const FILTERS: [&str; 11] = [
    "message.a == 1",
    "message.a > 0",
    "has(message.a)",
    "message.a != 3",
    "message.b == 'x'",
    "message.a + 1 == 2",
    "message.list.exists(each, each == 1)",
    "type(message.a) == int",
    "headers['x-name'] == 'a, b'",
    "event.type == 'open' && now - event.time < duration('1h')",
    "message.?a.orValue(1) == 1",
];

const BODIES: [&str; 12] = [
    "",
    "nonsense",
    r#"{"a": 1e400, "b": "x"}"#,
    r#"{"a": -0, "b": "x"}"#,
    r#"{"a": 1, "a": 3}"#,
    r#"{"a": 3, "\u0061": 1}"#,
    r#"{"a": 9223372036854775808}"#,
    r#"{"a": 18446744073709551616, "list": [1e400, 1]}"#,
    r#"{"a": 1.0, "list": [[1], {"a": 1}]}"#,
    r#"{"a": "1", "b": "\u0078"}"#,
    r#"{"a": true, "b": null}"#,
    r#"{"b": "x"} trailing"#,
];

#[test]
fn the_explanation_of_an_event_is_its_decision_whatever_is_in_the_body() {
    let subscription = |(number, filter): (usize, &&str)| RoutingSubscription {
        id: number.to_string(),
        sources: Vec::new(),
        filter: Some((*filter).to_owned()),
        ordering: OrderingConfig::None,
        render: anglerfish_core::router::RenderConfig::default(),
        interest: None,
    };
    let document = RoutingDocument {
        source: vec![RoutingSource {
            name: "open".to_owned(),
            verification: VerificationConfig { scheme: "none".to_owned(), ..Default::default() },
        }],
        subscription: FILTERS.iter().enumerate().map(subscription).collect(),
        ..RoutingDocument::default()
    };
    let mut router = Router::load(&serde_json::to_vec(&document).unwrap()).unwrap();
    let mut deep = format!("{}{}", r#"{"a": 1, "b": "#, "[".repeat(127));
    deep.push_str(&"]".repeat(127));
    deep.push('}');
    for body in BODIES.into_iter().chain([deep.as_str()]) {
        let request = || Request {
            id: "r-1",
            source: "open",
            method: "POST",
            url: "http://localhost/in/open",
            headers: vec![Header { name: "X-Name", value: b"a" }, Header { name: "x-name", value: b"b" }],
            body: body.as_bytes(),
            received: UnixMillis(1_700_000_000_000),
            added_prefix: "",
            fetched: Vec::new(),
        };
        let explained = router.explain(&request(), &mut Memory::default());
        let Decision::Accept(acceptance) = router.decide(&request(), &mut Memory::default()) else {
            panic!("{body} is not accepted");
        };
        let mut decided: Vec<String> =
            acceptance.events[0].intents.clone().into_iter().map(|intent| intent.subscription).collect();
        decided.sort();
        let mut said: Vec<String> = explained
            .subscriptions
            .iter()
            .filter(|verdict| verdict.outcome == VerdictOutcome::Match)
            .map(|verdict| verdict.subscription.clone())
            .collect();
        said.sort();
        assert_eq!(said, decided, "{body}");
        for failure in acceptance.events[0].failures.clone() {
            let verdict =
                explained.subscriptions.iter().find(|verdict| verdict.subscription == failure.subscription);
            assert_eq!(
                verdict.map(|verdict| verdict.outcome),
                Some(VerdictOutcome::Error),
                "{body}: {failure:?}"
            );
        }
    }
}
