//! What becomes of a request: what the sender reads, and what the subscriptions get.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{
    Answer, Gateway, Receiver, Request, github, now, send, slack, standard, verify_standard,
};
use serde_json::{Value, json};

const SHOP: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw==";
const OUTGOING: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXJlY2VpdmVyLWluLXRlc3Q=";
const OTHER: &str = "whsec_bm90LXRoZS1zZWNyZXQtb2YtdGhlLXNlbmRlci1oZXJl";
const GITHUB: &str = "secret of the repository";
const SLACK: &str = "8f742231b10e8888abcd99yyyzzz85a5";

const SOURCES: &str = r#"
    [[source]]
    name = "shop"
    scheme = "standard-webhooks"
    secrets = ["whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw=="]
    [[source]]
    name = "github"
    scheme = "github"
    secrets = ["secret of the repository"]
    [[source]]
    name = "slack"
    scheme = "slack"
    secrets = ["8f742231b10e8888abcd99yyyzzz85a5"]
"#;

fn subscription(id: &str, filter: &str, receiver: &Receiver) -> String {
    let filter = if filter.is_empty() { String::new() } else { format!("filter = '''{filter}'''") };
    format!(
        r#"
        [[subscription]]
        id = "{id}"
        {filter}
        endpoint = {{ url = "{}", secret = "{OUTGOING}", allow_private = true }}
        "#,
        receiver.url(&format!("/{id}"))
    )
}

fn gateway(receiver: &Receiver) -> Gateway {
    Gateway::start(&format!("{SOURCES}{}", subscription("all", "", receiver)))
}

fn shop(gateway: &Gateway, id: &str, body: &[u8]) -> Answer {
    gateway.post("shop", &standard(SHOP, id, now(), body), body)
}

/// Sends one more event and waits for it, then says which events were stored and delivered before it.
fn before_a_last_one(gateway: &Gateway, receiver: &Receiver) -> (Vec<String>, Vec<String>) {
    let _ = shop(gateway, "the-last-one", b"{}").expect(202);
    let _ = receiver.wait_until("the last event", |all| {
        all.iter().any(|one| one.header("webhook-id") == Some("the-last-one"))
    });
    let _ = gateway.settled();
    let ids = |ids: Vec<String>| ids.into_iter().filter(|id| id != "the-last-one").collect();
    let stored = gateway.list("/v1/events", 500);
    let stored = stored.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    let delivered = receiver.requests();
    let delivered = delivered.iter().map(|one| one.header("webhook-id").unwrap().to_owned()).collect();
    (ids(stored), ids(delivered))
}

#[test]
fn a_signed_event_is_accepted_stored_and_delivered_as_it_came_with_a_signature() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let body =
        "{ \"type\": \"order.created\",\n\t\"data\": {\"name\": \"Zoë 😀\", \"n\": 1.50} } \n".as_bytes();
    let answer = shop(&gateway, "msg_1", body).expect(202);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!({"id": "msg_1", "status": "accepted", "deliveries": 1}));

    let received = receiver.wait(1).remove(0);
    assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/all"));
    assert_eq!(received.body, body);
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("webhook-id"), Some("msg_1"));
    assert_eq!(received.header("ce-type"), Some("order.created"));
    assert_eq!(received.header("ce-source"), Some("shop"));
    assert!(verify_standard(OUTGOING, &received.headers, &received.body), "{received:?}");
    assert!(!verify_standard(OTHER, &received.headers, &received.body));

    let data = gateway.api("GET", "/v1/events/msg_1/data", None).expect(200);
    assert_eq!(data.body, body);
    assert_eq!(gateway.settled()[0]["status"], "delivered");
}

#[test]
fn a_repeated_event_is_answered_200_and_delivered_once() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let _ = shop(&gateway, "msg_1", b"{\"n\":1}").expect(202);
    let again = shop(&gateway, "msg_1", b"{\"n\":1}").expect(200);
    assert_eq!(again.json(), json!({"id": "msg_1", "status": "duplicate", "deliveries": 0}));
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert_eq!(stored, ["msg_1"]);
    assert_eq!(delivered, ["msg_1"]);
}

