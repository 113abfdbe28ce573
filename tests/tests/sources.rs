//! Sources that are written at run time, of the real binary: over restarts, reloads, and secrets that go.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Received, Receiver, Setup, eventually, github};
use serde_json::json;
use std::collections::HashSet;

const TOKEN: &str = "0123456789abcdef";

fn setup(secret: Option<&str>, rest: &str) -> Setup {
    Setup {
        admin: format!("token = \"{TOKEN}\"\nreferences = [\"file:hub*\"]"),
        token: Some(TOKEN.to_owned()),
        rest: format!(
            "[[source]]\nname = \"file\"\nscheme = \"github\"\nsecrets = [\"{}\"]\n{rest}",
            secret.unwrap_or("of the file")
        ),
        ..Setup::default()
    }
}

fn post(gateway: &Gateway, source: &str, secret: &str, id: &str) -> Answer {
    gateway.post(source, &github(secret, id, b"{}"), b"{}")
}

fn write_secret(gateway: &Gateway, secret: &str) {
    std::fs::write(gateway.directory().join("hub.secret"), secret).unwrap();
}

fn reload(gateway: &Gateway) {
    let said = "the configuration was reloaded";
    let before = gateway.log().matches(said).count();
    gateway.signal("HUP");
    eventually("the reload", || (gateway.log().matches(said).count() > before).then_some(()));
}

#[test]
fn a_source_written_at_run_time_takes_events_at_once_and_after_restarts_and_reloads() {
    let receiver = Receiver::start();
    let mut gateway = Gateway::prepare(&setup(None, ""));
    write_secret(&gateway, "first");
    gateway.spawn();
    assert_eq!(post(&gateway, "hub", "first", "early").status, 404);
    let document = json!({"scheme": "github", "secrets": ["file:hub.secret"]});
    let _ = gateway.api("PUT", "/v1/sources/hub", Some(&document)).expect(201);
    // A subscription can name it from now on, and it stays as long as one does.
    let subscription = json!({
        "sources": ["hub"], "endpoint": {"url": receiver.url("/hub"), "allow_private": true}
    });
    let _ = gateway.api("PUT", "/v1/subscriptions/hub", Some(&subscription)).expect(201);
    assert_eq!(gateway.api("DELETE", "/v1/sources/hub", None).problem(409), "source-in-use");
    let _ = post(&gateway, "hub", "first", "one").expect(202);
    assert_eq!(post(&gateway, "hub", "wrong", "two").status, 401);

    gateway.restart();
    let _ = post(&gateway, "hub", "first", "three").expect(202);
    assert_eq!(gateway.get("/v1/sources/hub")["origin"], "api");

    // Another secret behind the same reference counts with the reload.
    write_secret(&gateway, "second");
    reload(&gateway);
    let _ = post(&gateway, "hub", "second", "four").expect(202);
    assert_eq!(post(&gateway, "hub", "first", "five").status, 401);
    // What was on its way while the gateway ended may come twice.
    let events = |requests: &[Received]| {
        requests
            .iter()
            .filter_map(|request| request.header("webhook-id").map(str::to_owned))
            .collect::<HashSet<_>>()
    };
    let got = receiver.wait_until("three events", |requests| events(requests).len() >= 3);
    assert_eq!(events(&got).len(), 3);

    let _ = gateway.api("DELETE", "/v1/subscriptions/hub", None).expect(200);
    let _ = gateway.api("DELETE", "/v1/sources/hub", None).expect(204);
    assert_eq!(post(&gateway, "hub", "second", "six").status, 404);
    gateway.restart();
    assert_eq!(post(&gateway, "hub", "second", "seven").status, 404);
    // What came in through it is still there.
    assert_eq!(gateway.list("/v1/events?source=hub", 10).len(), 3);
}

#[test]
fn a_stored_source_whose_secret_is_gone_is_listed_with_its_problem_and_comes_back() {
    let mut gateway = Gateway::prepare(&setup(None, ""));
    write_secret(&gateway, "first");
    gateway.spawn();
    let document = json!({"scheme": "github", "secrets": ["file:hub.secret"]});
    let _ = gateway.api("PUT", "/v1/sources/hub", Some(&document)).expect(201);
    std::fs::remove_file(gateway.directory().join("hub.secret")).unwrap();
    gateway.restart();
    let shown = gateway.get("/v1/sources/hub");
    assert_eq!((&shown["scheme"], &shown["problems"][0]["path"]), (&json!(null), &json!("secrets[0]")));
    assert_eq!(post(&gateway, "hub", "first", "one").status, 404);
    assert_eq!(post(&gateway, "file", "of the file", "one").status, 202);
    write_secret(&gateway, "third");
    reload(&gateway);
    let _ = post(&gateway, "hub", "third", "two").expect(202);
}

