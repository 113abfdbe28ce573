//! `POST /v1/subscriptions/test`: a filter tried on an event without being stored.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Request, send, standard};
use serde_json::{Value, json};

const SECRET: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw==";
const SOURCES: &str = "[[source]]\nname = \"shop\"\nscheme = \"standard-webhooks\"\n\
    secrets = [\"whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw==\"]\n\
    [[source]]\nname = \"other\"\nscheme = \"none\"\n";

fn ask(gateway: &Gateway, body: &str) -> Answer {
    let request = Request {
        method: "POST".into(),
        path: "/v1/subscriptions/test".into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.into(),
        chunked: false,
    };
    send(gateway.admin(), &request).unwrap()
}

/// What a filter says of data, written as it stands.
fn verdict(gateway: &Gateway, filter: &str, data: &str) -> (String, String) {
    let event = format!(r#"{{"id": "e", "source": "shop", "type": "order.created", "data": {data}}}"#);
    let answer =
        ask(gateway, &format!(r#"{{"filter": {}, "event": {event}}}"#, json!(filter))).expect(200).json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("outcome"), text("reason"))
}

#[test]
fn says_match_no_match_or_error_and_why() {
    let gateway = Gateway::start(SOURCES);
    let filter = "event.type == \"order.created\" && message.quantity > 0";
    assert_eq!(verdict(&gateway, filter, r#"{"quantity": 1}"#).0, "match");
    let (outcome, reason) = verdict(&gateway, filter, r#"{"quantity": 0}"#);
    assert!(outcome == "no-match" && reason.contains("message.quantity"), "{outcome}: {reason}");
    let (outcome, reason) = verdict(&gateway, filter, "{}");
    assert!(outcome == "error" && reason.contains("message.quantity"), "{outcome}: {reason}");
    // Data is read as the body of a request is, whatever it holds.
    let (outcome, reason) = verdict(&gateway, "message.n > 1", r#"{"n": 1e400}"#);
    assert!(outcome == "error" && reason.contains("message.n"), "{outcome}: {reason}");
    assert_eq!(verdict(&gateway, "message.m == 2 || message.n > 1", r#"{"n": 1e400, "m": 2}"#).0, "match");
    assert_eq!(verdict(&gateway, "message.n == 2", r#"{"n": 1, "n": 2}"#).0, "match");
    assert!(gateway.list("/v1/subscriptions", 10).is_empty() && gateway.list("/v1/events", 10).is_empty());
}

#[test]
fn says_of_a_stored_event_what_a_stored_subscription_would() {
    let gateway = Gateway::start(SOURCES);
    let body = br#"{"type": "order.created", "quantity": 3}"#;
    let _ = gateway.post("shop", &standard(SECRET, "msg_1", anglerfish_tests::now(), body), body).expect(202);
    let outcome = |trial: Value| ask(&gateway, &trial.to_string()).expect(200).json()["outcome"].clone();
    assert_eq!(outcome(json!({"filter": "message.quantity == 3", "event_id": "msg_1"})), "match");
    assert_eq!(outcome(json!({"filter": "message.quantity == 4", "event_id": "msg_1"})), "no-match");
    assert_eq!(outcome(json!({"event_id": "msg_1"})), "match", "no filter wants everything");
    assert_eq!(outcome(json!({"event_id": "msg_1", "sources": ["other"]})), "no-match");
    assert_eq!(ask(&gateway, r#"{"filter": "true", "event_id": "msg_2"}"#).problem(404), "unknown-event");
}

#[test]
fn what_an_event_written_out_lacks_has_a_stand_in_or_is_missing() {
    let gateway = Gateway::start(SOURCES);
    let said = |trial: &str| ask(&gateway, trial).expect(200).json();
    let matched = json!({"outcome": "match", "reason": "the filter is true"});
    assert_eq!(said(r#"{"filter": "message.n > 1", "event": {"data": {"n": 2}}}"#), matched);
    assert_eq!(said(r#"{"filter": "source == \"other\"", "sources": ["other"], "event": {}}"#), matched);
    let without = said(r#"{"filter": "event.subject == \"x\"", "event": {}}"#);
    assert_eq!(without["outcome"], "error", "{without}");
    assert!(without["reason"].as_str().unwrap().contains("event.subject"), "{without}");
    assert_eq!(said(r#"{"filter": "message.n > 1", "event": {}}"#)["outcome"], "error");
}

#[test]
fn a_filter_that_does_not_compile_is_shown_with_its_place() {
    let gateway = Gateway::start(SOURCES);
    let event = json!({"id": "e", "source": "shop"});
    let answer = ask(&gateway, &json!({"filter": "message.n >\n  && true", "event": event}).to_string());
    assert_eq!(answer.problem(422), "invalid-document");
    let problems = answer.json()["problems"].clone();
    assert_eq!((&problems[0]["path"], &problems[0]["line"]), (&json!("filter"), &json!(2)), "{problems}");
    assert!(
        answer.json()["detail"].as_str().unwrap().starts_with("filter (line 2, column "),
        "{}",
        answer.text()
    );
    let answer = ask(&gateway, &json!({"filter": "massage.n > 1", "event": event}).to_string());
    assert!(
        answer.json()["problems"][0]["message"].as_str().unwrap().contains("massage"),
        "{}",
        answer.text()
    );
}

#[test]
fn what_is_no_trial_is_refused_with_the_place_of_what_is_wrong() {
    let gateway = Gateway::start(SOURCES);
    for body in ["", "{", "{\"filter\": \"true\"", "filter=true"] {
        assert_eq!(ask(&gateway, body).problem(400), "invalid-json", "{body}");
    }
    let none = Request { method: "POST".into(), path: "/v1/subscriptions/test".into(), ..Request::default() };
    assert_eq!(send(gateway.admin(), &none).unwrap().problem(415), "unsupported-media-type");
    for (body, says) in [
        ("{}", "event"),
        (r#"{"filter": "true", "sources": ["nosuch"], "event": {}}"#, "sources[0]"),
        (r#"{"filter": "true", "event": {"id": "e", "source": "shop", "kind": "x"}}"#, "kind"),
        (r#"{"filtre": "true", "event": {"id": "e", "source": "shop"}}"#, "filtre"),
        (r#"{"filter": 1, "event": {"id": "e", "source": "shop"}}"#, "string"),
        (r#"{"filter": "true", "event": {"id": "e", "source": "shop", "time": "today"}}"#, "event.time"),
        (r#"{"filter": "true", "filter": "false", "event": {}}"#, "duplicate field `filter`"),
        (r#"["true", [], null, null, {}]"#, "object"),
        ("null", "object"),
    ] {
        let answer = ask(&gateway, body);
        assert_eq!(answer.problem(422), "invalid-document", "{body}");
        assert!(answer.json()["problems"][0].to_string().contains(says), "{body}: {}", answer.text());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(!detail.starts_with([' ', ':']) && detail.matches("column").count() < 2, "{detail}");
    }
    let get = gateway.api("GET", "/v1/subscriptions/test", None);
    assert_eq!(get.problem(404), "unknown-subscription", "it is where a subscription of that name would be");
}
