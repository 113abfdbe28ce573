//! What people see on a terminal of eighty columns: no line is wider, and no word is broken.

use super::{GITHUB, OUTGOING, SOURCES};
use anglerfish_tests::{Gateway, Receiver, Reply, github};
use serde_json::json;

/// Longer than what a line has room for beside anything else.
const LONG: &str = "an-identifier-as-long-as-they-come-0123456789-0123456789-01";

/// How wide the titles of values are.
const TITLE: usize = 14;

/// A gateway that has one of everything, with names as long as they are allowed to be.
fn gateway(receiver: &Receiver) -> Gateway {
    let gateway = Gateway::start(&format!(
        "{SOURCES}\n[[subscription]]\nid = \"{LONG}\"\nfilter = '''message.n > 3 || message.name == \"a name\" || \
         message.other == \"something else\" || event.type == \"push\"'''\nendpoint = {{ url = \"{}\", \
         secret = \"{OUTGOING}\", allow_private = true }}\ndelivery = {{ retry = {{ delays = [] }} }}\n",
        receiver.url("/all")
    ));
    let failing = json!({
        "id": "failing", "filter": "message.list[7] == 1", "endpoint": {"url": "https://receiver.example/hooks"}
    });
    let _ = gateway.api("POST", "/v1/subscriptions", Some(&failing)).expect(201);
    let _ = gateway.post("hub", &github(GITHUB, LONG, b"{\"n\":5}"), b"{\"n\":5}").expect(202);
    let _ = gateway.post("hub", &github("another secret", "d-2", b"{}"), b"{}").expect(401);
    let _ = gateway.settled();
    let waits =
        json!({"id": "waits", "when_removed": "wait", "endpoint": {"url": "https://receiver.example/"}});
    let _ = gateway.api("POST", "/v1/subscriptions", Some(&waits)).expect(201);
    let again = json!({"subscriptions": ["waits"]});
    let _ = gateway.api("POST", &format!("/v1/events/{LONG}/replay"), Some(&again)).expect(202);
    let _ = gateway.api("DELETE", "/v1/subscriptions/waits", None).expect(200);
    gateway
}

#[test]
fn every_listing_every_document_and_every_reason_is_within_eighty_columns_and_breaks_no_word() {
    let receiver = Receiver::with(|_, _| {
        Reply::status(500)
            .body(b"what the endpoint says when it has a great deal to say about what went wrong with it\n")
    });
    let gateway = gateway(&receiver);
    let rejection = gateway.list("/v1/rejections", 9)[0]["id"].to_string();
    let rejection = rejection.trim_matches('"');
    for arguments in [
        &["events", "list"][..],
        &["events", "show", LONG],
        &["events", "explain", LONG],
        &["deliveries", "list"],
        &["deliveries", "show", "1"],
        &["deliveries", "show", "2"],
        &["deliveries", "retry", "--status", "dead", "--dry-run"],
        &["subscriptions", "list"],
        &["subscriptions", "replay", LONG, "--from", "earliest"],
        &["jobs", "list"],
        &["jobs", "show", "1"],
        &["jobs", "cancel", "1"],
        &["subscriptions", "show", LONG],
        &["subscriptions", "show", "waits"],
        &["subscriptions", "test", LONG, "--event", LONG],
        &["sources", "list"],
        &["sources", "show", "hub"],
        &["rejections", "list"],
        &["rejections", "show", rejection],
        &["rejections", "explain", rejection],
        &["reload", "--status"],
        &["check"],
        &["providers"],
        &["providers", "github"],
        &["events", "show", "none-such"],
        &["events", "list", "--cursor", "none-such"],
        &["events", "list", "--limt", "3"],
        &["subscriptions", "delete", LONG],
        &["subscriptions", "put", "/none/such/file"],
        &["check", "--config", "/none/such/file"],
        &["events", "list", "--api", "http://127.0.0.1:1"],
    ] {
        let seen = gateway.run_on_terminal(arguments);
        let whole = gateway.run(arguments, b"");
        assert_eq!(seen.code, whole.code, "{arguments:?}: {}", seen.stdout);
        assert!(!seen.stdout.trim().is_empty(), "{arguments:?}");
        for line in seen.stdout.lines().filter(|line| !line.contains("\u{1b}[")) {
            // One word, behind its title at most, may be longer than a line, and is not broken.
            let before = line.rfind(' ').map_or(0, |space| space + 1);
            assert!(line.chars().count() <= 80 || before <= TITLE, "{arguments:?}: {line}");
        }
        let broken = whole.stdout.split_whitespace().find(|word| !seen.stdout.contains(word));
        assert_eq!(broken, None, "{arguments:?}: {}", seen.stdout);
    }
}
