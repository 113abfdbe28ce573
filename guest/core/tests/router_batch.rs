//! A source that splits bodies makes an event of each part, as if each had come alone.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod router_support;

use anglerfish_core::config::OrderingConfig;
use anglerfish_core::decision::{Acceptance, Decision};
use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::router::{
    Explanation, MOST_DELIVERIES, MOST_PARTS, Router, RoutingDocument, RoutingSource, RoutingSubscription,
};
use anglerfish_core::verify::Verifier;
use router_support::Memory;
use serde_json::{Value, json};

struct Bench {
    router: Router,
    memory: Memory,
    count: usize,
}

impl Bench {
    fn new(verification: &Value, filters: &[&str]) -> Self {
        let verification = serde_json::from_value(verification.clone()).unwrap();
        let subscription = filters.iter().enumerate().map(|(index, filter)| RoutingSubscription {
            id: format!("s{index}"),
            sources: Vec::new(),
            filter: Some((*filter).to_owned()),
            ordering: OrderingConfig::None,
            render: anglerfish_core::router::RenderConfig::default(),
            interest: None,
        });
        let document = RoutingDocument {
            source: vec![RoutingSource { name: "case".to_owned(), verification }],
            subscription: subscription.collect(),
            ..RoutingDocument::default()
        };
        let router = Router::load(&serde_json::to_vec(&document).unwrap()).unwrap();
        Self { router, memory: Memory::default(), count: 0 }
    }

