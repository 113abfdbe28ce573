//! Requests with several events, in and out, through the whole gateway.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Received, Receiver, Reply, eventually, verify_standard};
use serde_json::Value;

/// `[{"n":1},{"n":2}]` out of gzip.
const PACKED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x8b\xae\x56\xca\x53\xb2\x32\xac\xd5\x01\xd3\x46\xb5\xb1\x00\x40\xab\xb5\x60\x11\x00\x00\x00";

fn config(receiver: &Receiver, source: &str, filter: &str) -> String {
    let url = receiver.url("/");
    format!(
        "[[source]]\nname = \"in\"\nscheme = \"none\"\n{source}\n\
         [[subscription]]\nid = \"s\"\nfilter = '{filter}'\n\
         endpoint = {{ url = \"{url}\", allow_private = true }}\n"
    )
}

fn post(gateway: &Gateway, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    gateway.post("in", &headers, body)
}

#[test]
fn each_part_is_delivered_as_it_stands_in_the_body_and_repetitions_are_counted() {
    let receiver = Receiver::start();
    let source = "split = \"json:/events\"\nevent = { id = \"json:/id\", type = \"json:/is\" }";
    let gateway = Gateway::start(&config(&receiver, source, "message.n > 1"));
    let first =
        "{\"events\":[ {\"id\":\"a\", \"n\":1 ,\"is\":\"x\"}, {\"id\":\"b\",\"n\" : 2.0,\"is\":\"y\"} ]}";
    let json = [("content-type", "application/json")];
    let answer = post(&gateway, &json, first.as_bytes()).expect(202).json();
    assert_eq!(answer.to_string(), r#"{"deliveries":1,"duplicates":0,"events":2,"status":"accepted"}"#);
    let delivered = receiver.wait(1);
    assert_eq!(delivered[0].body, b"{\"id\":\"b\",\"n\" : 2.0,\"is\":\"y\"}");
    assert_eq!(delivered[0].header("webhook-id"), Some("b"));
    assert_eq!(delivered[0].header("ce-type"), Some("y"));

    let again = br#"{"events":[{"id":"b","n":9},{"id":"c","n":3}]}"#;
    let answer = post(&gateway, &json, again).expect(202).json();
    assert_eq!((&answer["events"], &answer["duplicates"]), (&1.into(), &1.into()));
    let answer = post(&gateway, &json, again).expect(200).json();
    assert_eq!((&answer["status"], &answer["duplicates"]), (&"duplicate".into(), &2.into()));
    assert_eq!(receiver.wait(2).len(), 2);
    assert_eq!(gateway.list("/v1/events", 10).len(), 3);
    let shown = gateway.get("/v1/events/b");
    assert_eq!(shown["repetitions"]["count"], 2, "{shown}");
}

#[test]
fn a_packed_batch_is_unpacked_into_parts_that_can_be_explained_later() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&config(&receiver, "split = \"json:\"", "message.n == 2"));
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let _ = post(&gateway, &headers, PACKED).expect(202);
    let delivered = receiver.wait(1);
    assert_eq!(
        (delivered[0].body.as_slice(), delivered[0].header("content-encoding")),
        (&br#"{"n":2}"#[..], None)
    );
    let id = delivered[0].header("webhook-id").unwrap().to_owned();
    assert!(id.ends_with("~1"), "{id}");
    let told = gateway.get(&format!("/v1/events/{id}/explain"));
    assert_eq!(told["subscriptions"][0]["outcome"], "match", "{told}");
}

#[test]
fn a_batch_without_parts_is_taken_and_one_with_too_many_is_refused_with_the_reason() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&config(&receiver, "split = \"json:\"", "has(message.whole)"));
    let answer = post(&gateway, &[], b"[]").expect(202).json();
    assert_eq!((&answer["events"], &answer["deliveries"]), (&0.into(), &0.into()));
    let many = format!("[{}1]", "1,".repeat(1000));
    let problem = post(&gateway, &[], many.as_bytes()).expect(413).json();
    assert_eq!(problem["code"], "invalid-request");
    assert!(problem["detail"].as_str().unwrap().contains("more than 1000 events"), "{problem}");
    assert_eq!(post(&gateway, &[], many.replacen("1,", "", 1).as_bytes()).expect(202).json()["events"], 1000);
    let whole = post(&gateway, &[], br#"{"whole":1}"#).expect(202).json();
    assert_eq!(whole["deliveries"], 1);
    assert_eq!(receiver.wait(1).len(), 1);
}

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A gateway that sends to a receiver in batches.
fn batching(receiver: &Receiver, batch: &str, more: &str) -> Gateway {
    let url = receiver.url("/");
    Gateway::start(&format!(
        "[[source]]\nname = \"in\"\nscheme = \"none\"\nevent = {{ id = \"json:/id\" }}\n\
         [[subscription]]\nid = \"s\"\nendpoint = {{ url = \"{url}\", allow_private = true, secret = \"{SECRET}\" }}\n\
         [subscription.delivery]\nbatch = {batch}\n{more}\n"
    ))
}

/// Events with these numbers as ids.
fn publish(gateway: &Gateway, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let body = format!("{{\"id\":\"e{number}\",\"n\":{number}.50}}");
        let _ = post(gateway, &[("content-type", "application/json")], body.as_bytes()).expect(202);
    }
}

/// The ids of the events of each request.
fn ids(requests: &[Received]) -> Vec<Vec<String>> {
    let ids = |request: &Received| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        body.as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    };
    requests.iter().map(ids).collect()
}

