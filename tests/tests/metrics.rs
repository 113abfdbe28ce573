//! The metrics: what they count, and that other tools read them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Receiver, Reply, Setup, eventually, github};

const GITHUB: &str = "secret of the repository";

const SOURCE: &str = r#"
    [[source]]
    name = "hub"
    scheme = "github"
    secrets = ["secret of the repository"]
"#;

fn post(gateway: &Gateway, id: &str, body: &str) -> Answer {
    gateway.post("hub", &github(GITHUB, id, body.as_bytes()), body.as_bytes())
}

#[test]
fn metrics_count_what_came_in_and_what_became_of_it() {
    let receiver = Receiver::with(|received, _| {
        Reply::status(if received.header("webhook-id") == Some("bad") { 500 } else { 200 })
    });
    let gateway = Gateway::start(&format!(
        "{SOURCE}\n[[subscription]]\nid = \"all\"\nendpoint = {{ url = \"{}\", allow_private = true }}\n\
         delivery = {{ retry = {{ delays = [] }} }}",
        receiver.url("/")
    ));
    for id in ["a", "b", "bad"] {
        let _ = post(&gateway, id, "{}").expect(202);
    }
    let _ = post(&gateway, "a", "{}").expect(200);
    let _ = gateway.post("hub", &github("another", "c", b"{}"), b"{}").expect(401);
    let _ = gateway.post("nowhere", &github(GITHUB, "c", b"{}"), b"{}").expect(404);
    let _ = gateway.settled();
    let answer = gateway.api("GET", "/metrics", None).expect(200);
    assert!(answer.header("content-type").is_some_and(|kind| kind.contains("version=")), "{answer:?}");
    let text = answer.text();
    for line in [
        "anglerfish_ingress_requests_total{source=\"hub\",outcome=\"accepted\"} 3",
        "anglerfish_ingress_requests_total{source=\"hub\",outcome=\"duplicate\"} 1",
        "anglerfish_ingress_requests_total{source=\"hub\",outcome=\"unverified\"} 1",
        "anglerfish_ingress_body_bytes_total{source=\"hub\"} 10",
        "anglerfish_commit_duration_seconds_count 3",
        "anglerfish_delivery_attempts_total{subscription=\"all\",outcome=\"delivered\"} 2",
        "anglerfish_delivery_attempts_total{subscription=\"all\",outcome=\"dead\"} 1",
        "anglerfish_delivery_attempts_running{subscription=\"all\"} 0",
        "anglerfish_delivery_attempt_duration_seconds_count 3",
        "anglerfish_filter_failures_total 0",
        "anglerfish_subscription_filter_failures_total{subscription=\"all\"} 0",
        "anglerfish_backlog_deliveries{subscription=\"all\"} 0",
        "anglerfish_backlog_oldest_age_seconds{subscription=\"all\"} 0.0",
        "anglerfish_oldest_delivery_age_seconds 0.0",
        "anglerfish_store_up 1",
    ] {
        assert!(text.lines().any(|one| one == line), "no {line}:\n{text}");
    }
    assert!(!text.contains("nowhere"), "what senders choose is no label");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("anglerfish_") && value.parse::<f64>().is_ok(), "{line}");
    }
    check_by_prometheus(&text);
}

/// What Prometheus' own tool says of the metrics, where it is installed.
fn check_by_prometheus(metrics: &str) {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut promtool = Command::new("promtool");
    let spawned = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        eprintln!("skipped: promtool is not installed");
        return;
    };
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{}\n{metrics}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn the_age_of_the_oldest_open_delivery_grows_until_it_ends() {
    let receiver = Receiver::with(|_, _| Reply::status(500));
    let gateway = Gateway::start(&format!(
        "{SOURCE}\n[[subscription]]\nid = \"all\"\nendpoint = {{ url = \"{}\", allow_private = true }}\n\
         delivery = {{ retry = {{ delays = [\"1h\"] }} }}",
        receiver.url("/")
    ));
    let _ = post(&gateway, "a", "{}").expect(202);
    let age = |name: &str| -> f64 {
        let text = gateway.api("GET", "/metrics", None).expect(200).text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("no {name}:\n{text}"));
        line.trim().parse().unwrap()
    };
    let of_one = "anglerfish_backlog_oldest_age_seconds{subscription=\"all\"}";
    let first = eventually("the oldest has an age", || Some(age(of_one)).filter(|age| *age > 0.0));
    eventually("it grows", || (age("anglerfish_oldest_delivery_age_seconds") > first).then_some(()));
    gateway.write(&Setup { rest: SOURCE.to_owned(), ..Setup::default() });
    let _ = gateway.api("POST", "/v1/config/reload", None).expect(200);
    let ended = age("anglerfish_oldest_delivery_age_seconds");
    assert!(ended.abs() < f64::EPSILON, "{ended}");
}
