//! The app beside the native gateway: the same requests, the same answers.

use crate::receiver::Receiver;
use crate::sender::{Answer, now, send, slack, standard_webhooks, standard_webhooks_signature};
use crate::{LIMIT, ORDER, configuration, serve};
use anglerfish_tests::Gateway;
use http::request::Builder;
use serde_json::Value;

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

/// What stands in `detail` may differ where it tells the moment.
fn without_moments(answer: &Answer) -> (u16, Option<&str>, Value) {
    let mut body = serde_json::from_str(&answer.body).unwrap_or_else(|_| Value::from(answer.body.clone()));
    if let Some(Value::String(detail)) = body.get_mut("detail") {
        detail.retain(|character| !character.is_ascii_digit());
    }
    (answer.status, answer.content_type.as_deref(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_answers_as_the_native_gateway_does() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let configuration: Value = serde_json::from_str(&configuration(&receiver)).unwrap();
    let gateway = Gateway::start(&toml::to_string(&configuration).unwrap());
    let mut statuses = Vec::new();
    for ((name, request, body), (_, again, _)) in requests().into_iter().zip(requests()) {
        let native = send(gateway.ingress(), request, &body).await;
        let app = send(app.address, again, &body).await;
        assert_eq!(without_moments(&native), without_moments(&app), "{name}");
        statuses.push(native.status);
    }
    for status in [200, 202, 401, 404, 405, 413] {
        assert!(statuses.contains(&status), "no answer was {status}: {statuses:?}");
    }
}
