//! An unverified request is never accepted because a scheme is unknown or a secret is missing.

use super::{SOURCE, post};
use anglerfish_tests::{Gateway, Request, Setup, send};
use std::net::TcpStream;

/// Sources that cannot verify, with the line and key that is to be named and a word of why.
const SOURCES: &[(&str, &str, &str)] = &[
    ("scheme = \"githbu\"\nsecrets = [\"x\"]", "3:1: source[0].scheme: ", "githbu"),
    ("scheme = \"\"\nsecrets = [\"x\"]", "3:1: source[0].scheme: ", "empty"),
    ("secrets = [\"x\"]", "1:1: source[0].scheme: ", "missing"),
    ("scheme = \"NONE\"", "3:1: source[0].scheme: ", "NONE"),
    ("scheme = \"github\"", "1:1: source[0]", "secret"),
    ("scheme = \"github\"\nsecrets = []", "4:1: source[0].secrets: ", "secret"),
    ("scheme = \"github\"\nsecrets = [\"\"]", "4:12: source[0].secrets[0]: ", "empty"),
    (
        "scheme = \"github\"\nsecrets = [\"env:NOT_SET\"]",
        "4:12: source[0].secrets[0]: ",
        "NOT_SET is not set",
    ),
    ("scheme = \"github\"\nsecrets = [\"env:EMPTY\"]", "4:12: source[0].secrets[0]: ", "EMPTY is empty"),
    ("scheme = \"github\"\nsecrets = [\"file:none\"]", "4:12: source[0].secrets[0]: ", "failed to read"),
    (
        "scheme = \"github\"\nsecrets = [\"env:SET\", \"env:NOT_SET\"]",
        "4:23: source[0].secrets[1]: ",
        "NOT_SET",
    ),
    ("scheme = \"github\"\nsecret = \"x\"", "4:1: source[0].secret: ", "unknown key"),
    ("scheme = \"standard-webhooks\"\nsecrets = [\"plain text\"]", "4:12: source[0].secrets[0]", "whsec_"),
    ("scheme = \"slack\"\nsecrets = [7]", "4:12: source[0].secrets[0]: ", "expected"),
    ("scheme = \"custom\"\nsecrets = [\"x\"]", "source[0]", "definition"),
];

#[test]
fn a_source_that_cannot_verify_is_refused_by_check_and_at_the_start() {
    for (source, place, words) in SOURCES {
        let environment = vec![("EMPTY".into(), String::new()), ("SET".into(), "a secret".into())];
        let gateway = Gateway::prepare(&Setup { environment, ..Setup::default() });
        let text = format!("[[source]]\nname = \"hub\"\n{source}\n");
        std::fs::write(gateway.config(), text).unwrap();
        for command in ["check", "serve"] {
            let told = gateway.run(&[command], b"").expect(2);
            let found = told.stderr.lines().any(|line| {
                line.starts_with("anglerfish.toml:") && line.contains(place) && line.contains(words)
            });
            assert!(found, "{command} of\n{source}\nsays nothing at {place} of {words}:\n{}", told.stderr);
            assert!(!told.stderr.contains("plain text"), "{}", told.stderr);
        }
        assert!(TcpStream::connect(gateway.ingress()).is_err());
    }
}

#[test]
fn a_source_without_verification_has_to_say_so() {
    let gateway = Gateway::start("[[source]]\nname = \"hub\"\nscheme = \"none\"\n");
    let _ = gateway.post("hub", &Vec::new(), b"{}").expect(202);
}

#[test]
fn a_request_without_a_signature_is_refused_whatever_else_it_brings() {
    let gateway = Gateway::start(SOURCE);
    for name in ["authorization", "x-hub-signature", "x-hub-signature-256", "webhook-signature"] {
        for value in
            ["", "sha256=", "sha256=00", "none", "null", "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709"]
        {
            let request = Request {
                method: "POST".into(),
                path: "/in/hub?scheme=none".into(),
                headers: vec![(name.to_owned(), value.to_owned())],
                body: b"{}".to_vec(),
                chunked: false,
            };
            let answer = send(gateway.ingress(), &request).unwrap();
            assert_eq!(answer.problem(401), "verification-failed", "{name}: {value}");
        }
    }
    assert!(gateway.list("/v1/events", 10).is_empty());
    let _ = post(&gateway, "d-1", b"{}").expect(202);
}
