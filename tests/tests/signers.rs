//! What the providers' own libraries sign goes in, and they can verify what comes out.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Foreign, Gateway, Receiver, now};
use serde_json::{Value, json};
use std::collections::HashMap;

const STANDARD: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw==";
const OUTGOING: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXJlY2VpdmVyLWluLXRlc3Q=";
const STRIPE: &str = "whsec_stripe_test_secret";
const GITHUB: &str = "it's a secret of the repository";

fn gateway(receiver: &Receiver) -> Gateway {
    Gateway::start(&format!(
        r#"
        [[source]]
        name = "standard"
        scheme = "standard-webhooks"
        secrets = ["{STANDARD}"]
        [[source]]
        name = "stripe"
        scheme = "stripe"
        secrets = ["{STRIPE}"]
        [[source]]
        name = "github"
        scheme = "github"
        secrets = ["{GITHUB}"]
        [[subscription]]
        id = "all"
        endpoint = {{ url = "{}", secret = "{OUTGOING}", allow_private = true }}
        "#,
        receiver.url("/all")
    ))
}

fn field(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn signature(answer: &Value) -> &str {
    answer["signature"].as_str().unwrap()
}

#[test]
fn what_python_libraries_sign_is_accepted_and_they_verify_what_is_delivered() {
    let Some(python) = Foreign::python() else { return };
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let standard_body = r#"{"type":"order.created","data":{"city":"Zürich"}}"#;
    let stripe_body = r#"{"id":"evt_python","object":"event","type":"invoice.paid"}"#;
    let time = now();
    let signed = python.ask(&[
        json!({"do": "sign-standard", "secret": STANDARD, "id": "msg_python", "timestamp": time, "body": standard_body}),
        json!({"do": "sign-stripe", "secret": STRIPE, "timestamp": time, "body": stripe_body}),
    ]);
    let standard = [
        field("content-type", "application/json"),
        field("webhook-id", "msg_python"),
        field("webhook-timestamp", time.to_string()),
        field("webhook-signature", signature(&signed[0])),
    ];
    let stripe =
        [field("content-type", "application/json"), field("stripe-signature", signature(&signed[1]))];
    assert_eq!(
        gateway.post("standard", &standard, standard_body.as_bytes()).expect(202).json()["id"],
        "msg_python"
    );
    assert_eq!(
        gateway.post("stripe", &stripe, stripe_body.as_bytes()).expect(202).json()["id"],
        "evt_python"
    );

    let delivered = receiver.wait(2);
    let mut tasks = Vec::new();
    for received in &delivered {
        let headers: HashMap<&str, &str> =
            received.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = String::from_utf8(received.body.clone()).unwrap();
        tasks.push(json!({"do": "verify-standard", "secret": OUTGOING, "headers": headers, "body": body}));
        tasks.push(json!({"do": "verify-standard", "secret": STANDARD, "headers": headers, "body": body}));
    }
    let verified: Vec<_> = python.ask(&tasks).iter().map(|answer| answer["verified"] == true).collect();
    assert_eq!(verified, [true, false, true, false], "with the right secret and with another");
}

#[test]
fn every_published_payload_of_github_goes_through_unchanged() {
    let Some(node) = Foreign::node() else { return };
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let examples = node.ask(&[json!({"do": "examples", "secret": GITHUB})]);
    assert!(examples.len() > 200, "there are only {} payloads", examples.len());
    let mut sent = HashMap::new();
    for (number, example) in examples.iter().enumerate() {
        let id = format!("delivery-{number}");
        let (name, body) = (example["name"].as_str().unwrap(), example["body"].as_str().unwrap());
        let headers = [
            field("content-type", "application/json"),
            field("x-github-event", name),
            field("x-github-delivery", &id),
            field("x-hub-signature-256", signature(example)),
        ];
        let answer = gateway.post("github", &headers, body.as_bytes());
        assert_eq!(answer.status, 202, "{name}: {}", answer.text());
        assert_eq!(answer.json()["deliveries"], 1, "{name}");
        sent.insert(id, (name, body));
    }
    for received in receiver.wait(sent.len()) {
        let id = received.header("webhook-id").unwrap();
        let (name, body) = sent.remove(id).unwrap_or_else(|| panic!("{id} came twice or was never sent"));
        assert!(received.body == body.as_bytes(), "the body of {id} ({name}) was changed");
        assert_eq!(received.header("ce-type"), Some(name));
        assert_eq!(received.header("content-type"), Some("application/json"));
    }
    assert!(sent.is_empty(), "not delivered: {:?}", sent.keys());
}

#[test]
fn a_signature_of_githubs_own_library_over_another_body_is_refused() {
    let Some(node) = Foreign::node() else { return };
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let signed = node.ask(&[json!({"do": "sign", "secret": GITHUB, "body": "{\"a\":1}"})]);
    let headers = [
        field("content-type", "application/json"),
        field("x-github-event", "push"),
        field("x-github-delivery", "one"),
        field("x-hub-signature-256", signature(&signed[0])),
    ];
    assert_eq!(gateway.post("github", &headers, b"{\"a\":2}").problem(401), "verification-failed");
    let _ = gateway.post("github", &headers, b"{\"a\":1}").expect(202);
}
