//! `anglerfish events` and `anglerfish deliveries`, beside a running gateway.

use super::{GITHUB, OUTGOING, SOURCES, run};
use anglerfish_tests::{Gateway, Receiver, Reply, Setup, github};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// A gateway with one subscription that is not attempted twice, and what its endpoint answers.
fn gateway() -> (Gateway, Receiver, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let answered = Arc::clone(&status);
    let receiver = Receiver::with(move |_, _| {
        Reply::status(answered.load(Ordering::SeqCst)).body(b"what the endpoint says\n")
    });
    let gateway = Gateway::start(&format!(
        "{SOURCES}\n[[subscription]]\nid = \"all\"\nendpoint = {{ url = \"{}\", secret = \"{OUTGOING}\", \
         allow_private = true }}\ndelivery = {{ discard = [410], retry = {{ delays = [] }} }}\n",
        receiver.url("/all")
    ));
    (gateway, receiver, status)
}

fn post(gateway: &Gateway, id: &str, body: &str) {
    let _ = gateway.post("hub", &github(GITHUB, id, body.as_bytes()), body.as_bytes()).expect(202);
}

#[test]
fn events_are_listed_newest_first_and_filtered() {
    let (gateway, _receiver, _) = gateway();
    for number in 0..7 {
        post(&gateway, &format!("d-{number}"), "{}");
    }
    let ids = |arguments: &[&str]| -> Vec<Value> {
        let told = gateway.run(&[&["events", "list", "--format", "json"], arguments].concat(), b"").expect(0);
        told.json_lines().iter().map(|event| event["id"].clone()).collect()
    };
    assert_eq!(ids(&[]), ["d-6", "d-5", "d-4", "d-3", "d-2", "d-1", "d-0"]);
    assert_eq!(ids(&["--source", "hub", "--type", "push"]).len(), 7);
    assert_eq!(ids(&["--source", "shop"]), Vec::<Value>::new());
    assert_eq!(ids(&["--type", "pull"]), Vec::<Value>::new());

    let told = gateway.run(&["events", "list", "--limit", "3"], b"").expect(0).in_eighty_columns();
    let mut lines = told.stdout.lines();
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
        "RECEIVED SOURCE TYPE DELIVERIES ID"
    );
    assert_eq!(lines.count(), 3);
    let cursor = told.stderr.trim_end().rsplit(' ').next().unwrap();
    assert!(told.stderr.starts_with("there are more: --cursor "), "{}", told.stderr);
    assert_eq!(ids(&["--limit", "3", "--cursor", cursor]), ["d-3", "d-2", "d-1"]);

    let none = gateway.run(&["events", "list", "--source", "team"], b"").expect(0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "no events\n"));
}

#[test]
fn an_event_is_shown_with_its_request_and_its_deliveries() {
    let (gateway, receiver, _) = gateway();
    post(&gateway, "d-1", "{\"a\":1}");
    let _ = receiver.wait(1);
    let _ = gateway.settled();
    let told = gateway.run(&["events", "show", "d-1"], b"").expect(0);
    for words in ["d-1", "hub", "push", "application/json", "x-github-event: push", "delivered", "all"] {
        assert!(told.stdout.contains(words), "{words}:\n{}", told.stdout);
    }
    let document = gateway.run(&["events", "show", "d-1", "--format", "json"], b"").expect(0).json();
    assert_eq!((&document["event"]["id"], &document["event"]["size"]), (&json!("d-1"), &json!(7)));
    assert_eq!(document["deliveries"]["items"][0]["status"], "delivered");
}

#[test]
fn a_delivery_that_died_is_shown_with_its_attempts_and_tried_again() {
    let (gateway, receiver, status) = gateway();
    status.store(500, Ordering::SeqCst);
    post(&gateway, "d-1", "{}");
    let _ = receiver.wait(1);
    let _ = gateway.settled();
    let dead = gateway.run(&["deliveries", "list", "--status", "dead", "--format", "json"], b"").expect(0);
    let id = dead.json_lines()[0]["id"].to_string();
    let told = gateway.run(&["deliveries", "show", &id], b"").expect(0);
    for words in ["dead", "answered 500 Internal Server Error", "the last answer:\nwhat the endpoint says\n"]
    {
        assert!(told.stdout.contains(words), "{words}:\n{}", told.stdout);
    }
    status.store(200, Ordering::SeqCst);
    let told = gateway.run(&["deliveries", "retry", &id], b"").expect(0);
    assert_eq!(told.stdout, format!("delivery {id} is due now\n"));
    let requests = receiver.wait(2);
    assert_eq!(requests[1].header("webhook-id"), Some("d-1"), "it is the same event still");
    let _ = gateway.settled();
    let shown = gateway.run(&["deliveries", "show", &id, "--format", "json"], b"").expect(0).json();
    assert_eq!(shown["delivery"]["status"], "delivered");
    let statuses: Vec<_> =
        shown["attempts"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [500, 200]);
}

