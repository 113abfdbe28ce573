//! A routing table that was packed decides as the one does that was loaded, and one that is not whole is not taken.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod router_support;

use anglerfish_core::config::OrderingConfig;
use anglerfish_core::decision::Decision;
use anglerfish_core::event::Event;
use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::router::{RenderConfig, Router, RoutingDocument, RoutingSource, RoutingSubscription};
use anglerfish_core::verify::VerificationConfig;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use router_support::Memory;

const SOURCES: [&str; 3] = ["shop", "forge", "mail"];

/// A filter of one of the kinds that the index tells apart, with a constant of few.
fn filter() -> impl Strategy<Value = Option<String>> {
    let forms = select(vec![
        "event.type == \"t#\"",
        "event.type == \"t#\" && message.n > #",
        "message.customer == \"c#\"",
        "message.n > # && message.n < # + 3",
        "message.n >= #",
        "message.name.startsWith(\"n#\")",
        "message.name.endsWith(\"#x\")",
        "message.name.contains(\"long#\")",
        "message.items.exists(i, i.sku == \"s#\")",
        "\"s#\" in message.tags",
        "has(message.a#) || headers[\"x-kind\"] == \"k#\"",
        "headers[\"x-kind\"] == \"k#\" && message.list[0] == #",
        "message.n * 2 == # || message.flag",
        "message.n % 2 == 0",
        "!(message.flag) && event.subject == \"c#\"",
        "message.name.matches(\"^n[#-9]\")",
    ]);
    let some = (forms, 0..6_u32)
        .prop_map(|(form, number): (&str, u32)| Some(form.replace('#', &number.to_string())));
    prop_oneof![12 => some, 1 => Just(None)]
}

fn subscription() -> impl Strategy<Value = RoutingSubscription> {
    let ordering = prop_oneof![
        4 => Just(OrderingConfig::None),
        1 => Just(OrderingConfig::Subscription),
        1 => Just(OrderingConfig::Key("message.customer".to_owned())),
    ];
    let transform = proptest::option::weighted(0.2, Just("{'n': message.n}".to_owned()));
    let sources = proptest::collection::vec(select(SOURCES.to_vec()), 0..3);
    (filter(), sources, ordering, transform).prop_map(|(filter, sources, ordering, transform)| {
        RoutingSubscription {
            id: String::new(),
            sources: sources.into_iter().map(str::to_owned).collect(),
            filter,
            ordering,
            render: RenderConfig { transform, ..RenderConfig::default() },
            interest: None,
        }
    })
}

fn document() -> impl Strategy<Value = RoutingDocument> {
    proptest::collection::vec(subscription(), 0..150).prop_map(|mut subscriptions| {
        for (number, subscription) in subscriptions.iter_mut().enumerate() {
            // In no order of the ids.
            subscription.id = format!("s{}", number * 7919 % 1000);
        }
        let source = |name: &&str| RoutingSource {
            name: (*name).to_owned(),
            verification: VerificationConfig { scheme: "none".to_owned(), ..VerificationConfig::default() },
        };
        let source = SOURCES.iter().map(source).collect();
        RoutingDocument { source, subscription: subscriptions, ..RoutingDocument::default() }
    })
}

/// A body and the value of a header field.
fn request() -> impl Strategy<Value = (String, String, usize)> {
    let member = select(vec![
        "\"type\": \"t#\"",
        "\"customer\": \"c#\"",
        "\"n\": #",
        "\"n\": #.5",
        "\"name\": \"n#long#x\"",
        "\"items\": [{\"sku\": \"s#\"}, {\"sku\": 3}]",
        "\"tags\": [\"s#\", null]",
        "\"a#\": null",
        "\"list\": [#]",
        "\"flag\": true",
        "\"flag\": \"no\"",
    ]);
    let member =
        (member, 0..6_u32).prop_map(|(form, number): (&str, u32)| form.replace('#', &number.to_string()));
    let body =
        proptest::collection::vec(member, 0..9).prop_map(|members| format!("{{{}}}", members.join(", ")));
    let body = prop_oneof![15 => body, 1 => Just("no json".to_owned())];
    (body, (0..6).prop_map(|number| format!("k{number}")), 0..SOURCES.len())
}

/// A decision, with what has no order in one.
fn decided(router: &mut Router, (body, kind, source): &(String, String, usize)) -> Decision {
    let header = |name, value| Header { name, value };
    let request = Request {
        id: "r-1",
        source: SOURCES[*source],
        method: "POST",
        url: "http://localhost/in/x",
        headers: vec![header("content-type", &b"application/json"[..]), header("x-kind", kind.as_bytes())],
        body: body.as_bytes(),
        received: UnixMillis(1_700_000_000_000),
        added_prefix: "",
        fetched: Vec::new(),
    };
    let mut decision = router.decide(&request, &mut Memory::default());
    if let Decision::Accept(acceptance) = &mut decision {
        for event in &mut acceptance.events {
            event.intents.sort_by(|left, right| left.subscription.cmp(&right.subscription));
            event.failures.sort_by(|left, right| left.subscription.cmp(&right.subscription));
            // Which of several reasons is told depends on what was compiled first.
            event.failures.iter_mut().for_each(|failure| failure.reason.clear());
        }
    }
    decision
}

