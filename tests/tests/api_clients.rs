//! The management API as clients of others use it, which know it by its description or by CloudEvents' specification.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Foreign, Gateway, Receiver, Request, github, send};
use serde_json::json;
use std::collections::HashSet;

const SOURCE: &str =
    "[[source]]\nname = \"hub\"\nscheme = \"github\"\nsecrets = [\"secret of the repository\"]\n";

/// One event that is taken, and one request that is refused.
fn send_two(gateway: &Gateway) {
    let _ = gateway.post("hub", &github("secret of the repository", "one", b"{}"), b"{}").expect(202);
    let _ = gateway.post("hub", &github("another secret", "two", b"{}"), b"{}").expect(401);
}

/// Schemathesis makes requests from the API's own description, right ones and wrong ones, and holds the answers against it.
#[test]
fn a_client_that_knows_only_the_description_finds_nothing_that_differs_from_it() {
    let Some(schemathesis) = Foreign::python() else { return };
    let receiver = Receiver::start();
    let gateway = Gateway::start(SOURCE);
    let document = json!({"id": "orders", "endpoint": {"url": receiver.url("/"), "allow_private": true}});
    let _ = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(201);
    send_two(&gateway);
    let _ = gateway.settled();
    let address = format!("http://{}", gateway.admin());
    let said = schemathesis.with_script("fuzz_api.py").run(std::path::Path::new(&address));
    // What was made in both runs, and that all of it was answered as described.
    let made = said.lines().filter(|line| line.contains(" generated, ") && line.contains(" passed"));
    assert_eq!(made.filter(|line| !line.trim_start().starts_with("0 ")).count(), 2, "{said}");
}

/// A client that is generated of the description works against the gateway.
#[test]
fn a_client_that_is_generated_of_the_description_reads_every_answer() {
    let Some(python) = Foreign::python() else { return };
    let receiver = Receiver::start();
    let gateway = Gateway::start(SOURCE);
    send_two(&gateway);
    let address = format!("http://{}", gateway.admin());
    let said = python.with_script("generated_client.py").run_with(&[&address, &receiver.url("/generated")]);
    assert!(said.contains("works"), "{said}");
    assert_eq!(receiver.wait(1)[0].header("ce-id"), Some("made-1"));
}

/// What the CloudEvents SDK of another language writes, in each of the modes.
#[test]
fn events_of_the_cloudevents_sdk_are_published_in_every_mode() {
    let Some(python) = Foreign::python() else { return };
    let receiver = Receiver::start();
    let gateway = Gateway::start(SOURCE);
    let filter = "event.source == \"/sdk\" && message.n == 1";
    let endpoint = json!({"url": receiver.url("/"), "allow_private": true});
    let document = json!({"id": "orders", "endpoint": endpoint, "filter": filter});
    let _ = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(201);
    for request in python.with_script("cloudevents_sdk.py").ask(&[]) {
        let headers: Vec<(String, String)> = serde_json::from_value(request["headers"].clone()).unwrap();
        let body = request["body"].as_str().unwrap().as_bytes().to_vec();
        let publish = || {
            let (headers, body) = (headers.clone(), body.clone());
            let request =
                Request { method: "POST".into(), path: "/v1/events".into(), headers, body, chunked: false };
            send(gateway.admin(), &request).unwrap()
        };
        let published = publish().expect(202);
        assert!(published.text().contains("accepted"), "{}", published.text());
        assert!(publish().expect(200).text().contains("duplicate"));
    }
    let received = receiver.wait(4);
    let ids: HashSet<_> = received.iter().filter_map(|one| one.header("ce-id")).collect();
    assert_eq!(ids, HashSet::from(["binary", "structured", "first", "second"]));
    assert!(received.iter().all(|one| one.header("ce-source") == Some("/sdk")), "{received:?}");
}
