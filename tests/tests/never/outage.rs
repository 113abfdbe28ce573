//! A process never needs a restart to recover from the outage of something that it depends on.

use super::{SOURCE, local, post, request, subscription};
use anglerfish_tests::{Gateway, Receiver, Reply, Setup, eventually, free_port, send};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Again and again, for as long as it takes.
const PATIENT: &str = "retry = { delays = [DELAYS], jitter = 0 }";

fn patient() -> String {
    PATIENT.replace("DELAYS", &vec!["\"50ms\""; 100].join(", "))
}

fn only(gateway: &Gateway) -> Value {
    let deliveries = gateway.settled();
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries[0].clone()
}

#[test]
fn an_endpoint_that_fails_for_a_while_gets_everything_when_it_works_again() {
    let works = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&works);
    let receiver =
        Receiver::with(move |_, _| Reply::status(if seen.load(Ordering::SeqCst) { 200 } else { 503 }));
    let gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, &patient())));
    for number in 0..20 {
        let _ = post(&gateway, &format!("d-{number}"), b"{}").expect(202);
    }
    let _ = receiver.wait(12);
    works.store(true, Ordering::SeqCst);
    let deliveries = gateway.settled();
    assert_eq!(deliveries.len(), 20);
    assert!(deliveries.iter().all(|one| one["status"] == "delivered"), "{deliveries:?}");
}

#[test]
fn an_endpoint_that_cannot_be_connected_to_gets_everything_when_it_is_back() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let gateway =
        Gateway::start(&format!("{SOURCE}{}", subscription("a", &url, "allow_private = true", &patient())));
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    eventually("an attempt has failed", || {
        let attempts = gateway.get("/v1/deliveries/1")["attempts"].as_array().unwrap().len();
        (attempts > 0).then_some(())
    });
    let receiver = Receiver::on(port, |_, _| Reply::status(200));
    assert_eq!(only(&gateway)["status"], "delivered");
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn an_endpoint_whose_connections_break_gets_everything_over_new_ones() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let gateway =
        Gateway::start(&format!("{SOURCE}{}", subscription("a", &url, "allow_private = true", &patient())));
    for round in 0..3 {
        let receiver = Receiver::on(port, |_, _| Reply::status(200));
        let _ = post(&gateway, &format!("d-{round}"), b"{}").expect(202);
        let _ = receiver.wait(1);
        let _ = gateway.settled();
        drop(receiver);
        eventually("the port is free", || std::net::TcpListener::bind(("127.0.0.1", port)).ok());
    }
    assert!(gateway.settled().iter().all(|one| one["status"] == "delivered"));
}

#[test]
fn a_name_that_does_not_resolve_fails_the_attempt_and_a_corrected_one_gets_the_delivery() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(SOURCE);
    let document = |url: &str| {
        let delays = vec!["50ms"; 100];
        json!({
            "id": "a", "endpoint": {"url": url, "allow_private": true},
            "delivery": {"retry": {"delays": delays, "jitter": 0}}
        })
    };
    let put = |url: &str| gateway.api("PUT", "/v1/subscriptions/a", Some(&document(url)));
    // No label may be that long: there is no such name, whatever a name server would say.
    let nowhere = format!("{}.invalid", "a".repeat(64));
    let _ = put(&format!("http://{nowhere}/")).expect(201);
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let failed = eventually("an attempt has failed", || {
        gateway.get("/v1/deliveries/1")["attempts"].as_array().unwrap().first().cloned()
    });
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains(&format!("dns: {nowhere}")), "{error}");
    let _ = put(&receiver.url("/")).expect(200);
    assert_eq!(only(&gateway)["status"], "delivered");
}

#[test]
fn a_store_that_is_locked_for_a_while_refuses_with_503_and_then_goes_on() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, &patient())));
    let _ = post(&gateway, "before", b"{}").expect(202);
    let other = rusqlite::Connection::open(gateway.directory().join("data/anglerfish.db")).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = send(gateway.ingress(), &request("meanwhile", b"{}")).unwrap();
    assert_eq!(answer.problem(503), "store-unavailable");
    assert!(answer.header("retry-after").is_some());
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    // The same event again, as its sender will do.
    let _ = eventually("the store takes events again", || {
        let answer = post(&gateway, "meanwhile", b"{}");
        (answer.status == 202).then_some(answer)
    });
    let deliveries = gateway.settled();
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().all(|one| one["status"] == "delivered"), "{deliveries:?}");
    assert_eq!(gateway.api("GET", "/ready", None).status, 200);
}

/// Sets how large the files may be that a process writes; `false` where that cannot be done.
fn limit_files(gateway: &Gateway, limit: &str) -> bool {
    let (process, limit) = (gateway.process().to_string(), format!("--fsize={limit}:unlimited"));
    Command::new("prlimit").args(["--pid", &process, &limit]).status().is_ok_and(|status| status.success())
}

#[test]
fn a_disk_that_is_full_for_a_while_refuses_with_503_and_then_goes_on() {
    let receiver = Receiver::start();
    let gateway = Gateway::set_up(&Setup {
        rest: format!("{SOURCE}{}", local("a", &receiver, &patient())),
        // Else the system ends a process that writes beyond the limit.
        shell: Some("trap '' XFSZ".into()),
        ..Setup::default()
    });
    if !limit_files(&gateway, "3000000") {
        println!("skipped: the size of files cannot be limited here");
        return;
    }
    let body = vec![b'x'; 100_000];
    let mut accepted = 0;
    let refused = loop {
        let answer = post(&gateway, &format!("d-{accepted}"), &body);
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 100, "the disk does not get full");
    };
    assert_eq!(refused.problem(503), "store-unavailable");
    assert!(refused.header("retry-after").is_some());
    assert!(limit_files(&gateway, "unlimited"));
    let _ = eventually("the store takes events again", || {
        let answer = post(&gateway, &format!("d-{accepted}"), &body);
        (answer.status == 202).then_some(answer)
    });
    let deliveries = gateway.settled();
    assert_eq!(deliveries.len(), accepted + 1);
    assert!(deliveries.iter().all(|one| one["status"] == "delivered"), "{deliveries:?}");
    assert!(receiver.requests().iter().all(|one| one.body == body));
}

#[test]
fn a_store_that_is_locked_while_an_attempt_ends_keeps_its_record_for_later() {
    let receiver = Receiver::with(|_, _| Reply::held(200));
    let gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, "timeout = \"10m\"")));
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let _ = receiver.wait(1);
    let other = rusqlite::Connection::open(gateway.directory().join("data/anglerfish.db")).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    receiver.release();
    gateway.wait_log("locked");
    other.execute_batch("ROLLBACK").unwrap();
    let delivery = only(&gateway);
    assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)));
    assert_eq!(receiver.requests().len(), 1, "what was delivered was not attempted again");
}
