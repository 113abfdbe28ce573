//! The app beside the native gateway: the same requests, the same answers.

use crate::receiver::Receiver;
use crate::sender::{Answer, now, send, slack, standard_webhooks, standard_webhooks_signature};
use crate::{LIMIT, ORDER, configuration, serve};
use anglerfish_tests::Gateway;
use http::request::Builder;
use serde_json::Value;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;
use tempfile::TempDir;

/// Requests of all kinds, in an order that matters: some repeat an earlier one.
fn requests() -> Vec<(&'static str, Builder, String)> {
    let text = str::to_owned;
    let plain = |method: &str, path: &str| http::Request::builder().method(method).uri(path);
    let signed_at = |timestamp: u64| {
        let timestamp = timestamp.to_string();
        plain("POST", "/in/shop")
            .header("webhook-id", "msg_7")
            .header("webhook-signature", standard_webhooks_signature("msg_7", &timestamp, ORDER.as_bytes()))
            .header("webhook-timestamp", timestamp)
    };
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let challenge = r#"{"token":"t","challenge":"c4a11e46e","type":"url_verification"}"#;
    let message = r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}"#;
    let many = (0..80).fold(standard_webhooks("msg_6", ORDER), |request, number| {
        request.header(format!("x-field-{number}"), "value")
    });
    vec![
        ("an event for two", standard_webhooks("msg_1", ORDER), text(ORDER)),
        ("a repeated event", standard_webhooks("msg_1", ORDER), text(ORDER)),
        (
            "an event for one",
            standard_webhooks("msg_2", r#"{"type":"refund"}"#),
            text(r#"{"type":"refund"}"#),
        ),
        ("no JSON", standard_webhooks("msg_3", "plain text"), text("plain text")),
        ("no body", standard_webhooks("msg_4", ""), String::new()),
        ("deeply nested JSON", standard_webhooks("msg_5", &nested), nested),
        ("many header fields", many, text(ORDER)),
        ("a stale signature", signed_at(now() - 3600), text(ORDER)),
        ("a signature of the future", signed_at(now() + 3600), text(ORDER)),
        ("a signature of another body", standard_webhooks("msg_8", "another"), text(ORDER)),
        ("no signature", plain("POST", "/in/shop"), text(ORDER)),
        ("a challenge", slack(challenge), text(challenge)),
        ("a Slack event", slack(message), text(message)),
        ("an unknown source", plain("POST", "/in/nowhere"), text(ORDER)),
        ("another path", plain("POST", "/out/shop"), text(ORDER)),
        ("a longer path", plain("POST", "/in/shop/more"), text(ORDER)),
        ("another method", standard_webhooks("msg_9", ORDER).method("DELETE"), text(ORDER)),
        ("another method without a signature", plain("DELETE", "/in/shop"), String::new()),
        ("a GET", plain("GET", "/in/shop"), String::new()),
        ("a HEAD", plain("HEAD", "/in/shop"), String::new()),
        ("a method of nobody's", plain("TRACE", "/in/shop"), String::new()),
        ("a signed PUT", standard_webhooks("msg_10", ORDER).method("PUT"), text(ORDER)),
        ("a slash at the end", standard_webhooks("msg_11", ORDER).uri("/in/shop/"), text(ORDER)),
        ("a query", standard_webhooks("msg_12", ORDER).uri("/in/shop?a=1&b=%20"), text(ORDER)),
        ("a name that is encoded", standard_webhooks("msg_13", ORDER).uri("/in/sho%70"), text(ORDER)),
        ("no name", plain("POST", "/in/"), text(ORDER)),
        ("an id as long as ids may be", standard_webhooks(&"x".repeat(256), ORDER), text(ORDER)),
        ("that id again", standard_webhooks(&"x".repeat(256), ORDER), text(ORDER)),
        ("an id that is too long", standard_webhooks(&"x".repeat(257), ORDER), text(ORDER)),
        ("an id of other letters", standard_webhooks("a/b?c#d:e", ORDER), text(ORDER)),
        (
            "a media type that says more",
            standard_webhooks("msg_14", ORDER).header("content-type", "text/plain"),
            text(ORDER),
        ),
        (
            "a body that says it is compressed",
            standard_webhooks("msg_15", ORDER).header("content-encoding", "gzip"),
            text(ORDER),
        ),
        ("a Slack event again", slack(message), text(message)),
        ("Slack's without a signature", plain("POST", "/in/chat"), text(message)),
        (
            "a body of several events",
            plain("POST", "/in/bulk"),
            text(r#"{"items":[{"id":"a","is":"x","n":1},{"id":"b","is":"x","n":2}]}"#),
        ),
        (
            "several events, of which one is repeated",
            plain("POST", "/in/bulk"),
            text(r#"{"items":[{"id":"b","is":"x","n":2},{"id":"c","is":"x","n":3}]}"#),
        ),
        (
            "several events, all of them repeated",
            plain("POST", "/in/bulk"),
            text(r#"{"items":[{"id":"c","is":"x","n":3},{"id":"a","is":"x","n":1}]}"#),
        ),
        ("several events that are none", plain("POST", "/in/bulk"), text(r#"{"items":[]}"#)),
        ("a body over the limit", plain("POST", "/in/shop"), "x".repeat(LIMIT + 1)),
    ]
}

/// An answer byte for byte, but for the digits of a refusal: it may tell the moment.
fn comparable(answer: &Answer) -> (u16, [Option<&str>; 3], String) {
    let mut body = answer.body.clone();
    if answer.status == 401 {
        body.retain(|character| !character.is_ascii_digit());
    }
    let fields = [&answer.content_type, &answer.retry_after, &answer.allow];
    (answer.status, fields.map(Option::as_deref), body)
}

/// Sends the same requests to both, and compares what they answer to all but those that are left out.
async fn compare(native: SocketAddr, other: SocketAddr, left_out: &[&str]) {
    let mut statuses = Vec::new();
    for ((name, request, body), (_, again, _)) in requests().into_iter().zip(requests()) {
        if left_out.contains(&name) {
            continue;
        }
        let native = send(native, request, &body).await;
        let other = send(other, again, &body).await;
        assert_eq!(comparable(&native), comparable(&other), "{name}");
        statuses.push(native.status);
    }
    for status in [200, 202, 401, 404, 405, 413] {
        assert!(statuses.contains(&status), "no answer was {status}: {statuses:?}");
    }
}

fn native(receiver: &Receiver) -> Gateway {
    let configuration: Value = serde_json::from_str(&configuration(receiver)).unwrap();
    Gateway::start(&toml::to_string(&configuration).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_answers_as_the_native_gateway_does() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    compare(native(&receiver).ingress(), app.address, &[]).await;
}

/// A real Spin, named by the variable `SPIN`.
struct Spin {
    process: Child,
    address: SocketAddr,
    _state: TempDir,
}

impl Drop for Spin {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Spin {
    async fn up(spin: &OsStr, configuration: &str) -> Self {
        crate::build::build_spin().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let state = tempfile::tempdir().unwrap();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        let process = Command::new(spin)
            .args(["up", "--quiet", "--listen", &address.to_string(), "--from"])
            .arg(manifest)
            .arg("--state-dir")
            .arg(state.path())
            .env("SPIN_VARIABLE_CONFIGURATION", configuration)
            .env("SPIN_VARIABLE_OUTBOUND_HOST", "http://127.0.0.1:*")
            .spawn()
            .expect("SPIN names a spin");
        let spin = Self { process, address, _state: state };
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(address).await.is_ok()
                && send(address, http::Request::get("/ready"), "").await.status == 200
            {
                return spin;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("spin does not get ready");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_spin_answers_as_the_native_gateway_does() {
    let Some(spin) = std::env::var_os("SPIN") else {
        eprintln!("skipped: the variable SPIN names no spin");
        return;
    };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let spin = Spin::up(&spin, &configuration(&receiver)).await;
    // Spin itself answers what no route of the manifest takes.
    compare(native(&receiver).ingress(), spin.address, &["another path"]).await;
    let sent = tokio::time::timeout(Duration::from_secs(20), receiver.requests.recv()).await;
    assert!(sent.is_ok_and(|sent| sent.is_some()));
}