fn without_failures(mut decision: Decision) -> Decision {
    if let Decision::Accept(acceptance) = &mut decision {
        acceptance.events.iter_mut().for_each(|event| event.failures.clear());
    }
    decision
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_packed_table_decides_as_the_loaded_one(
        document in document(),
        requests in proptest::collection::vec(request(), 1..12),
        explained in any::<Index>(),
    ) {
        let text = serde_json::to_vec(&document).unwrap();
        let mut loaded = Router::load(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        let packed = Router::pack(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut taken = Router::load_packed(packed).unwrap();
        let now = UnixMillis(1_700_000_000_000);
        let mut is_whole = false;
        for (number, request) in requests.iter().enumerate() {
            if number == explained.index(requests.len() * 2) {
                // Who asks for reasons has all of it loaded.
                is_whole = true;
                let event = Event { source: "shop".to_owned(), ..Event::default() };
                let body = request.0.as_bytes();
                prop_assert_eq!(
                    taken.explain_event(&event, &[], body, now, None),
                    loaded.explain_event(&event, &[], body, now, None)
                );
            }
            let (mut left, mut right) = (decided(&mut taken, request), decided(&mut loaded, request));
            if is_whole {
                // It was filed in another order, so that other filters were looked at that are not true.
                left = without_failures(left);
                right = without_failures(right);
            }
            prop_assert_eq!(left, right);
            if let Some(subscription) = document.subscription.first() {
                let event = Event { source: "shop".to_owned(), ..Event::default() };
                let rendered =
                    |router: &mut Router| router.render(&subscription.id, &event, &[], request.0.as_bytes(), now);
                prop_assert_eq!(rendered(&mut taken), rendered(&mut loaded));
            }
        }
    }
}

fn small() -> Vec<u8> {
    br#"{
        "source": [{ "name": "shop", "verification": { "scheme": "none" } }],
        "resource": [{ "id": "users", "endpoint": "https://api.example.com/users/{id}", "field": "n" }],
        "subscription": [
            { "id": "b", "sources": ["shop"], "filter": "message.n == 1" },
            { "id": "a", "sources": ["shop"], "filter": "message.n == 2" },
            { "id": "u", "filter": "new.n > 1", "interest": { "resource": "users", "generation": 1, "every": false } }
        ]
    }"#
    .to_vec()
}

fn wanted(router: &mut Router, body: &str) -> Vec<String> {
    let event = Event { source: "shop".to_owned(), ..Event::default() };
    let routing = router.route(&event, &[], body.as_bytes(), UnixMillis(0));
    routing.intents.into_iter().map(|intent| intent.subscription).collect()
}

#[test]
fn a_packed_table_that_is_damaged_in_any_place_is_not_taken() {
    let packed = Router::pack(&small()).unwrap();
    assert!(Router::load_packed(packed.clone()).is_ok());
    for place in 0..packed.len() {
        let mut damaged = packed.clone();
        damaged[place] ^= 0x20;
        assert!(Router::load_packed(damaged).is_err(), "{place}");
        assert!(Router::load_packed(packed[..place].to_vec()).is_err(), "{place}");
    }
    assert!(Router::load_packed(small()).is_err());
}

#[test]
fn what_is_wrong_with_a_document_is_told_as_when_it_is_loaded() {
    let wrong = br#"{"source": [], "subscription": [{ "id": "a", "filter": "message." }]}"#;
    assert_eq!(Router::pack(wrong).err(), Router::load(wrong).err());
}

#[test]
fn a_packed_table_is_changed_as_a_loaded_one_is() {
    let mut router = Router::load_packed(Router::pack(&small()).unwrap()).unwrap();
    assert_eq!(wanted(&mut router, r#"{"n": 1}"#), ["b"]);
    router.put_subscription(br#"{ "id": "c", "sources": ["shop"], "filter": "message.n == 1" }"#).unwrap();
    let mut both = wanted(&mut router, r#"{"n": 1}"#);
    both.sort();
    assert_eq!(both, ["b", "c"]);
    assert_eq!(wanted(&mut router, r#"{"n": 2}"#), ["a"]);

    let mut router = Router::load_packed(Router::pack(&small()).unwrap()).unwrap();
    router.delete_subscription("b");
    assert_eq!(wanted(&mut router, r#"{"n": 1}"#), Vec::<String>::new());
    assert!(router.delete_source("shop").is_err(), "a names it");
    assert!(router.delete_resource("users").is_err(), "u is of it");
}