#[test]
fn the_configuration_file_has_the_last_word_over_a_name() {
    let mut gateway = Gateway::prepare(&setup(None, ""));
    write_secret(&gateway, "of the API");
    gateway.spawn();
    assert_eq!(
        gateway.api("PUT", "/v1/sources/file", Some(&json!({"scheme": "none"}))).problem(409),
        "source-from-file"
    );
    assert_eq!(gateway.api("DELETE", "/v1/sources/file", None).problem(409), "source-from-file");
    let document = json!({"scheme": "github", "secrets": ["file:hub.secret"]});
    let _ = gateway.api("PUT", "/v1/sources/hub", Some(&document)).expect(201);
    let declared = "[[source]]\nname = \"hub\"\nscheme = \"github\"\nsecrets = [\"declared\"]\n";
    gateway.write(&setup(None, declared));
    reload(&gateway);
    assert_eq!(post(&gateway, "hub", "of the API", "one").status, 401);
    let _ = post(&gateway, "hub", "declared", "two").expect(202);
    // Taken out of the file again, the one of the API is back.
    gateway.write(&setup(None, ""));
    reload(&gateway);
    let _ = post(&gateway, "hub", "of the API", "three").expect(202);
}

#[test]
fn the_command_line_writes_and_deletes_a_source() {
    let gateway = Gateway::prepare(&setup(None, ""));
    write_secret(&gateway, "first");
    let mut gateway = gateway;
    gateway.spawn();
    let document = b"scheme = \"github\"\nsecrets = [\"file:hub.secret\"]\n";
    let told = gateway.run(&["sources", "put", "-", "--name", "hub"], document).expect(0);
    assert_eq!(told.stdout, "source hub is created\n");
    let told = gateway.run(&["sources", "put", "-", "--name", "hub"], document).expect(0);
    assert_eq!(told.stdout, "source hub is replaced\n");
    let listed = gateway.run(&["sources", "list"], b"").expect(0).stdout;
    assert!(listed.contains("hub") && listed.contains("api"), "{listed}");
    let _ = post(&gateway, "hub", "first", "one").expect(202);
    assert_eq!(gateway.run(&["sources", "delete", "hub"], b"").expect(0).stdout, "source hub is deleted\n");
    let gone = gateway.run(&["sources", "delete", "hub"], b"").expect(1);
    assert_eq!(gone.stderr, "error: there is no source `hub`\n");
}

#[test]
fn every_problem_of_a_source_is_told_when_it_is_written() {
    let gateway = Gateway::set_up(&setup(None, ""));
    let document = json!({
        "scheme": "github", "secrets": ["env:NOT_NAMED", "s"], "tolerance": "soon", "methods": ["FETCH"],
        "event": {"id": ["json:id", "body"], "kind": "x"},
        "deduplicate": {"by": ["json:x"], "within": "1"}
    });
    let answer = gateway.api("PUT", "/v1/sources/hub", Some(&document)).expect(422).json();
    let problems = answer["problems"].as_array().unwrap();
    let mut paths: Vec<&str> = problems.iter().filter_map(|problem| problem["path"].as_str()).collect();
    paths.sort_unstable();
    let expected = [
        "deduplicate.by[0]",
        "deduplicate.within",
        "event.id[0]",
        "event.kind",
        "methods[0]",
        "secrets[0]",
        "tolerance",
    ];
    assert_eq!(paths, expected, "{answer}");
}

#[test]
fn a_filter_is_tried_on_a_message_and_header_fields_as_it_sees_them() {
    let gateway = Gateway::set_up(&setup(None, ""));
    let test = |document: serde_json::Value| gateway.api("POST", "/v1/subscriptions/test", Some(&document));
    let filter = "message.n > 1 && headers['x-a'] == 'b' && event.type == 't'";
    let whole =
        json!({"filter": filter, "message": {"n": 2}, "headers": {"x-a": "b"}, "event": {"type": "t"}});
    assert_eq!(test(whole.clone()).expect(200).json()["outcome"], "match");
    let message = json!({"filter": "message.n > 1", "message": {"n": 1}});
    assert_eq!(test(message).expect(200).json()["outcome"], "no-match");
    let mut twice = whole;
    twice["event"]["data"] = json!({"n": 2});
    assert_eq!(test(twice).problem(422), "invalid-document");
    let both = json!({"filter": "true", "message": {}, "event_id": "x"});
    assert_eq!(test(both).problem(422), "invalid-document");
}

#[test]
fn what_a_document_says_literally_and_hardly_means_is_told_when_it_is_written_and_shown() {
    let gateway = Gateway::set_up(&setup(None, ""));
    let source = json!({"scheme": "github", "secrets": ["$HUB_SECRET"]});
    let written = gateway.api("PUT", "/v1/sources/hub", Some(&source)).expect(201).json();
    for shown in [written, gateway.get("/v1/sources/hub")] {
        assert_eq!(shown["warnings"][0]["path"], "secrets[0]", "{shown}");
        assert_eq!(shown["warnings"][0]["hint"], "write \"env:HUB_SECRET\"", "{shown}");
    }
    let subscription = json!({
        "sources": ["hub"],
        "endpoint": {"url": "https://example.com/", "headers": {"authorization": "Bearer $TOKEN"}},
    });
    let written = gateway.api("PUT", "/v1/subscriptions/hub", Some(&subscription)).expect(201).json();
    for shown in [written, gateway.get("/v1/subscriptions/hub")] {
        assert_eq!(shown["warnings"][0]["path"], "endpoint.headers.authorization", "{shown}");
    }
    assert!(gateway.get("/v1/sources/file").get("warnings").is_none());
}
