//! Two events are never taken for one, and a repetition is recognised where the provider, or the source, says how.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod router_support;
mod verify_support;

use anglerfish_core::decision::Decision;
use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::router::{Router, RoutingDocument, RoutingSource};
use anglerfish_core::verify::{
    DeduplicateConfig, IdentityKind, Repetition, Verification, VerificationConfig, Verifier, catalogue,
};
use router_support::Memory;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use verify_support::{Whole, groups};

/// A router with one source, its state, and a number for each request.
struct Bench {
    router: Router,
    memory: Memory,
    count: usize,
}

/// What came of a request: a new event's id, or that of the event that it repeats.
#[derive(Debug, PartialEq, Eq, Clone)]
enum Came {
    New(String),
    Again(String),
}

impl Bench {
    fn new(config: VerificationConfig) -> Self {
        let source = vec![RoutingSource { name: "case".to_owned(), verification: config }];
        let document = RoutingDocument { source, ..RoutingDocument::default() };
        let router = Router::load(&serde_json::to_vec(&document).unwrap()).unwrap();
        Self { router, memory: Memory::default(), count: 0 }
    }

    fn of(config: &Value) -> Self {
        Self::new(serde_json::from_value(config.clone()).unwrap())
    }

    fn decide(&mut self, request: &Request<'_>) -> Decision {
        self.count += 1;
        let id = format!("r-{}", self.count);
        self.router.decide(&Request { id: &id, ..request.clone() }, &mut self.memory)
    }

    fn send(&mut self, request: &Request<'_>) -> Came {
        match self.decide(request) {
            Decision::Accept(acceptance) => Came::New(acceptance.events[0].event.id.clone()),
            Decision::Duplicate(duplicate) => Came::Again(duplicate.ids.concat()),
            other => panic!("{other:?}"),
        }
    }

    fn decide_body(&mut self, body: &str) -> Decision {
        self.decide(&Request {
            id: "",
            source: "case",
            method: "POST",
            url: "http://h/in/case",
            headers: Vec::new(),
            body: body.as_bytes(),
            received: UnixMillis::from_seconds(1_700_000_000),
            added_prefix: "",
            fetched: Vec::new(),
        })
    }

    fn post(&mut self, headers: &[(&str, &str)], body: &str, seconds: u64) -> Came {
        let headers = headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        self.send(&Request {
            id: "",
            source: "case",
            method: "POST",
            url: "http://h/in/case",
            headers,
            body: body.as_bytes(),
            received: UnixMillis::from_seconds(1_700_000_000 + seconds),
            added_prefix: "",
            fetched: Vec::new(),
        })
    }
}

fn new(id: &str) -> Came {
    Came::New(id.to_owned())
}

fn again(id: &str) -> Came {
    Came::Again(id.to_owned())
}

