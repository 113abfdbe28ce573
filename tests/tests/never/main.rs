//! What never happens: a test, or some, for each line of that list.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod body;
mod dead;
mod fault;
mod filter;
mod limit;
mod log;
mod memory;
mod outage;
mod pace;
mod private;
mod reload;
mod secret;
mod share;
mod silence;
mod store;
mod trace;
mod unverified;

use anglerfish_tests::{Answer, Gateway, Receiver, Request, github, send};

/// The secret of the source `hub`.
const SECRET: &str = "secret of the repository";

/// The source `hub`.
const SOURCE: &str = r#"
[[source]]
name = "hub"
scheme = "github"
secrets = ["secret of the repository"]
"#;

/// The value of a metric, with its labels if it has any.
fn metric(gateway: &Gateway, name: &str) -> Option<f64> {
    let text = gateway.api("GET", "/metrics", None).expect(200).text();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// A subscription to everything that calls this URL; `endpoint` and `delivery` are further keys of those tables.
fn subscription(id: &str, url: &str, endpoint: &str, delivery: &str) -> String {
    format!(
        "[[subscription]]\nid = \"{id}\"\n[subscription.endpoint]\nurl = \"{url}\"\n{endpoint}\n\
         [subscription.delivery]\n{delivery}\n"
    )
}

/// One that may call this machine.
fn local(id: &str, receiver: &Receiver, delivery: &str) -> String {
    subscription(id, &receiver.url(&format!("/{id}")), "allow_private = true", delivery)
}

/// The request of a signed event.
fn request(id: &str, body: &[u8]) -> Request {
    Request {
        method: "POST".into(),
        path: "/in/hub".into(),
        headers: github(SECRET, id, body),
        body: body.to_vec(),
        chunked: false,
    }
}

fn post(gateway: &Gateway, id: &str, body: &[u8]) -> Answer {
    send(gateway.ingress(), &request(id, body)).unwrap_or_else(|error| panic!("{error}:\n{}", gateway.log()))
}

/// The ids of the events that a receiver got.
fn ids(receiver: &Receiver) -> Vec<String> {
    receiver.requests().iter().map(|one| one.header("webhook-id").unwrap().to_owned()).collect()
}

/// The error of a delivery's last attempt.
fn last_error(gateway: &Gateway, delivery: &serde_json::Value) -> String {
    let shown = gateway.get(&format!("/v1/deliveries/{}", delivery["id"]));
    let attempts = shown["attempts"].as_array().unwrap().clone();
    attempts.last().unwrap_or_else(|| panic!("no attempt: {shown}"))["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
