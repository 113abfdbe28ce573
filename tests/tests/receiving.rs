//! The receivers that the book shows run as they stand there.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Foreign, Gateway, Running, eventually, free_port};
use std::net::TcpStream;
use std::path::Path;

const SECRET: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXJlY2VpdmVyLWluLXRlc3Q=";

/// The program of `docs/receiving.md` in a language.
fn program(language: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/receiving.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("the page has no such program");
    rest.split_once("\n```").unwrap().0.to_owned()
}

/// Runs the program as a receiver of a gateway that signs with `secret`, and gives what became of one delivery.
fn delivered_to(foreign: Option<Foreign>, language: &str, secret: &str) -> Option<String> {
    let foreign = foreign?;
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = foreign.program(directory.path(), &program(language));
    let _receiver = Running::of(command.env("ORDERS_SECRET", SECRET).env("PORT", port.to_string()));
    eventually("the receiver listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    let gateway = Gateway::start(&format!(
        "[[source]]\nname = \"s\"\nscheme = \"none\"\n[[subscription]]\nid = \"a\"\nendpoint = {{ url = \
         \"http://127.0.0.1:{port}/\", secret = \"{secret}\", allow_private = true }}\ndelivery = {{ retry = {{ \
         delays = [] }} }}\n"
    ));
    let body = "{\"type\":\"order.created\",\"city\":\"Zürich\"}".as_bytes();
    let _ = gateway.post_json("s", body).expect(202);
    Some(gateway.settled()[0]["status"].as_str().unwrap().to_owned())
}

#[test]
fn the_receiver_in_python_takes_what_is_signed_and_nothing_else() {
    let other = "whsec_bm90LXRoZS1zZWNyZXQtb2YtdGhlLXJlY2VpdmVyLWhlcmU=";
    for (secret, status) in [(SECRET, "delivered"), (other, "dead")] {
        let Some(became) = delivered_to(Foreign::python(), "python", secret) else { return };
        assert_eq!(became, status);
    }
}

#[test]
fn the_receiver_in_node_takes_what_is_signed_and_nothing_else() {
    let other = "whsec_bm90LXRoZS1zZWNyZXQtb2YtdGhlLXJlY2VpdmVyLWhlcmU=";
    for (secret, status) in [(SECRET, "delivered"), (other, "dead")] {
        let Some(became) = delivered_to(Foreign::node(), "js", secret) else { return };
        assert_eq!(became, status);
    }
}