#[test]
fn of_fifty_copies_at_once_exactly_one_is_accepted_and_delivered() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let body = b"{\"n\":1}";
    let headers = standard(SHOP, "msg_1", now(), body);
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let copies: Vec<_> =
            (0..50).map(|_| scope.spawn(|| gateway.post("shop", &headers, body).status)).collect();
        copies.into_iter().map(|copy| copy.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    let mut expected = vec![200; 49];
    expected.push(202);
    assert_eq!(statuses, expected);
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert_eq!(stored, ["msg_1"]);
    assert_eq!(delivered, ["msg_1"]);
}

#[test]
fn what_does_not_verify_is_refused_and_neither_stored_nor_delivered() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let body = b"{\"n\":1}";
    let right = || standard(SHOP, "bad", now(), body);
    let mut without = right();
    without.retain(|(name, _)| name != "webhook-signature");
    let mut empty = right();
    empty[3].1 = String::new();
    let mut other_id = right();
    other_id[1].1 = "bad2".to_owned();
    for (case, headers, body) in [
        ("another secret", standard(OTHER, "bad", now(), body), &body[..]),
        ("another body", right(), b"{\"n\":2}"),
        ("another id", other_id, body),
        ("no signature", without, body),
        ("an empty signature", empty, body),
        ("nothing", Vec::new(), body),
        ("an old timestamp", standard(SHOP, "bad", now() - 3600, body), body),
        ("a timestamp of the future", standard(SHOP, "bad", now() + 3600, body), body),
    ] {
        assert_eq!(gateway.post("shop", &headers, body).problem(401), "verification-failed", "{case}");
    }
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert!(stored.is_empty() && delivered.is_empty(), "{stored:?} {delivered:?}");
    // A refused request has not used up the id.
    let _ = shop(&gateway, "bad", body).expect(202);
}

#[test]
fn an_unknown_source_and_a_path_that_is_none_are_not_found() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let headers = standard(SHOP, "msg_1", now(), b"{}");
    let _ = gateway.post("shopp", &headers, b"{}").problem(404);
    for path in ["/", "/in", "/in/", "/in/shop/more", "/v1/events", "/in/..%2Fshop"] {
        let request = Request {
            method: "POST".into(),
            path: path.into(),
            headers: headers.clone(),
            body: b"{}".to_vec(),
            chunked: false,
        };
        let _ = send(gateway.ingress(), &request).unwrap().problem(404);
    }
    assert!(gateway.list("/v1/events", 10).is_empty());
}

#[test]
fn a_body_of_the_limit_is_taken_whole_and_one_byte_more_is_refused() {
    const LIMIT: usize = 1 << 20;
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let body = |length: usize| {
        let mut body = b"{\"a\":\"".to_vec();
        body.resize(length - 2, b'x');
        body.extend_from_slice(b"\"}");
        body
    };
    for chunked in [false, true] {
        let post = |id: &str, body: Vec<u8>| {
            let headers = standard(SHOP, id, now(), &body);
            let request = Request { method: "POST".into(), path: "/in/shop".into(), headers, body, chunked };
            send(gateway.ingress(), &request).unwrap()
        };
        let whole = format!("whole-{chunked}");
        let _ = post(&whole, body(LIMIT)).expect(202);
        assert_eq!(post("longer", body(LIMIT + 1)).problem(413), "too-large", "chunked: {chunked}");
        assert_eq!(post("longest", body(3 * LIMIT)).problem(413), "too-large", "chunked: {chunked}");
        let all = receiver.wait_until("the whole body", |all| {
            all.iter().any(|one| one.header("webhook-id") == Some(&whole))
        });
        let received = all.iter().find(|one| one.header("webhook-id") == Some(&whole)).unwrap();
        assert!(received.body == body(LIMIT), "the body is not the one that was sent");
        assert!(gateway.api("GET", &format!("/v1/events/{whole}/data"), None).body == body(LIMIT));
    }
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert_eq!((stored.len(), delivered.len()), (2, 2), "{stored:?} {delivered:?}");
}

