//! Bodies with several events, through the whole gateway.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Receiver};

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
