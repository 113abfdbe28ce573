//! `anglerfish subscriptions`, beside a running gateway.

use super::{GITHUB, SOURCES};
use anglerfish_tests::{Gateway, github};
use serde_json::json;

const DOCUMENT: &str = r#"
id = "pushes"
sources = ["hub"]
filter = 'event.type == "push" && message.n > 3'
[endpoint]
url = "https://receiver.example/hooks"
"#;

#[test]
fn a_subscription_is_written_listed_shown_and_deleted() {
    let gateway = Gateway::start(SOURCES);
    let told = gateway.run(&["subscriptions", "put", "-"], DOCUMENT.as_bytes()).expect(0);
    assert_eq!(told.stdout, "subscription pushes is created\n");
    let document = json!({"endpoint": {"url": "https://receiver.example/b"}}).to_string();
    let told = gateway.run(&["subscriptions", "put", "-", "--id", "b"], document.as_bytes()).expect(0);
    assert_eq!(told.stdout, "subscription b is created\n");
    let told = gateway.run(&["subscriptions", "put", "-"], DOCUMENT.as_bytes()).expect(0);
    assert_eq!(told.stdout, "subscription pushes is replaced\n");

    let listed = gateway.run(&["subscriptions", "list"], b"").expect(0).in_eighty_columns().stdout;
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "STATE", "MODE", "ORIGIN", "OPEN", "SOURCES", "ENDPOINT"]);
    assert_eq!(rows[1], ["b", "active", "push", "api", "0", "all", "https://receiver.example/b"]);
    assert_eq!(rows[2], ["pushes", "active", "push", "api", "0", "hub", "https://receiver.example/hooks"]);

    let shown = gateway.run(&["subscriptions", "show", "pushes"], b"").expect(0).stdout;
    assert!(shown.contains("state         active\n") && shown.contains("message.n > 3"), "{shown}");
    let told = gateway.run(&["subscriptions", "delete", "pushes"], b"").expect(0);
    assert_eq!(told.stdout, "subscription pushes is deleted\nopen deliveries that ended with it: 0\n");
    let gone = gateway.run(&["subscriptions", "show", "pushes"], b"").expect(1);
    assert_eq!(gone.stderr, "error: there is no subscription `pushes`\n");
}

#[test]
fn a_document_with_problems_is_misuse_and_all_of_them_are_told() {
    let gateway = Gateway::start(SOURCES);
    let wrong = r#"{"id": "a", "sources": ["hubb"], "endpoint": {"url": "ftp://x"}, "colour": 1}"#;
    let told = gateway.run(&["subscriptions", "put", "-"], wrong.as_bytes()).expect(2);
    for words in ["colour", "endpoint.url"] {
        assert!(told.stderr.contains(words), "{words}: {}", told.stderr);
    }
    let told = gateway.run(&["subscriptions", "put", "-"], b"id = ").expect(2);
    assert!(told.stderr.contains("is not a subscription"), "{}", told.stderr);
    let told = gateway.run(&["subscriptions", "put", "-"], b"{}").expect(2);
    assert!(told.stderr.contains("--id"), "{}", told.stderr);
}

#[test]
fn a_subscription_and_a_filter_are_tried_on_events() {
    let gateway = Gateway::start(SOURCES);
    let _ = gateway.run(&["subscriptions", "put", "-"], DOCUMENT.as_bytes()).expect(0);
    for (id, body) in [("d-1", "{\"n\":1}"), ("d-5", "{\"n\":5}")] {
        let _ = gateway.post("hub", &github(GITHUB, id, body.as_bytes()), body.as_bytes()).expect(202);
    }
    let _ = gateway.run(&["subscriptions", "test", "pushes", "--event", "d-5"], b"").expect(0);
    let told = gateway.run(&["subscriptions", "test", "pushes", "--event", "d-1"], b"").expect(1);
    assert!(told.stdout.starts_with("no-match: "), "{}", told.stdout);
    let filter = ["subscriptions", "test", "--filter", "message.n == 1", "--event", "d-1"];
    let _ = gateway.run(&filter, b"").expect(0);
    let sample = br#"{"event": {"type": "push", "source": "hub"}, "message": {"n": 4}}"#;
    let _ = gateway.run(&["subscriptions", "test", "pushes", "--sample", "-"], sample).expect(0);
    // What the management API takes as its event is a sample too.
    let sample =
        br#"{"event": {"type": "push", "source": "hub", "data": {"n": 4}, "headers": {"x-a": "b"}}}"#;
    let _ = gateway.run(&["subscriptions", "test", "pushes", "--sample", "-"], sample).expect(0);
    let filter = ["filter", "test", "message.n == 4 && headers['x-a'] == 'b'", "--event", "-"];
    let _ = gateway.run(&filter, sample).expect(0);
    let both = br#"{"event": {"data": {"n": 4}}, "message": {"n": 5}}"#;
    let told = gateway.run(&["filter", "test", "true", "--event", "-"], both).expect(2);
    assert!(told.stderr.contains("event.data"), "{}", told.stderr);
}