#[test]
fn strange_bodies_are_events_when_their_signature_holds() {
    let receiver = Receiver::start();
    let filtered = subscription("filtered", "message.a == 1", &receiver);
    let gateway = Gateway::start(&format!("{SOURCES}{}{filtered}", subscription("all", "", &receiver)));

    // Bodies that are no JSON, or that no parser should go down into: the signature holds, so they are events.
    let nested = vec![b'['; 100_000];
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let binary: Vec<u8> = (0..=255).collect();
    for (id, body) in [("nested", &nested), ("deep", &deep), ("binary", &binary), ("nothing", &Vec::new())] {
        let answer = gateway.post("github", &github(GITHUB, id, body), body).expect(202);
        assert_eq!(answer.json()["deliveries"], 1, "{id}: a filter over a body that is no JSON is no match");
        let all = receiver.wait_until(id, |all| all.iter().any(|one| one.header("webhook-id") == Some(id)));
        let received = all.iter().find(|one| one.header("webhook-id") == Some(id)).unwrap();
        assert!(received.body == *body, "the body of {id} was changed");
    }
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert_eq!((stored.len(), delivered.len()), (4, 4));
}

#[test]
fn a_head_that_is_too_large_is_refused_and_a_smaller_one_is_taken() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let post = |id: &str, fields: usize, length: usize| {
        let mut headers = standard(SHOP, id, now(), b"{}");
        headers.extend((0..fields).map(|number| (format!("x-field-{number}"), "x".repeat(length))));
        gateway.post("shop", &headers, b"{}")
    };
    let _ = post("some", 50, 100).expect(202);
    let _ = post("long", 1, 50_000).expect(202);
    assert_eq!(post("longer", 1, 100_000).status, 431);
    assert_eq!(post("many", 1000, 5).status, 431);
    assert_eq!(post("endless", 1, 1_000_000).status, 431);
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert_eq!((stored.len(), delivered.len()), (2, 2), "{stored:?}");
}

#[test]
fn a_field_of_the_signature_that_comes_twice_is_refused() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    // Two ids, two times, two signatures: which of them is signed must not be left to chance.
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let right = standard(SHOP, "twice", now(), b"{}");
        let value = right.iter().find(|(field, _)| field == name).unwrap().1.clone();
        for other in [value, "other".to_owned()] {
            for first in [true, false] {
                let mut headers = right.clone();
                headers.insert(if first { 0 } else { headers.len() }, (name.to_owned(), other.clone()));
                let answer = gateway.post("shop", &headers, b"{}");
                assert_eq!(answer.problem(401), "verification-failed", "two {name}: {}", answer.text());
            }
        }
    }
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert!(stored.is_empty() && delivered.is_empty(), "{stored:?} {delivered:?}");
    let _ = shop(&gateway, "twice", b"{}").expect(202);
}

#[test]
fn a_request_that_breaks_off_or_is_no_http_leaves_the_gateway_working() {
    use std::io::{Read, Write};
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    for text in [
        "POST /in/shop HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{",
        "POST /in/shop HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /in/shop HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}{}{}",
        "POST /in/shop HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = std::net::TcpStream::connect(gateway.ingress()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{text}: {answer}");
    }
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert!(stored.is_empty() && delivered.is_empty(), "{stored:?} {delivered:?}");
}

#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    use std::io::{Read, Write};
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let body = b"{}";
    let mut text = "POST /in/shop HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n".to_owned();
    for (name, value) in standard(SHOP, "msg_1", now(), body) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n{}POST /in/shop HTTP/1.1\r\nhost");
    let mut stream = std::net::TcpStream::connect(gateway.ingress()).unwrap();
    stream.set_read_timeout(Some(anglerfish_tests::PATIENCE)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("the connection ended without an answer");
    assert_eq!(&answer, b"HTTP/1.1 202");
}

