//! No limit of a subscription is written down and not enforced: one test for each key of `[subscription.delivery]`.

use super::{SOURCE, last_error, local, post, subscription};
use anglerfish_tests::{Gateway, Receiver, Reply};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn concurrency_bounds_the_attempts_of_a_subscription_at_once_and_no_other() {
    let (held, free) = (Receiver::with(|_, _| Reply::held(200)), Receiver::start());
    let gateway = Gateway::start(&format!(
        "{SOURCE}{}{}",
        local("held", &held, "concurrency = 3\ntimeout = \"10m\""),
        local("free", &free, ""),
    ));
    for number in 0..20 {
        let _ = post(&gateway, &format!("d-{number}"), b"{}").expect(202);
    }
    let _ = free.wait(20);
    assert_eq!(held.wait(3).len(), 3, "more than three at once");
    let metrics = gateway.api("GET", "/metrics", None).expect(200).text();
    assert!(metrics.contains("anglerfish_delivery_attempts_running{subscription=\"held\"} 3\n"), "{metrics}");
    held.release();
    let _ = held.wait(20);
    assert_eq!(gateway.settled().len(), 40);
}

#[test]
fn timeout_ends_an_attempt_that_has_no_status_and_one_with_a_status_waits_for_no_more_than_its_time() {
    // One that does not answer, and one whose body never ends: its status has said what there is to say.
    let silent = Receiver::with(|_, _| Reply::held(200));
    let drip = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", drip.local_addr().unwrap());
    let dripping = std::thread::spawn(move || {
        let (mut stream, _) = drip.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"{}") {
            let mut part = [0; 4096];
            let length = stream.read(&mut part).unwrap();
            request.extend_from_slice(&part[..length]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx").unwrap();
        stream
    });
    let policy = "timeout = \"150ms\"\nretry = { delays = [] }";
    let gateway = Gateway::start(&format!(
        "{SOURCE}{}{}",
        local("silent", &silent, policy),
        subscription("drip", &url, "allow_private = true", policy),
    ));
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    for delivery in gateway.settled() {
        if delivery["subscription"] == "silent" {
            assert_eq!(delivery["status"], "dead", "{delivery}");
            assert_eq!(last_error(&gateway, &delivery), "timed out after 150ms");
        } else {
            assert_eq!(delivery["status"], "delivered", "{delivery}");
        }
    }
    drop(dripping.join());
}

#[test]
fn retry_is_made_as_often_as_it_has_delays_and_no_more() {
    let receiver = Receiver::with(|_, _| Reply::status(500));
    let gateway = Gateway::start(&format!(
        "{SOURCE}{}{}",
        local("thrice", &receiver, "retry = { delays = [\"1ms\", \"2ms\"], jitter = 0 }"),
        local("once", &receiver, "retry = { delays = [] }"),
    ));
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    for delivery in gateway.settled() {
        let attempts = if delivery["subscription"] == "once" { 1 } else { 3 };
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("dead"), &json!(attempts)));
    }
    assert_eq!(receiver.requests().len(), 4);
}

#[test]
fn retry_waits_at_least_what_the_delay_less_its_jitter_says() {
    let receiver = Receiver::with(|_, number| Reply::status(if number == 0 { 500 } else { 200 }));
    let delivery = "retry = { delays = [\"400ms\"], jitter = 0.5 }";
    let gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, delivery)));
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let delivery = gateway.settled().remove(0);
    let attempts = gateway.get(&format!("/v1/deliveries/{}", delivery["id"]))["attempts"].clone();
    let database = rusqlite::Connection::open(gateway.directory().join("data/anglerfish.db")).unwrap();
    let waited: i64 =
        database.query_row("SELECT max(started) - min(started) FROM attempts", (), |row| row.get(0)).unwrap();
    assert!(waited >= 200, "{waited} ms: {attempts}");
}

#[test]
fn success_and_discard_decide_what_an_answer_means() {
    let receiver = Receiver::with(|received, _| Reply::status(received.path[2..].parse().unwrap()));
    let mut text = SOURCE.to_owned();
    let policy = "success = [200, \"3xx\"]\ndiscard = [404, \"41x\"]\nretry = { delays = [] }";
    let policy = policy.replace(", \"41x\"", ", 410");
    let expected = [
        (200, "delivered"),
        (304, "delivered"),
        (204, "dead"),
        (404, "discarded"),
        (410, "discarded"),
        (500, "dead"),
    ];
    for (status, _) in expected {
        let url = receiver.url(&format!("/s{status}"));
        text.push_str(&subscription(&format!("s{status}"), &url, "allow_private = true", &policy));
    }
    let gateway = Gateway::start(&text);
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let deliveries = gateway.settled();
    for (status, outcome) in expected {
        let one = deliveries.iter().find(|one| one["subscription"] == format!("s{status}")).unwrap();
        assert_eq!(one["status"], outcome, "{status}");
    }
}

#[test]
fn of_an_answer_four_kibibytes_are_kept_however_long_it_is() {
    let body = vec![b'x'; 3 << 20];
    let receiver = Receiver::with(move |_, _| Reply::status(200).body(&body));
    let gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, "")));
    for number in 0..3 {
        let _ = post(&gateway, &format!("d-{number}"), b"{}").expect(202);
    }
    for delivery in gateway.settled() {
        assert_eq!(delivery["status"], "delivered", "{delivery}");
        let shown = gateway.get(&format!("/v1/deliveries/{}", delivery["id"]));
        assert_eq!(shown["attempts"][0]["answer"].as_str().unwrap().len(), 4096);
    }
}