#[test]
fn an_event_is_delivered_again_on_demand() {
    let (gateway, receiver, _) = gateway();
    post(&gateway, "d-1", "{\"a\":1}");
    let _ = receiver.wait(1);
    let _ = gateway.settled();
    let told = gateway.run(&["events", "replay", "d-1"], b"").expect(0);
    assert!(told.stdout.contains("SUBSCRIPTION") && told.stdout.contains("all"), "{}", told.stdout);
    let requests = receiver.wait(2);
    assert_eq!(requests[1].header("webhook-id"), Some("d-1"));
    assert_eq!(requests[1].body, b"{\"a\":1}");
    let replay = ["events", "replay", "d-1", "--subscription", "all", "--format", "json"];
    let document = gateway.run(&replay, b"").expect(0).json();
    assert_eq!(document["deliveries"][0]["subscription"], "all");
    let _ = receiver.wait(3);
    let none = gateway.run(&["events", "replay", "d-1", "--subscription", "nobody"], b"").expect(2);
    assert!(none.stderr.contains("nobody"), "{}", none.stderr);
}

#[test]
fn deliveries_are_filtered_by_subscription_status_and_event() {
    let (gateway, receiver, status) = gateway();
    post(&gateway, "d-1", "{}");
    let _ = receiver.wait(1);
    status.store(410, Ordering::SeqCst);
    post(&gateway, "d-2", "{}");
    let _ = receiver.wait(2);
    let _ = gateway.settled();
    let events = |arguments: &[&str]| -> Vec<Value> {
        let told = gateway.run(&[&["deliveries", "list", "--format", "json"], arguments].concat(), b"");
        told.expect(0).json_lines().iter().map(|one| one["event"]["id"].clone()).collect()
    };
    assert_eq!(events(&[]), ["d-2", "d-1"]);
    assert_eq!(events(&["--status", "delivered"]), ["d-1"]);
    assert_eq!(events(&["--status", "discarded"]), ["d-2"]);
    assert_eq!(events(&["--subscription", "all"]).len(), 2);
    assert_eq!(events(&["--subscription", "none"]).len(), 0);
    assert_eq!(events(&["--event", "d-1", "--source", "hub"]), ["d-1"]);
    let told = gateway.run(&["deliveries", "list"], b"").expect(0).in_eighty_columns();
    assert_eq!(told.stdout.lines().count(), 3, "{}", told.stdout);
}

#[test]
fn what_is_not_there_is_a_negative_answer() {
    let (gateway, _receiver, _) = gateway();
    for (arguments, words) in [
        (&["events", "show", "x/../y"][..], "there is no event `x/../y`"),
        (&["events", "replay", "x"], "there is no event `x`"),
        (&["deliveries", "show", "7"], "there is no delivery `7`"),
        (&["deliveries", "retry", "seven"], "there is no delivery `seven`"),
    ] {
        let told = gateway.run(arguments, b"").expect(1);
        assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("", format!("error: {words}\n").as_str()));
    }
}

#[test]
fn a_gateway_that_is_not_there_or_wants_a_token_is_told_with_a_hint() {
    for (api, code, words) in [
        ("http://127.0.0.1:1", 1, "is `anglerfish serve` running?"),
        ("http://127.0.0.1:1/?x", 2, "it looks like http://127.0.0.1:8081"),
        ("127.0.0.1:8081", 2, "it looks like http://127.0.0.1:8081"),
    ] {
        let told = run(&["events", "list", "--api", api]).expect(code);
        assert!(told.stderr.starts_with("error: ") && told.stderr.contains(words), "{}", told.stderr);
    }
    let token = "0123456789abcdef-of-the-test";
    let setup =
        Setup { admin: format!("token = \"{token}\""), token: Some(token.into()), ..Setup::default() };
    let gateway = Gateway::set_up(&setup);
    let _ = gateway.run(&["events", "list"], b"").expect(0);
    let wrong = gateway.run(&["events", "list", "--token", "another"], b"").expect(2);
    assert!(wrong.stderr.contains("hint: `--token` or ANGLERFISH_TOKEN"), "{}", wrong.stderr);
    let ingress = format!("http://{}", gateway.ingress());
    let told = gateway.run(&["events", "list", "--api", &ingress], b"").expect(1);
    assert!(told.stderr.contains("hint: ") && told.stderr.contains("management API"), "{}", told.stderr);
}

