//! Requests as the field sends them: odd media types, identifiers and methods.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Receiver, Request, send};

const CONFIGURATION: &str = r#"
[[source]]
name = "any"
scheme = "none"
event = { id = "json:/id" }

[[source]]
name = "token"
scheme = "bearer"
secrets = ["token"]

[[source]]
name = "put"
scheme = "none"
methods = ["PUT", "PATCH"]

[[subscription]]
id = "s"
filter = "has(message.x)"
"#;

fn gateway(receiver: &Receiver) -> Gateway {
    let url = receiver.url("/");
    Gateway::start(&format!("{CONFIGURATION}endpoint = {{ url = \"{url}\", allow_private = true }}\n"))
}

fn ask(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request =
        Request { method: method.into(), path: path.into(), headers, body: body.to_vec(), chunked: false };
    send(gateway.ingress(), &request).expect("the gateway answers")
}

/// What is odd about a request, its header fields and its body, and how many deliveries it makes.
type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], &'c [u8], u64);

#[test]
fn what_a_body_says_does_not_depend_on_how_its_media_type_is_written() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let cases: [Case<'_>; 19] = [
        ("a parameter", &[("content-type", "application/json; charset=utf-8")], br#"{"x":1}"#, 1),
        ("upper case", &[("content-type", "APPLICATION/JSON")], br#"{"x":1}"#, 1),
        ("a suffix", &[("content-type", "application/vnd.github+json")], br#"{"x":1}"#, 1),
        ("text", &[("content-type", "text/plain")], br#"{"x":1}"#, 1),
        ("no media type", &[], br#" {"x":1} "#, 1),
        ("two media types", &[("content-type", form), ("content-type", json)], br#"{"x":1}"#, 1),
        ("no media type at all", &[("content-type", "json")], br#"{"x":1}"#, 1),
        ("a byte order mark", &[("content-type", json)], b"\xef\xbb\xbf{\"x\":1}", 0),
        (
            "UTF-16",
            &[("content-type", "application/json; charset=utf-16")],
            b"{\x00\"\x00x\x00\"\x00:\x001\x00}\x00",
            0,
        ),
        ("an empty list", &[("content-type", json)], b"[]", 0),
        ("an empty body", &[("content-type", json)], b"", 0),
        ("null", &[("content-type", json)], b"null", 0),
        ("a huge number", &[("content-type", json)], br#"{"x":123456789012345678901234567890}"#, 1),
        ("null at the place", &[("content-type", json)], br#"{"x":null}"#, 1),
        ("too deep", &[("content-type", json)], deep.as_bytes(), 0),
        ("a form", &[("content-type", "application/x-www-form-urlencoded; charset=UTF-8")], b"x=1&y=2", 1),
        ("a form without the field", &[("content-type", form)], b"X=1", 0),
        ("JSON that is sent as a form", &[("content-type", form)], br#"{"x":1}"#, 0),
        ("what is not packed", &[("content-encoding", "gzip")], br#"{"x":1}"#, 0),
    ];
    for (what, headers, body, deliveries) in cases {
        let answer = ask(&gateway, "POST", "/in/any", headers, body).expect(202).json();
        assert_eq!(answer["deliveries"], deliveries, "{what}: {answer}");
    }
    gateway.wait_log("came with the media type of a form");
    let delivered = cases.iter().map(|case| case.3).sum::<u64>();
    assert_eq!(receiver.wait(usize::try_from(delivered).unwrap()).len() as u64, delivered);
}

#[test]
fn an_identifier_is_what_has_one_text_and_two_never_become_one() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let id = |body: &str| {
        let answer = ask(&gateway, "POST", "/in/any", &[], body.as_bytes()).json();
        answer["id"].as_str().unwrap_or_else(|| panic!("{body}: {answer}")).to_owned()
    };
    for (body, expected) in [
        (r#"{"id":"a b/c"}"#, "a b/c"),
        (r#"{"id":123}"#, "123"),
        (r#"{"id":-0}"#, "0"),
        (r#"{"id":18446744073709551615}"#, "18446744073709551615"),
        (r#"{"id":true}"#, "true"),
        ("{\"id\":\"\u{e9}\"}", "\u{e9}"),
    ] {
        assert_eq!(id(body), expected, "{body}");
    }
    for body in [
        r#"{"id":null}"#,
        r#"{"id":""}"#,
        r#"{"id":{"a":1}}"#,
        r#"{"id":[1]}"#,
        r#"{"id":1.5}"#,
        r#"{"id":123456789012345678901234567890}"#,
        r#"{"id":1,"id":2}"#,
        r#"{"ID":"x"}"#,
    ] {
        let (one, other) = (id(body), id(body));
        assert_ne!(one, other, "{body}");
        assert_eq!(one.len(), 36, "{body}: {one}");
    }
    let long = |end: &str| format!("{{\"id\":\"{}{end}\"}}", "x".repeat(300));
    let (one, other) = (id(&long("1")), id(&long("2")));
    assert!(one.starts_with("sha256:") && other.starts_with("sha256:") && one != other, "{one} {other}");
    assert_eq!(id(&long("1")), one);
}

#[test]
fn an_authorization_is_compared_as_its_grammar_says() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let cases: [(&[(&str, &str)], u16); 11] = [
        (&[("authorization", "Bearer token")], 202),
        (&[("authorization", "Bearer  token")], 202),
        (&[("authorization", "bearer token")], 202),
        (&[("Authorization", "BEARER    token ")], 202),
        (&[("authorization", "Bearer token2")], 401),
        (&[("authorization", "Bearer")], 401),
        (&[("authorization", "Bearertoken")], 401),
        (&[("authorization", "Token token")], 401),
        (&[("authorization", "Bearer \"token\"")], 401),
        (&[("authorization", "Bearer token"), ("authorization", "Bearer token")], 401),
        (&[], 401),
    ];
    for (headers, status) in cases {
        assert_eq!(ask(&gateway, "POST", "/in/token", headers, b"{}").status, status, "{headers:?}");
    }
}

#[test]
fn a_method_that_is_not_taken_is_refused_with_those_that_are() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    for (method, path, status, allow) in [
        ("GET", "/in/any", 405, Some("POST")),
        ("DELETE", "/in/any", 405, Some("POST")),
        ("POST", "/in/put", 405, Some("PUT, PATCH")),
        ("PUT", "/in/put", 202, None),
        ("PATCH", "/in/put/", 202, None),
        ("POST", "/in/any?x=1&x=2", 202, None),
        ("POST", "/in/%61ny", 404, None),
        ("POST", "/in/any/more", 404, None),
        ("POST", "/in/Any", 404, None),
    ] {
        let answer = ask(&gateway, method, path, &[], if method == "POST" { b"{}" } else { b"" });
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
    }
    assert_eq!(ask(&gateway, "OPTIONS", "/in/put", &[], b"").status, 405);
}

#[test]
fn attributes_of_cloudevents_in_header_fields_are_the_events() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let headers = [
        ("authorization", "Bearer token"),
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/a"),
        ("ce-type", "order.paid"),
        ("ce-subject", "17"),
        ("ce-time", "2026-01-31T12:00:00Z"),
        ("content-type", "application/json"),
    ];
    let _ = ask(&gateway, "POST", "/in/token", &headers, br#"{"x":1}"#).expect(202);
    let delivered = receiver.wait(1);
    for (name, value) in [
        ("ce-id", "/a%201"),
        ("ce-source", "token"),
        ("ce-type", "order.paid"),
        ("ce-subject", "17"),
        ("ce-time", "2026-01-31T12:00:00Z"),
    ] {
        assert_eq!(delivered[0].header(name), Some(value), "{name}");
    }
    assert_eq!(ask(&gateway, "POST", "/in/token", &headers, b"{}").expect(200).json()["status"], "duplicate");
}
