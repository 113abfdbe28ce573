//! `anglerfish filter`: a filter checked and tried without a gateway.

use anglerfish_tests::{Gateway, Ran, Setup};

fn check(arguments: &[&str]) -> Ran {
    Ran::of(Gateway::command().args(["filter", "check"]).args(arguments))
}

#[test]
fn a_filter_is_checked_without_an_event() {
    let fine = check(&["message.quantity > 0 && event.type == 'order' && headers['X-A'] == 'b'"]).expect(0);
    assert!(fine.stdout.starts_with("the filter is fine\n"), "{fine:?}");
    assert!(fine.stdout.contains("reads  message.quantity, event.type, headers[\"x-a\"]"), "{fine:?}");
    assert!(fine.stdout.contains("found by  ") && fine.stderr.is_empty(), "{fine:?}");
    let scanned = check(&["message.quantity > 0 || true"]).expect(0);
    assert!(scanned.stdout.contains("looked at for every event"), "{scanned:?}");
    let odd = check(&["headers.exists(n, n == 'X-A')"]).expect(0);
    assert!(odd.stdout.starts_with("the filter is fine, with 1 warning\n"), "{odd:?}");
    assert!(
        odd.stderr.contains("warning: line 1, column 19: ") && odd.stderr.contains("hint: write \"x-a\""),
        "{odd:?}"
    );
    let _ = check(&["headers.exists(n, n == 'X-A')", "--strict"]).expect(2);
    let never = check(&["source == 'a' && event.source == 'b'", "--format", "json"]).expect(0).json();
    assert_eq!(
        (&never["ok"], never["warnings"].as_array().map(Vec::len)),
        (&true.into(), Some(1)),
        "{never}"
    );
    let indexed = check(&["event.type == 'a'", "--format", "json"]).expect(0).json();
    assert_eq!(indexed["matching"], "indexed");
    assert_eq!(indexed["reads"], serde_json::json!(["event.type"]));
    let wrong = check(&["message.quantity >", "--format", "json"]).expect(2);
    assert_eq!(wrong.json()["problems"][0]["line"], 1);
    assert!(wrong.stderr.contains('^'), "{wrong:?}");
}

fn test(filter: &str, event: &str) -> Ran {
    let gateway = Gateway::prepare(&Setup::default());
    gateway.run(&["filter", "test", filter, "--event", "-"], event.as_bytes())
}

const ORDER: &str =
    r#"{"event": {"type": "order.created"}, "message": {"quantity": 3}, "headers": {"x-shop": "zurich"}}"#;

#[test]
fn says_whether_a_filter_matches_and_why() {
    let matched = test("message.quantity > 0 && headers[\"x-shop\"] == \"zurich\"", ORDER).expect(0);
    assert_eq!(matched.stdout, "match: the filter is true\n");
    let other = test("event.type == \"order.created\" && message.quantity > 5", ORDER).expect(1);
    assert!(other.stdout.starts_with("no-match: ") && other.stdout.contains("message.quantity"), "{other:?}");
    let failed = test("message.price > 5", ORDER).expect(1);
    assert!(failed.stdout.starts_with("error: ") && failed.stdout.contains("message.price"), "{failed:?}");
}

#[test]
fn a_filter_that_does_not_compile_is_misuse_with_a_caret_under_the_place() {
    let told = test("message.quantity >", ORDER).expect(2);
    assert!(told.stdout.is_empty() && told.stderr.contains('^'), "{told:?}");
    assert!(test("massage.quantity > 1", ORDER).expect(2).stderr.contains("massage"));
}

#[test]
fn a_message_is_read_as_the_gateway_reads_a_body() {
    let event =
        r#"{"message": {"large": 1e400, "id": 1, "id": 2, "half": "\ud83d", "more": 18446744073709551616}}"#;
    assert_eq!(test("message.id == 2", event).expect(0).stdout, "match: the filter is true\n");
    assert_eq!(test("message.more > 1.0", event).expect(0).stdout, "match: the filter is true\n");
    assert_eq!(test("message.half == \"\\ufffd\"", event).expect(0).stdout, "match: the filter is true\n");
    let large = test("message.large > 1.0", event).expect(1);
    assert!(large.stdout.starts_with("error: ") && large.stdout.contains("message.large"), "{large:?}");
    assert_eq!(test("message.large > 1.0 || message.id == 2", event).expect(0).code, Some(0));
    let deep = format!("{{\"message\": {}{}}}", "[".repeat(200), "]".repeat(200));
    let told = test("message[0] == 1", &deep).expect(1);
    assert!(told.stdout.starts_with("error: ") && told.stdout.contains("not JSON"), "{told:?}");
}

#[test]
fn an_event_that_cannot_be_read_is_misuse() {
    for (event, reason) in [
        ("", "not JSON"),
        ("{\"message\": 1", "not JSON"),
        ("[]", "-: "),
        ("{\"massage\": 1}", "massage"),
        ("{\"event\": {\"typ\": \"x\"}}", "typ"),
        ("{\"event\": {\"time\": \"yesterday\"}}", "event.time"),
        ("{\"headers\": {\"x\": 1}}", "headers.x"),
    ] {
        let told = test("true", event).expect(2);
        assert!(told.stdout.is_empty() && told.stderr.contains(reason), "{event}: {told:?}");
    }
}
