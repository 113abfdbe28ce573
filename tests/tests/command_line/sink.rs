//! `anglerfish sink`.

use super::OUTGOING;
use anglerfish_tests::{Answer, Gateway, Headers, Request, now, send, standard};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running sink. It is killed when it is dropped.
struct Sink {
    child: Child,
    address: SocketAddr,
    stdout: BufReader<ChildStdout>,
}

impl Sink {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Gateway::command()
            .args(["sink", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim_end().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, address, stdout }
    }

    fn post(&self, headers: &Headers, body: &[u8]) -> Answer {
        let request = Request {
            method: "POST".into(),
            path: "/orders".into(),
            headers: headers.clone(),
            body: body.to_vec(),
            chunked: false,
        };
        send(self.address, &request).unwrap()
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn it_prints_a_line_for_each_request_and_answers_200() {
    let mut sink = Sink::start(&[]);
    let _ = sink.post(&vec![("webhook-id".into(), "evt_1".into())], b"{\"a\":\n1}").expect(200);
    let line = sink.line();
    assert!(line.starts_with("POST /orders 200 evt_1 8 B {\"a\":"), "{line}");
    let _ = sink.post(&Headers::new(), b"\x1b[2J").expect(200);
    let line = sink.line();
    assert!(!line.contains('\x1b'), "{line:?}");
}

#[test]
fn it_answers_the_status_that_it_is_told() {
    for status in ["204", "302", "404", "503"] {
        let sink = Sink::start(&["--status", status]);
        assert_eq!(sink.post(&Headers::new(), b"{}").status.to_string(), status);
    }
}

#[test]
fn with_a_secret_it_refuses_what_is_not_signed_with_it() {
    let mut sink = Sink::start(&["--secret", OUTGOING, "--status", "202"]);
    let _ = sink.post(&standard(OUTGOING, "evt_1", now(), b"{}"), b"{}").expect(202);
    assert!(sink.line().contains(" 202 verified evt_1 "));
    let _ = sink.post(&standard(OUTGOING, "evt_2", now(), b"{}"), b"{ }").expect(401);
    let line = sink.line();
    assert!(line.contains(" 401 refused ("), "{line}");
    assert!(!line.contains(OUTGOING), "{line}");
}

#[test]
fn programs_get_one_json_document_a_line() {
    let mut sink = Sink::start(&["--format", "json"]);
    let _ =
        sink.post(&vec![("x-a".into(), "1".into()), ("x-a".into(), "2".into())], b"{\"a\":1}").expect(200);
    let document: Value = serde_json::from_str(&sink.line()).unwrap();
    assert_eq!((&document["method"], &document["path"]), (&json!("POST"), &json!("/orders")));
    assert_eq!((&document["headers"]["x-a"], &document["body"]), (&json!("1, 2"), &json!("{\"a\":1}")));
    assert_eq!(document["status"], 200);
    let _ = sink.post(&Headers::new(), &[0xff, 0x00]).expect(200);
    let document: Value = serde_json::from_str(&sink.line()).unwrap();
    assert_eq!(document["body_base64"], "/wA=");
}

#[test]
fn it_ends_well_when_it_is_interrupted_or_terminated() {
    for signal in ["-INT", "-TERM"] {
        let mut sink = Sink::start(&[]);
        let sent = Command::new("kill").args([signal, &sink.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(sink.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let sink = Sink::start(&[]);
    let address = sink.address.to_string();
    let told = super::run(&["sink", "--listen", &address]).expect(1);
    assert!(told.stderr.contains(&format!("failed to listen on {address}")), "{}", told.stderr);
    let told = super::run(&["sink", "--secret", "hunter2"]).expect(2);
    assert!(told.stderr.contains("--secret: ") && !told.stderr.contains("hunter2"), "{}", told.stderr);
}