#[test]
fn an_id_that_is_a_number_and_one_that_is_the_same_text_are_two_events() {
    let config = json!({"scheme": "none", "event": {"id": ["json:/id"]}});
    for first in ["1", "true"] {
        let mut bench = Bench::of(&config);
        let (literal, text) = (format!(r#"{{"id":{first}}}"#), format!(r#"{{"id":"{first}"}}"#));
        assert_eq!(bench.post(&[], &literal, 0), new(first));
        assert_eq!(bench.post(&[], &text, 1), new("r-2"), "its id is taken");
        assert_eq!(bench.post(&[], &literal, 2), again(first));
        assert_eq!(bench.post(&[], &text, 3), again("r-2"));
        let mut bench = Bench::of(&config);
        assert_eq!(bench.post(&[], &text, 0), new(first));
        assert_eq!(bench.post(&[], &literal, 1), new("r-2"));
        assert_eq!(bench.post(&[], &text, 2), again(first));
        assert_eq!(bench.post(&[], &literal, 3), again("r-2"));
    }
    // Of several parts each counts by itself.
    let mut bench = Bench::of(&json!({"scheme": "none", "event": {"id": ["json:/a", "json:/b"]}}));
    let bodies = [r#"{"a":1,"b":2}"#, r#"{"a":"1","b":2}"#, r#"{"a":1,"b":"2"}"#, r#"{"a":"1","b":"2"}"#];
    let came: Vec<Came> = bodies.iter().map(|body| bench.post(&[], body, 0)).collect();
    assert_eq!(came, [new("1 2"), new("r-2"), new("r-3"), new("r-4")]);
    let came: Vec<Came> = bodies.iter().map(|body| bench.post(&[], body, 1)).collect();
    assert_eq!(came, [again("1 2"), again("r-2"), again("r-3"), again("r-4")]);
}

#[test]
fn what_a_source_names_is_compared_with_its_kind() {
    let mut bench = Bench::of(&json!({
        "scheme": "none", "deduplicate": {"by": {"places": ["json:/id"]}}
    }));
    assert_eq!(bench.post(&[], r#"{"id":1}"#, 0), new("r-1"));
    assert_eq!(bench.post(&[], r#"{"id":"1"}"#, 0), new("r-2"));
    assert_eq!(bench.post(&[], r#"{"id": 1}"#, 0), again("r-1"));
}

#[test]
fn parts_of_a_batch_are_told_apart_by_the_kind_of_their_ids_too() {
    let config = json!({"scheme": "none", "split": {"at": "json:"}, "event": {"id": ["json:/id"]}});
    let mut bench = Bench::of(&config);
    let Decision::Accept(acceptance) = bench.decide_body(r#"[{"id":1},{"id":"1"},{"id":1}]"#) else {
        panic!()
    };
    let ids: Vec<&str> = acceptance.events.iter().map(|one| one.event.id.as_str()).collect();
    assert_eq!(ids, ["1", "r-1~1"]);
    assert_eq!(acceptance.repeated, ["1"]);
}

#[test]
fn every_definition_says_what_tells_its_events_apart() {
    for definition in catalogue() {
        let scheme: Value = serde_json::from_str(definition.scheme).unwrap();
        let identity = scheme["event"]["identity"].as_str().unwrap_or_else(|| panic!("{}", definition.name));
        let has_id = scheme["event"]["id"].as_array().is_some_and(|list| !list.is_empty());
        assert_eq!(has_id, identity != "none", "{}", definition.name);
        assert!(definition.identified.len() > 10 && !definition.statuses.is_empty(), "{}", definition.name);
        assert_eq!(identity == "none", definition.identified.starts_with("none"), "{}", definition.name);
    }
}

/// For every provider: the same request twice is one event only where the provider documents an identifier that is in it, or
/// where its signature counts once because a time is signed.
#[test]
fn the_same_request_twice_is_one_event_only_where_the_provider_says_so() {
    let mut seen = BTreeSet::new();
    for (name, group) in groups() {
        for case in group.cases.iter().filter(|case| case.expect.outcome == "verified") {
            let whole = Whole::of(&group, case);
            let verifier = Verifier::try_new("source", &whole.config).unwrap();
            let request = whole.request();
            let Verification::Verified(verified) = verifier.verify(&request) else { panic!("{name}") };
            let mut bench = Bench::new(whole.config.clone());
            let Decision::Accept(first) = bench.decide(&request) else { continue };
            let second = bench.decide(&request);
            let known = matches!(verified.identity.repetition, Repetition::Id { .. });
            let once = !verified.replay_keys.is_empty();
            match second {
                Decision::Duplicate(duplicate) => {
                    assert!(known || once, "{name} {}: taken for one", case.name);
                    assert_eq!(duplicate.ids.concat(), first.events[0].event.id, "{name}");
                    assert_eq!(duplicate.answer, first.answer, "{name}: a retry reads another answer");
                }
                Decision::Accept(second) => {
                    assert!(!known && !once, "{name} {}: a repetition is a new event", case.name);
                    assert_ne!(second.events[0].event.id, first.events[0].event.id, "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
            if verified.identity.kind == IdentityKind::None {
                assert!(first.events[0].event.id.starts_with("r-"), "{name}: {}", first.events[0].event.id);
            }
            assert!(
                !first.events[0].event.id.contains("sha256:") || first.events[0].event.id.len() < 80,
                "{name}"
            );
            seen.insert(name.clone());
        }
    }
    let all: BTreeSet<String> = catalogue().iter().map(|definition| definition.name.to_owned()).collect();
    assert_eq!(seen, all);
}

/// What a body says of a resource identifies no event; whoever sends it wants every change delivered.
#[test]
fn equal_bodies_and_ids_of_resources_are_events_of_their_own() {
    for scheme in ["basic", "bearer", "api-key", "none"] {
        let (headers, config): (Vec<(&str, &str)>, Value) = match scheme {
            "basic" => (
                vec![("authorization", "Basic dTpw")],
                json!({"scheme": "basic", "secrets": [{"value": "u:p"}]}),
            ),
            "bearer" => (
                vec![("authorization", "Bearer t")],
                json!({"scheme": "bearer", "secrets": [{"value": "t"}]}),
            ),
            "api-key" => {
                (vec![("x-api-key", "t")], json!({"scheme": "api-key", "secrets": [{"value": "t"}]}))
            }
            _ => (vec![], json!({"scheme": "none"})),
        };
        let mut bench = Bench::of(&config);
        for (number, body) in
            [r#"{"id":17,"is":"created"}"#, r#"{"id":17,"is":"paid"}"#, r#"{"id":17,"is":"paid"}"#, ""]
                .iter()
                .enumerate()
        {
            assert_eq!(bench.post(&headers, body, 0), new(&format!("r-{}", number + 1)), "{scheme} {body}");
        }
    }
}

#[test]
fn cloud_events_are_told_apart_by_source_and_id_together() {
    let mut bench = Bench::of(&json!({"scheme": "none"}));
    let binary = |source: &'static str, id: &'static str| {
        [("ce-source", source), ("ce-id", id), ("ce-specversion", "1.0")]
    };
    assert_eq!(bench.post(&binary("/a", "1"), "{}", 0), new("/a 1"));
    assert_eq!(bench.post(&binary("/b", "1"), "{}", 0), new("/b 1"));
    assert_eq!(bench.post(&binary("/a", "1"), "{}", 0), again("/a 1"));
    assert_eq!(bench.post(&binary("/a 1", "2"), "{}", 0), new("/a%201 2"));
    assert_eq!(bench.post(&binary("/a", "1 2"), "{}", 0), new("/a 1%202"));
    let structured = r#"{"specversion":"1.0","source":"/a","id":"1","type":"t"}"#;
    assert_eq!(bench.post(&[], structured, 0), again("/a 1"));
    assert_eq!(bench.post(&[("ce-id", "1")], "{}", 0), new("r-7"));
}

#[test]
fn an_identifier_counts_for_as_long_as_its_provider_says() {
    let mut bench = Bench::of(&json!({"scheme": "custom", "secrets": [{"value": "t"}], "definition": {
        "variant": [{"name": "t", "algorithm": "equal", "signature": {"at": ["header:x-t"]}}],
        "event": {"identity": "event", "lifetime": 60, "id": ["{json:/id}"]},
    }}));
    let body = r#"{"id":"e"}"#;
    assert_eq!(bench.post(&[("x-t", "t")], body, 0), new("e"));
    assert_eq!(bench.post(&[("x-t", "t")], body, 60), again("e"));
    // It is another event now, and two events never have one id.
    assert_eq!(bench.post(&[("x-t", "t")], body, 61), new("r-3"));
    assert_eq!(bench.post(&[("x-t", "t")], body, 100), again("r-3"));
}

#[test]
fn a_source_says_where_the_identifier_is_and_how_repetitions_are_told() {
    let source = |more: Value| {
        let mut config = json!({"scheme": "none"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Bench::of(&config)
    };
    let mut bench =
        source(json!({"event": {"id": ["header:x-topic", "json:/id"], "type": "header:x-topic"}}));
    assert_eq!(bench.post(&[("x-topic", "a")], r#"{"id":1}"#, 0), new("a 1"));
    assert_eq!(bench.post(&[("x-topic", "b")], r#"{"id":1}"#, 0), new("b 1"));
    assert_eq!(bench.post(&[("x-topic", "b")], r#"{"id":1,"x":2}"#, 0), again("b 1"));
    assert_eq!(bench.post(&[], r#"{"id":1}"#, 0), new("r-4"));

    let mut bench = source(json!({"deduplicate": {"by": {"places": ["body"], "within_seconds": 600}}}));
    assert_eq!(bench.post(&[], "same", 0), new("r-1"));
    assert_eq!(bench.post(&[], "same", 600), again("r-1"));
    assert_eq!(bench.post(&[], "other", 600), new("r-3"));
    assert_eq!(bench.post(&[], "same", 601), new("r-4"));

    // What lacks a part is told apart from everything.
    let mut bench = source(json!({"deduplicate": {"by": {"places": ["header:x-a", "json:/b"]}}}));
    let body = r#"{"b":"1"}"#;
    assert_eq!(bench.post(&[("x-a", "1")], body, 0), new("r-1"));
    assert_eq!(bench.post(&[("x-a", "1")], body, 9_999_999), again("r-1"));
    assert_eq!(bench.post(&[("x-a", "11")], r#"{"b":""}"#, 0), new("r-3"));
    assert_eq!(bench.post(&[], body, 0), new("r-4"));
    assert_eq!(bench.post(&[], body, 0), new("r-5"));

    let ce = [("ce-source", "/a"), ("ce-id", "1")];
    let mut bench = source(json!({"deduplicate": "never"}));
    assert_eq!(bench.post(&ce, "{}", 0), new("/a 1"));
    assert_eq!(bench.post(&ce, "{}", 0), new("r-2"));
    let mut bench = source(json!({"event": {"id": []}}));
    assert_eq!(bench.post(&ce, "{}", 0), new("r-1"));
    assert_eq!(bench.post(&ce, "{}", 0), new("r-2"));
}

/// A token or a signature that counts once was sent by whoever saw it: a provider that repeats itself reads that it arrived.
#[test]
fn a_used_token_is_a_repetition_and_no_failure() {
    let (_, group) = groups().into_iter().find(|(name, _)| name == "mailgun").unwrap();
    let case = group.cases.iter().find(|case| case.expect.outcome == "verified").unwrap();
    let whole = Whole::of(&group, case);
    let mut bench = Bench::new(whole.config.clone());
    let Came::New(id) = bench.send(&whole.request()) else { panic!("it is new") };
    let mut changed: Value = serde_json::from_str(&whole.body).unwrap();
    changed["event-data"]["id"] = "another".into();
    let changed = changed.to_string();
    let request = Request { body: changed.as_bytes(), ..whole.request() };
    assert_eq!(bench.send(&request), again(&id));
}

#[test]
fn a_place_that_is_none_is_a_problem_with_its_path() {
    let problems = |more: Value| {
        let mut config = json!({"scheme": "shopify", "secrets": [{"value": "s"}]});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: VerificationConfig = serde_json::from_value(config).unwrap();
        Verifier::try_new("source[0]", &config)
            .err()
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    for (more, path) in [
        (json!({"event": {"id": ["head:x"]}}), "source[0].event.id: "),
        (json!({"event": {"type": "json:type"}}), "source[0].event.type: "),
        (json!({"event": {"subject": "secret"}}), "source[0].event.subject: "),
        (json!({"event": {"time": {"at": "json:/t", "unit": "days"}}}), "source[0].event.time.unit: "),
        (json!({"deduplicate": {"by": {"places": ["header:x", "id"]}}}), "source[0].deduplicate.by[1]: "),
        (json!({"methods": ["GET"]}), "source[0].methods[0]: the signature does not cover the query"),
        (json!({"methods": ["TRACE"]}), "source[0].methods[0]: "),
    ] {
        let found = problems(more.clone());
        assert_eq!(found.len(), 1, "{more}: {found:?}");
        assert!(found[0].starts_with(path), "{more}: {found:?}");
    }
    assert!(
        problems(json!({"event": {"id": ["header:x-shopify-topic", "header:x-shopify-event-id"]}}))
            .is_empty()
    );
}

#[test]
fn values_that_a_definition_joins_by_text_of_its_own_never_look_like_others() {
    let of = |id: &str| {
        json!({"scheme": "custom", "secrets": [{"value": "t"}], "definition": {
            "variant": [{"name": "t", "algorithm": "equal", "signature": {"at": ["header:x-t"]}}],
            "event": {"identity": "event", "id": [id]},
        }})
    };
    let mut bench = Bench::of(&of("e-{json:/a}-{json:/b}"));
    let sent = |bench: &mut Bench, a: &str, b: &str| {
        bench.post(&[("x-t", "t")], &json!({"a": a, "b": b}).to_string(), 0)
    };
    assert_eq!(sent(&mut bench, "x-y", "z"), new("e-x-y-z"));
    assert_eq!(sent(&mut bench, "x", "y-z"), new("e-x-y%2Dz"));
    assert_eq!(sent(&mut bench, "x", "y%2Dz"), new("e-x-y%252Dz"));
    assert_eq!(sent(&mut bench, "x-y", "z"), again("e-x-y-z"));

    let config: VerificationConfig = serde_json::from_value(of("{json:/a}{json:/b}")).unwrap();
    let problems = Verifier::try_new("source", &config).unwrap_err();
    assert!(problems.iter().any(|one| one.message.contains("side by side")), "{problems:?}");
    let config = json!({"scheme": "none", "event": {"id": ["{json:/a}{json:/b}"]}});
    let config: VerificationConfig = serde_json::from_value(config).unwrap();
    let problems = Verifier::try_new("source", &config).unwrap_err();
    assert_eq!(problems[0].path, "source.event.id", "{problems:?}");
}

#[test]
fn what_is_the_same_in_every_request_is_no_identifier() {
    let problems = |config: Value| {
        let config: VerificationConfig = serde_json::from_value(config).unwrap();
        Verifier::try_new("source", &config).unwrap_err()
    };
    for id in [
        "{{json:/a}}",
        "{{ json:/a }}",
        "order-{{json:/a}}",
        "json:/a:{json:/b}",
        "method",
        "path",
        "url",
        "{method}-{path}",
    ] {
        let found = problems(json!({"scheme": "none", "event": {"id": [id]}}));
        assert_eq!(found[0].path, "source.event.id", "{id}: {found:?}");
    }
    let by = DeduplicateConfig::By { places: vec!["method".into(), "path".into()], within_seconds: None };
    let config = VerificationConfig { scheme: "none".into(), deduplicate: Some(by), ..Default::default() };
    let found = Verifier::try_new("source", &config).unwrap_err();
    assert_eq!(found[0].path, "source.deduplicate.by", "{found:?}");
}

#[test]
fn an_id_that_looks_like_the_hash_of_another_one_is_not_taken_for_it() {
    let mut bench = Bench::of(&json!({"scheme": "none", "event": {"id": ["body"]}}));
    let long = "x".repeat(300);
    let Came::New(hash) = bench.post(&[], &long, 0) else { panic!("it is new") };
    assert!(hash.starts_with("sha256:"), "{hash}");
    assert!(matches!(bench.post(&[], &hash, 0), Came::New(_)));
}

#[test]
fn an_event_is_not_taken_for_a_part_of_another_request() {
    let config = json!({"scheme": "none", "split": {"at": "json:/l"}, "event": {"id": ["header:x-id"]}});
    let mut bench = Bench::of(&config);
    let batch = r#"{"l":[{"n":1},{"n":2}]}"#;
    assert_eq!(bench.post(&[("x-id", "r")], batch, 0), new("r~0"));
    assert_eq!(bench.post(&[("x-id", "r~0")], "{}", 0), new("r%7E0"));
    assert_eq!(bench.post(&[("x-id", "r%7E0")], "{}", 0), new("r%257E0"));
    assert_eq!(bench.post(&[("x-id", "r")], "{}", 0), new("r"));
    assert_eq!(bench.post(&[("x-id", "r~0")], batch, 0), new("r%7E0~0"));
}