#[test]
fn the_challenge_of_slack_is_answered_only_if_it_is_signed() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let body = br#"{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
    let answer = gateway.post("slack", &slack(SLACK, now(), body), body).expect(200);
    assert_eq!(answer.text(), "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P");
    let forged = gateway.post("slack", &slack("another", now(), body), body);
    assert_eq!(forged.problem(401), "verification-failed");
    let (stored, delivered) = before_a_last_one(&gateway, &receiver);
    assert!(stored.is_empty() && delivered.is_empty(), "a handshake is no event: {stored:?} {delivered:?}");
}

#[test]
fn events_are_not_taken_by_other_methods_than_post() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let headers = standard(SHOP, "msg_1", now(), b"{}");
        let request = Request {
            method: method.into(),
            path: "/in/shop".into(),
            headers,
            body: b"{}".to_vec(),
            chunked: false,
        };
        let answer = send(gateway.ingress(), &request).unwrap();
        assert_eq!(answer.problem(405), "method-not-allowed", "{method}");
        assert!(answer.header("allow").is_some_and(|allow| allow.contains("POST")), "{method}: {answer:?}");
    }
    assert!(gateway.list("/v1/events", 10).is_empty());
}

fn verdict<'a>(explanation: &'a Value, id: &str) -> &'a Value {
    let verdicts = explanation["subscriptions"].as_array().unwrap();
    verdicts.iter().find(|verdict| verdict["id"] == id).unwrap_or_else(|| panic!("no {id}: {explanation}"))
}

#[test]
fn a_filter_over_a_missing_field_does_not_match_and_explain_names_the_field() {
    let receiver = Receiver::start();
    let missing = subscription("missing", "message.customer.vip", &receiver);
    let present = subscription("present", "has(message.quantity)", &receiver);
    let gateway = Gateway::start(&format!("{SOURCES}{missing}{present}"));
    let answer = shop(&gateway, "msg_1", br#"{"type":"order.created","quantity":3}"#).expect(202);
    assert_eq!(answer.json()["deliveries"], 1);
    assert_eq!(receiver.wait(1)[0].path, "/present");

    let explanation = gateway.get("/v1/events/msg_1/explain");
    assert_eq!(verdict(&explanation, "present")["outcome"], "match", "{explanation}");
    let missing = verdict(&explanation, "missing");
    assert_eq!(missing["outcome"], "error", "{explanation}");
    assert!(missing["reason"].as_str().unwrap().contains("customer"), "{explanation}");
}

#[test]
fn integers_of_the_body_are_integers_in_filters() {
    let receiver = Receiver::start();
    let filters = [
        ("sum", "message.quantity + 1 == 4", true),
        ("less", "message.quantity + 1 > 4", false),
        ("large", "message.large == 9007199254740993", true),
        ("near", "message.large == 9007199254740992", false),
        ("mixed", "message.quantity == 3.0", true),
        ("division", "message.quantity / 2 == 1", true),
        ("overflow", "message.large * 9007199254740993 > 0", false),
    ];
    let text: String = filters.iter().map(|(id, filter, _)| subscription(id, filter, &receiver)).collect();
    let gateway = Gateway::start(&format!("{SOURCES}{text}"));
    let answer = shop(&gateway, "msg_1", br#"{"quantity":3,"large":9007199254740993}"#).expect(202);
    let explanation = gateway.get("/v1/events/msg_1/explain");
    for (id, filter, matches) in filters {
        let verdict = verdict(&explanation, id);
        assert_eq!(verdict["outcome"] == "match", matches, "{filter}: {verdict}");
    }
    let expected = filters.iter().filter(|(_, _, matches)| *matches).count();
    assert_eq!(answer.json()["deliveries"], expected);
    let mut paths: Vec<_> = receiver.wait(expected).into_iter().map(|one| one.path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/division", "/large", "/mixed", "/sum"]);
}
