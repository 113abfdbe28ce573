//! What the real binary sends.

use anglerfish_tests::{Gateway, Received, Receiver, Reply, Setup};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const SOURCE: &str = "[[source]]\nname = \"s\"\nscheme = \"none\"\n";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn setup(receiver: &Receiver, endpoint: &str, delivery: &str) -> Setup {
    let url = receiver.url("/hook");
    let rest = format!(
        "{SOURCE}[[subscription]]\nid = \"a\"\n[subscription.endpoint]\nurl = \"{url}\"\nallow_private = true\n{endpoint}\n\
         [subscription.delivery]\n{delivery}\n"
    );
    Setup { rest, ..Setup::default() }
}

/// What Standard Webhooks wants to be signed, signed.
fn signature(sent: &Received) -> String {
    let key = STANDARD.decode(KEY.trim_start_matches("whsec_")).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    let field = |name| sent.header(name).expect("a field");
    mac.update(format!("{}.{}.", field("webhook-id"), field("webhook-timestamp")).as_bytes());
    mac.update(&sent.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn post(gateway: &Gateway, body: &[u8]) {
    let _ = gateway.post("s", &[("content-type".into(), "application/json".into())], body).expect(202);
}

#[test]
fn an_event_is_sent_in_the_form_that_is_asked_for_and_signed_as_it_is_sent() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let body = br#"{"n": 1.50, "text": "\u00e9"}"#;
    for (place, (content, kind, has_attributes)) in [
        ("raw", "application/json", false),
        ("cloudevent-binary", "application/json", true),
        ("cloudevent", "application/cloudevents+json; charset=utf-8", false),
        ("envelope", "application/json", false),
    ]
    .into_iter()
    .enumerate()
    {
        let endpoint = format!("secret = \"{KEY}\"");
        let gateway = Gateway::set_up(&setup(&receiver, &endpoint, &format!("content = \"{content}\"")));
        post(&gateway, body);
        let sent = receiver.wait(place + 1).pop().expect("one more");
        assert_eq!(sent.header("content-type"), Some(kind), "{content}");
        assert_eq!(sent.header("ce-id").is_some(), has_attributes, "{content}");
        assert_eq!(sent.header("webhook-signature"), Some(&*signature(&sent)), "{content}");
        let text = String::from_utf8(sent.body.clone()).expect("text");
        assert!(text.contains(std::str::from_utf8(body).expect("text")), "{text}");
        if matches!(content, "cloudevent" | "envelope") {
            let document: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!((&document["source"], &document["type"]), (&json!("s"), &json!("s")));
            assert_eq!(document["id"].as_str(), sent.header("webhook-id"));
            assert_eq!(document.get("specversion").is_some(), content == "cloudevent");
        }
    }
}

#[test]
fn requests_are_signed_as_another_provider_signs_them() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let endpoint = "signature = \"github\"\nsecret = \"It's a Secret to Everybody\"";
    let gateway = Gateway::set_up(&setup(&receiver, endpoint, "content = \"raw\""));
    // The example of GitHub's documentation.
    post(&gateway, b"Hello, World!");
    let [sent] = &receiver.wait(1)[..] else { panic!("not one request") };
    assert_eq!(
        sent.header("x-hub-signature-256"),
        Some("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
    );
    assert_eq!((sent.header("x-github-event"), sent.header("webhook-signature")), (Some("s"), None));
    for (endpoint, place) in [
        (json!({"signature": "paypal", "secret": "x"}), "endpoint.signature"),
        (json!({"signature": "gitbub", "secret": "x"}), "endpoint.signature"),
        (json!({"signature": "github"}), "endpoint.signature"),
        (json!({"secrets": [{"value": KEY, "not_after": "soon"}]}), "endpoint.secrets[0].not_after"),
    ] {
        let mut endpoint = endpoint;
        endpoint["url"] = json!("https://example.com/");
        let document = json!({"id": "b", "endpoint": endpoint});
        let refused = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(422).text();
        assert!(refused.contains(place), "{refused}");
    }
    let refused =
        json!({"id": "b", "mode": "passive", "tokens": ["0123456789abcdef"], "delivery": {"content": "raw"}});
    let refused = gateway.api("POST", "/v1/subscriptions", Some(&refused)).expect(422).text();
    assert!(refused.contains("there is no endpoint"), "{refused}");
}