#[test]
fn a_time_is_chosen_by_its_ends() {
    let (gateway, _receiver, _) = gateway();
    post(&gateway, "d-1", "{}");
    let listed = |arguments: &[&str]| {
        gateway
            .run(&[&["events", "list", "--format", "json"], arguments].concat(), b"")
            .expect(0)
            .json_lines()
            .len()
    };
    assert_eq!(listed(&["--since", "1h"]), 1);
    assert_eq!(listed(&["--until", "1h"]), 0);
    assert_eq!(listed(&["--since", "2020-01-31T12:00:00Z", "--until", "2020-02-01T00:00:00Z"]), 0);
    let wrong = gateway.run(&["events", "list", "--since", "yesterday"], b"").expect(2);
    assert!(wrong.stderr.contains("2026-01-31T12:00:00Z"), "{}", wrong.stderr);
}

#[test]
fn the_log_is_followed_from_its_newest_events_on() {
    let (gateway, _receiver, _) = gateway();
    post(&gateway, "d-1", "{}");
    let mut followed = gateway.begin(&["events", "list", "--follow", "--format", "json"]);
    assert_eq!(followed.json_line()["id"], "d-1");
    post(&gateway, "d-2", "{}");
    post(&gateway, "d-3", "{}");
    assert_eq!(followed.json_line()["id"], "d-2");
    assert_eq!(followed.json_line()["id"], "d-3");
}

#[test]
fn what_each_subscription_says_of_an_event_is_explained() {
    let (gateway, _receiver, _) = gateway();
    post(&gateway, "d-1", "{}");
    let told = gateway.run(&["events", "explain", "d-1"], b"").expect(0);
    assert!(told.stdout.starts_with("all: match: "), "{}", told.stdout);
    let told = gateway.run(&["events", "explain", "d-1", "--subscription", "nobody"], b"").expect(1);
    assert!(told.stderr.contains("there is no subscription `nobody`"), "{}", told.stderr);
}

#[test]
fn many_events_are_delivered_again_and_many_deliveries_retried_at_once() {
    let (gateway, receiver, status) = gateway();
    status.store(500, Ordering::SeqCst);
    for number in 0..5 {
        post(&gateway, &format!("d-{number}"), "{}");
    }
    let _ = receiver.wait(5);
    let _ = gateway.settled();
    let dry = ["deliveries", "retry", "--status", "dead", "--dry-run"];
    let told = gateway.run(&dry, b"").expect(0);
    assert_eq!(told.stdout, "5 deliveries would be retried\n");
    status.store(200, Ordering::SeqCst);
    let told =
        gateway.run(&["deliveries", "retry", "--status", "dead", "--subscription", "all"], b"").expect(0);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("5 deliveries retried\n", ""));
    let _ = receiver.wait(10);
    let _ = gateway.settled();
    let told =
        gateway.run(&["events", "replay", "--source", "hub", "--since", "1h", "--format", "json"], b"");
    let job = told.expect(0).json();
    assert_eq!(
        (&job["kind"], &job["state"], &job["done"]),
        (&json!("replay"), &json!("finished"), &json!(5))
    );
    let _ = receiver.wait(15);
    let told = gateway.run(&["subscriptions", "replay", "all", "--from", "4", "--until", "5"], b"").expect(0);
    assert_eq!(told.stdout, "1 deliveries made\n");
    let _ = receiver.wait(16);
    let told = gateway
        .run(&["subscriptions", "replay", "all", "--from", "1h", "--missing", "--detach"], b"")
        .expect(0);
    assert!(told.stdout.starts_with("job 4 is running: "), "{}", told.stdout);
    let told = gateway.run(&["jobs", "show", "4", "--follow"], b"").expect(0);
    assert_eq!(told.stdout, "0 deliveries made\n");
    let told = gateway.run(&["jobs", "list", "--state", "finished", "--json"], b"").expect(0);
    assert_eq!(told.json_lines().len(), 4);
    let told = gateway.run(&["jobs", "show", "1"], b"").expect(0);
    assert!(told.stdout.contains("progress      100 %\n"), "{}", told.stdout);
    let told = gateway.run(&["jobs", "cancel", "1"], b"").expect(1);
    assert!(told.stderr.contains("job 1 is finished already"), "{}", told.stderr);
    let told = gateway.run(&["subscriptions", "replay", "nobody", "--from", "1"], b"").expect(2);
    assert!(told.stderr.contains("there is no subscription `nobody`"), "{}", told.stderr);
    let none = gateway.run(&["events", "replay"], b"").expect(2);
    assert!(none.stderr.contains("--since"), "{}", none.stderr);
}