#[test]
fn several_events_go_in_one_request_that_is_signed_once_and_settled_as_one() {
    let receiver = Receiver::start();
    let gateway = batching(&receiver, "{ max = 4, wait = \"30s\" }", "");
    publish(&gateway, 0..8);
    // Full ones wait for nothing.
    let requests = receiver.wait(2);
    for request in &requests {
        assert_eq!(request.header("content-type"), Some("application/cloudevents-batch+json; charset=utf-8"));
        assert!(verify_standard(SECRET, &request.headers, &request.body));
        assert!(String::from_utf8_lossy(&request.body).contains(".50"), "no digit is lost");
    }
    let sent = ids(&requests);
    assert!(sent.iter().all(|ids| ids.len() == 4), "{sent:?}");
    let mut all = sent.concat();
    all.sort();
    assert_eq!(all, (0..8).map(|number| format!("e{number}")).collect::<Vec<_>>());
    assert_ne!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    for delivery in gateway.settled() {
        assert_eq!(
            (&delivery["status"], &delivery["attempt_count"]),
            (&"delivered".into(), &1.into()),
            "{delivery}"
        );
    }
    assert_eq!(receiver.requests().len(), 2);
}

#[test]
fn a_batch_that_is_not_full_is_sent_when_it_has_waited() {
    let receiver = Receiver::start();
    let gateway = batching(&receiver, "{ max = 1000, wait = \"200ms\" }", "content = \"envelope\"");
    publish(&gateway, 0..3);
    let came = |requests: &[Received]| ids(requests).concat().len() == 3;
    let requests = receiver.wait_until("all three", came);
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(ids(&requests).concat(), ["e0", "e1", "e2"]);
}

#[test]
fn a_batch_that_is_gathered_is_kept_while_its_subscription_is_paused() {
    let receiver = Receiver::start();
    let gateway = batching(&receiver, "{ max = 50, wait = \"2s\" }", "");
    publish(&gateway, 0..3);
    let running = |count: u64| {
        eventually("so many are gathered", || {
            (gateway.get("/v1/subscriptions/s")["queue"]["running"] == count).then_some(())
        });
    };
    running(3);
    let _ = gateway.api("POST", "/v1/subscriptions/s/pause", None).expect(200);
    running(0);
    assert!(receiver.requests().is_empty());
    let _ = gateway.api("POST", "/v1/subscriptions/s/resume", None).expect(200);
    let _ = receiver.wait_until("all three", |requests| ids(requests).concat().len() == 3);
    for delivery in gateway.settled() {
        assert_eq!(delivery["attempt_count"], 1, "{delivery}");
    }
}

#[test]
fn a_batch_that_is_too_large_for_its_receiver_is_halved_and_no_attempt_is_used_up() {
    let receiver = Receiver::with(|request, _| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        Reply::status(if body.as_array().unwrap().len() > 2 { 413 } else { 200 })
    });
    // Raw data of one length: what has been learned is a number of bytes.
    let gateway = batching(&receiver, "{ max = 8, wait = \"30s\" }", "content = \"raw\"");
    publish(&gateway, 10..18);
    let requests = receiver.wait(7);
    let sent = ids(&requests);
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [8, 4, 2, 2, 4, 2, 2]);
    for delivery in gateway.settled() {
        assert_eq!(
            (&delivery["status"], &delivery["attempt_count"]),
            (&"delivered".into(), &1.into()),
            "{delivery}"
        );
    }
    // What it has learned holds for the next ones.
    publish(&gateway, 18..26);
    let requests = receiver.wait_until("all of them", |requests| {
        let sent = ids(requests);
        sent.iter().filter(|ids| ids.len() <= 2).flatten().count() == 16
    });
    assert!(ids(&requests)[7..].iter().all(|ids| ids.len() <= 2), "{:?}", ids(&requests));
}

#[test]
fn what_a_batch_comes_to_is_what_all_its_events_come_to() {
    let receiver = Receiver::with(|_, number| Reply::status(if number == 0 { 500 } else { 200 }));
    let gateway = batching(
        &receiver,
        "{ max = 3, wait = \"300ms\" }",
        "retry = { delays = [\"100ms\"], jitter = 0.0 }\nbreaker = { failures = 2 }",
    );
    publish(&gateway, 0..3);
    for delivery in gateway.settled() {
        assert_eq!(
            (&delivery["status"], &delivery["attempt_count"]),
            (&"delivered".into(), &2.into()),
            "{delivery}"
        );
        let id = &delivery["id"];
        let shown = gateway.get(&format!("/v1/deliveries/{id}"));
        let first = &shown["attempts"][0];
        assert_eq!(
            (&first["status"], &first["error"]),
            (&500.into(), &"answered 500 Internal Server Error (in a batch of 3 events)".into()),
            "{shown}"
        );
    }
    // Three events failed, and that is one failure of the endpoint: its breaker has not opened.
    assert!(!gateway.log().contains("breaker"), "{}", gateway.log());
}

#[test]
fn events_that_wait_for_others_are_sent_also_when_the_gateway_is_killed_meanwhile() {
    let receiver = Receiver::start();
    let mut gateway = batching(&receiver, "{ max = 1000, wait = \"1s\" }", "");
    publish(&gateway, 0..3);
    gateway.kill();
    gateway.spawn();
    let requests = receiver.wait_until("all three", |requests| ids(requests).concat().len() >= 3);
    let mut sent = ids(&requests).concat();
    sent.sort();
    sent.dedup();
    assert_eq!(sent, ["e0", "e1", "e2"]);
}