    fn with<R>(
        &mut self,
        headers: &[(&str, &str)],
        body: &[u8],
        run: impl FnOnce(&mut Router, &Request<'_>, &mut Memory) -> R,
    ) -> R {
        self.count += 1;
        let id = format!("r-{}", self.count);
        let request = Request {
            id: &id,
            source: "case",
            method: "POST",
            url: "http://h/in/case",
            headers: headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect(),
            body,
            received: UnixMillis::from_seconds(1_700_000_000),
            added_prefix: "",
            fetched: Vec::new(),
        };
        run(&mut self.router, &request, &mut self.memory)
    }

    fn decide(&mut self, headers: &[(&str, &str)], body: &[u8]) -> Decision {
        self.with(headers, body, |router, request, memory| router.decide(request, memory))
    }

    fn accept(&mut self, body: &str) -> Acceptance {
        match self.decide(&[("content-type", "application/json")], body.as_bytes()) {
            Decision::Accept(acceptance) => acceptance,
            other => panic!("{other:?}"),
        }
    }

    fn explain(&mut self, body: &str) -> Explanation {
        self.with(&[], body.as_bytes(), |router, request, memory| router.explain(request, memory))
    }
}

fn none(more: &Value) -> Value {
    let mut config = json!({"scheme": "none"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn at(place: &str) -> Value {
    json!({"at": place})
}

fn ids(acceptance: &Acceptance) -> Vec<&str> {
    acceptance.events.iter().map(|event| event.event.id.as_str()).collect()
}

/// A number beyond the year 9999 would leave the event without any time that can be written.
#[test]
fn a_time_without_a_date_is_none_and_the_time_of_receipt_stands_for_it() {
    let event = json!({"time": {"at": "json:/at", "unit": "seconds"}});
    let mut bench = Bench::new(&none(&json!({"split": at("json:/events"), "event": event})), &["true"]);
    let accepted = bench.accept("{\"events\":[{\"at\":7},{\"at\":99999999999999},{\"at\":\"x\"}]}");
    let times: Vec<_> = accepted.events.iter().map(|event| event.event.time.seconds()).collect();
    assert_eq!(times, [7, 1_700_000_000, 1_700_000_000]);
}

#[test]
fn each_part_is_an_event_with_its_own_bytes_attributes_and_subscribers() {
    let event =
        json!({"id": ["json:/n"], "type": "json:/kind", "time": {"at": "json:/at", "unit": "seconds"}});
    let mut bench = Bench::new(
        &none(&json!({"split": at("json:/events"), "event": event})),
        &["message.n == 1", "event.type == 'b' && !has(message.events)", "message.n / 0 == 1"],
    );
    let accepted = bench.accept(
        "{ \"events\" : [ {\"n\": 1,\"kind\":\"a\",\"at\":7} ,\n\t{\"kind\":\"b\", \"n\":2.50, \"x\":\"\\u00e9\"} ] }",
    );
    assert_eq!(ids(&accepted)[0], "1");
    let [first, second] = accepted.events.as_slice() else { panic!("{accepted:?}") };
    assert_eq!(first.data.as_deref(), Some(b"{\"n\": 1,\"kind\":\"a\",\"at\":7}".as_slice()));
    assert_eq!(second.data.as_deref(), Some(b"{\"kind\":\"b\", \"n\":2.50, \"x\":\"\\u00e9\"}".as_slice()));
    assert_eq!((first.event.kind.as_str(), second.event.kind.as_str()), ("a", "b"));
    assert_eq!(first.event.time, UnixMillis::from_seconds(7));
    assert_eq!(first.event.datacontenttype.as_deref(), Some("application/json"));
    let wanted = |index: usize| {
        accepted.events[index].intents.iter().map(|intent| intent.subscription.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((wanted(0), wanted(1)), (vec!["s0"], vec!["s1"]));
    assert_eq!(first.failures[0].subscription, "s2");
    // 2.50 is a number that has no one text, so the part has no identifier.
    assert_eq!(second.event.id, "r-1~1");
}

#[test]
fn only_the_parts_that_are_new_are_accepted() {
    let config = none(&json!({"split": at("json:"), "event": {"id": ["json:/id"]}}));
    let mut bench = Bench::new(&config, &[]);
    let first = bench.accept(r#"[{"id":"a"},{"id":"b"},{"id":"a","again":1}]"#);
    assert_eq!((ids(&first), &first.repeated), (vec!["a", "b"], &vec!["a".to_owned()]));
    let second = bench.accept(r#"[{"id":"b"},{"id":"c"},{}]"#);
    assert_eq!((ids(&second), &second.repeated), (vec!["c", "r-2~2"], &vec!["b".to_owned()]));
    match bench.decide(&[], br#"[{"id":"c"},{"id":"a"}]"#) {
        Decision::Duplicate(duplicate) => {
            assert_eq!((duplicate.ids, duplicate.batch), (vec!["c".into(), "a".into()], true))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_whole_request_says_does_not_make_one_event_of_its_parts() {
    for (config, header, expected) in [
        (json!({"split": at("json:"), "event": {"id": ["header:x-id"]}}), "d~1", ["d%7E1~0", "d%7E1~1"]),
        (
            json!({"split": at("json:"), "deduplicate": {"by": {"places": ["header:x-id"]}}}),
            "d",
            ["r-1~0", "r-1~1"],
        ),
    ] {
        let mut bench = Bench::new(&none(&config), &[]);
        let accepted = match bench.decide(&[("x-id", header)], b"[{},{}]") {
            Decision::Accept(accepted) => accepted,
            other => panic!("{other:?}"),
        };
        assert_eq!(ids(&accepted), expected, "{config}");
        assert!(matches!(bench.decide(&[("x-id", header)], b"[{},{}]"), Decision::Duplicate(_)), "{config}");
        assert!(matches!(bench.decide(&[("x-id", "e")], b"[{},{}]"), Decision::Accept(_)), "{config}");
    }
}

#[test]
fn repetitions_are_told_by_the_bytes_of_a_part_where_the_source_says_so() {
    let config = none(&json!({"split": at("json:/e"), "deduplicate": {"by": {"places": ["body"]}}}));
    let mut bench = Bench::new(&config, &[]);
    let first = bench.accept(r#"{"e":[{"x":1},{"x":2},{"x":1}]}"#);
    assert_eq!((ids(&first).len(), first.repeated.len()), (2, 1));
    let second = bench.accept(r#"{"other":1,"e":[{"x":2},{"x":3}]}"#);
    assert_eq!((ids(&second).len(), second.repeated.len()), (1, 1));
}

#[test]
fn a_body_without_the_array_is_one_event_and_an_empty_array_is_none() {
    let config = none(&json!({"split": at("json:/e"), "event": {"id": ["json:/id"]}}));
    for body in
        [r#"{"id":"x"}"#, r#"{"e":{},"id":"x"}"#, r#"{"e":null,"id":"x"}"#, r#"{"e":[1],"e":[2],"id":"x"}"#]
    {
        let accepted = Bench::new(&config, &[]).accept(body);
        assert_eq!((ids(&accepted), accepted.batch), (vec!["x"], false), "{body}");
        assert_eq!(accepted.events[0].data, None);
    }
    let accepted = Bench::new(&config, &[]).accept("not json");
    assert_eq!(ids(&accepted), ["r-1"]);
    let accepted = Bench::new(&config, &[]).accept(r#"{"e":[]}"#);
    assert_eq!((accepted.events.len(), accepted.batch), (0, true));
}

#[test]
fn a_batch_is_refused_as_a_whole_and_leaves_nothing_behind() {
    let config = none(&json!({"split": at("json:"), "event": {"id": ["json:/id"], "subject": "json:/s"}}));
    let mut bench = Bench::new(&config, &[]);
    let long = "s".repeat(3000);
    let body = format!(r#"[{{"id":"a"}},{{"id":"b","s":"{long}"}}]"#);
    let accepted = bench.accept(&body);
    assert_eq!(accepted.events[1].event.subject, None, "what no provider would send is left out");
    let (few, many) = ("{},".repeat(MOST_PARTS - 1), "{},".repeat(MOST_PARTS));
    assert_eq!(bench.accept(&format!("[{few}{{}}]")).events.len(), MOST_PARTS);
    let Decision::Reject(rejection) = bench.decide(&[], format!("[{many}{{}}]").as_bytes()) else { panic!() };
    assert_eq!((rejection.status, rejection.reason.contains("more than 1000 events")), (413, true));

    let filters = vec!["true"; MOST_DELIVERIES / 500];
    let mut bench = Bench::new(&config, &filters);
    let part = |index: usize| format!(r#"{{"id":"p{index}"}}"#);
    let batch = |count: usize| format!("[{}]", (0..count).map(part).collect::<Vec<_>>().join(","));
    let Decision::Reject(rejection) = bench.decide(&[], batch(501).as_bytes()) else { panic!() };
    assert_eq!((rejection.status, rejection.reason.contains("20000 deliveries")), (413, true));
    assert_eq!(bench.accept(&batch(500)).events.len(), 500, "the refused batch was remembered");
}

#[test]
fn events_of_cloudevents_batches_are_told_apart_by_source_and_id() {
    let mut bench = Bench::new(&none(&json!({"split": at("json:")})), &[]);
    let body = br#"[{"specversion":"1.0","id":"1","source":"/a","type":"t"},{"specversion":"1.0","id":"1","source":"/b","type":"t"}]"#;
    let headers = [("content-type", "application/cloudevents-batch+json; charset=utf-8")];
    let Decision::Accept(accepted) = bench.decide(&headers, body) else { panic!() };
    assert_eq!(accepted.events.len(), 2);
    let media_type = accepted.events[0].event.datacontenttype.as_deref();
    assert_eq!(media_type, Some("application/cloudevents+json; charset=utf-8"));
    assert!(matches!(bench.decide(&headers, body), Decision::Duplicate(_)));
}

#[test]
fn an_explanation_tells_what_becomes_of_each_part() {
    let config = none(&json!({"split": at("json:"), "event": {"id": ["json:/id"]}}));
    let mut bench = Bench::new(&config, &["message.id == 'b'"]);
    bench.accept(r#"[{"id":"a"}]"#);
    let explanation = bench.explain(r#"[{"id":"a"},{"id":"b"}]"#);
    assert_eq!(explanation.event, None);
    let told: Vec<(&str, bool)> =
        explanation.parts.iter().map(|part| (part.event.id.as_str(), part.duplicate)).collect();
    assert_eq!(told, [("a", true), ("b", false)]);
    assert!(explanation.verification.steps.iter().any(|step| step == "split: 2 events"));
    let explanation = bench.explain(r#"{"id":"c"}"#);
    assert!(explanation.verification.steps.iter().any(|step| step.contains("no array at `json:`")));
}

#[test]
fn what_cannot_be_split_is_refused_when_it_is_configured() {
    let problems = |config: Value| {
        let config = serde_json::from_value(config).unwrap();
        let problems = Verifier::try_new("source[0]", &config).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    for (config, part) in [
        (none(&json!({"split": at("header:x-events")})), "`header:x-events` is no place in a JSON body"),
        (none(&json!({"split": at("form:events")})), "no place in a JSON body"),
        (none(&json!({"split": at("json:events")})), "has no JSON pointer"),
        (none(&json!({"split": "documented"})), "the scheme knows no batches"),
        (none(&json!({"split": at("json:/a"), "methods": ["GET"]})), "a GET has no body to split"),
        (
            json!({"scheme": "mandrill", "secrets": [{"value": "x"}], "split": at("json:/event")}),
            "bodies of this source are forms",
        ),
    ] {
        let said = problems(config.clone());
        assert!(said.starts_with("source[0].split: ") && said.contains(part), "{config}: {said}");
    }
    for name in ["sendgrid", "hubspot", "line", "xero", "meta", "adyen", "asana", "mandrill"] {
        let config = json!({"scheme": name, "secrets": [{"value": "00ff"}], "split": "documented"});
        let config = serde_json::from_value(config).unwrap();
        if let Err(problems) = Verifier::try_new("source", &config) {
            assert!(problems.iter().all(|problem| !problem.path.contains("split")), "{name}: {problems:?}");
        }
    }
}
