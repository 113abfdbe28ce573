//! Verification as an operator meets it: what `check` and `serve` refuse, what rotates, what is fresh, what comes twice,
//! what a proxy may say, and what is never shown.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Setup, github, now, standard};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const WHSEC: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw==";
const OTHER_WHSEC: &str = "whsec_bm90LXRoZS1zZWNyZXQtb2YtdGhlLXNlbmRlci1oZXJl";

fn prepared(rest: &str) -> Gateway {
    Gateway::prepare(&Setup { rest: rest.to_owned(), ..Setup::default() })
}

/// Square's signature: of the address that it was given, and the body.
fn square(secret: &str, url: &str, body: &str) -> Vec<(String, String)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    mac.update(body.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    vec![("x-square-hmacsha256-signature".to_owned(), signature)]
}

/// Mailgun's event: the signature is of the timestamp and the token alone.
fn mailgun(secret: &str, token: &str, timestamp: u64, event: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{timestamp}{token}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    json!({
        "signature": {"timestamp": timestamp.to_string(), "token": token, "signature": signature},
        "event-data": {"id": event, "event": "delivered"},
    })
    .to_string()
    .into_bytes()
}

/// Explains requests, one a line.
fn explain(gateway: &Gateway, lines: &[Value]) -> Vec<Value> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let output = gateway.run(&["explain", "--format", "json", "--request", "-"], text.as_bytes());
    let said: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), lines.len(), "{}", output.stderr);
    said
}

/// A request of Standard Webhooks, as `explain` reads it.
fn signed_line(source: &str, secret: &str, timestamp: u64, at: u64) -> Value {
    let headers: serde_json::Map<String, Value> = standard(secret, "msg_1", timestamp, b"{}")
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    json!({"source": source, "now": at, "headers": headers, "body": "{}"})
}

fn outcome(said: &Value) -> &str {
    said["verification"]["outcome"].as_str().unwrap()
}

#[test]
fn secrets_that_cannot_serve_are_all_refused_at_once_and_none_is_shown() {
    let gateway = prepared(
        r#"
        [[source]]
        name = "empty"
        scheme = "github"
        secrets = [""]
        [[source]]
        name = "none-at-all"
        scheme = "stripe"
        [[source]]
        name = "garbled"
        scheme = "standard-webhooks"
        secrets = ["whsec_th1s-is-not-base64!"]
        [[source]]
        name = "short"
        scheme = "discord"
        secrets = ["abcdef0123456789"]
        [[source]]
        name = "unknown"
        scheme = "gihtub"
        secrets = ["a-secret-of-nobody"]
        [[source]]
        name = "unset"
        scheme = "slack"
        secrets = ["env:A_VARIABLE_THAT_IS_NOT_SET"]
        "#,
    );
    for command in ["check", "serve"] {
        let output = gateway.run(&[command], b"");
        let said = output.stdout + &output.stderr;
        assert_eq!(output.code, Some(2), "{command}: {said}");
        for part in [
            "source[0].secrets[0]",
            "source[1].secrets",
            "source[2].secrets[0]",
            "source[3].secrets[0]",
            "source[4].scheme",
            "source[5].secrets[0]",
            "github",
        ] {
            assert!(said.contains(part), "{command} does not speak of {part}: {said}");
        }
        for secret in ["th1s-is-not-base64", "abcdef0123456789", "a-secret-of-nobody"] {
            assert!(!said.contains(secret), "{command} shows {secret}: {said}");
        }
    }
}

#[test]
fn secrets_rotate_by_their_dates_and_explain_names_the_one_that_matched() {
    let gateway = prepared(&format!(
        r#"
        [[source]]
        name = "shop"
        scheme = "standard-webhooks"
        secrets = [
            {{ value = "{OTHER_WHSEC}", label = "spring", not_after = "2026-03-01T00:00:00Z" }},
            {{ value = "{WHSEC}", not_before = "2026-02-01T00:00:00Z" }},
        ]
        "#
    ));
    let (january, february, march) = (1_768_000_000, 1_770_500_000, 1_773_000_000);
    let line = |secret, time| signed_line("shop", secret, time, time);
    let said = explain(
        &gateway,
        &[
            line(OTHER_WHSEC, january),
            line(WHSEC, january),
            line(OTHER_WHSEC, february),
            line(WHSEC, february),
            line(OTHER_WHSEC, march),
            line(WHSEC, march),
        ],
    );
    let outcomes: Vec<&str> = said.iter().map(outcome).collect();
    assert_eq!(
        outcomes,
        ["verified", "rejected", "verified", "verified", "rejected", "verified"],
        "{said:?}"
    );
    let reason = |position: usize| said[position]["verification"]["reason"].as_str().unwrap();
    assert_eq!((reason(0), reason(3)), ("secret `spring` matches", "secret 1 matches"));
    for said in &said {
        assert!(!said.to_string().contains("dGhlLXNl") && !said.to_string().contains("bm90LXRo"), "{said}");
    }
}

#[test]
fn how_old_and_how_far_ahead_a_request_may_be_is_the_sources_own_choice() {
    let gateway = prepared(&format!(
        r#"
        [[source]]
        name = "usual"
        scheme = "standard-webhooks"
        secrets = ["{WHSEC}"]
        [[source]]
        name = "both"
        scheme = "standard-webhooks"
        secrets = ["{WHSEC}"]
        tolerance = "10m"
        [[source]]
        name = "apart"
        scheme = "standard-webhooks"
        secrets = ["{WHSEC}"]
        tolerance = {{ past = "1h", future = "5s" }}
        "#
    ));
    let time = 1_770_000_000;
    for (source, past, future) in [("usual", 300, 300), ("both", 600, 600), ("apart", 3600, 5)] {
        let at = |now| signed_line(source, WHSEC, time, now);
        let said = explain(
            &gateway,
            &[at(time + past), at(time + past + 1), at(time - future), at(time - future - 1)],
        );
        let outcomes: Vec<&str> = said.iter().map(outcome).collect();
        assert_eq!(outcomes, ["verified", "rejected", "verified", "rejected"], "{source}: {said:?}");
    }
    // A wrong signature is said to be wrong, however old it is: freshness is only looked at behind it.
    let said = explain(&gateway, &[signed_line("usual", OTHER_WHSEC, time, time + 5000)]);
    let reason = said[0]["verification"]["reason"].as_str().unwrap();
    assert!(reason.contains("no signature matches"), "{reason}");
}

#[test]
fn a_memory_that_is_shorter_than_the_window_is_refused() {
    let source =
        format!("[[source]]\nname = \"a\"\nscheme = \"standard-webhooks\"\nsecrets = [\"{WHSEC}\"]\n");
    let gateway = prepared(&format!("[store]\nretention = \"5m\"\n{source}"));
    let output = gateway.run(&["check"], b"");
    let said = output.stdout + &output.stderr;
    assert_eq!(output.code, Some(2), "{said}");
    assert!(said.contains("store.retention") && said.contains("600 s"), "{said}");
    let gateway = prepared(&format!("[store]\nretention = \"10m\"\n{source}"));
    assert!(gateway.run(&["check"], b"").code == Some(0));
}

#[test]
fn a_token_serves_once_also_after_the_process_was_killed() {
    const SECRET: &str = "the signing key of mailgun";
    let mut gateway = Gateway::start(&format!(
        "[[source]]\nname = \"mail\"\nscheme = \"mailgun\"\nsecrets = [\"{SECRET}\"]\n"
    ));
    let post = |gateway: &Gateway, body: &[u8]| -> Answer { gateway.post_json("mail", body) };
    let first = mailgun(SECRET, "token-1", now(), "event-1");
    // What is refused uses nothing up.
    let refused = mailgun("another key", "token-1", now(), "event-1");
    assert_eq!(post(&gateway, &refused).problem(401), "verification-failed");
    let _ = post(&gateway, &first).expect(200);
    let _ = post(&gateway, &first).expect(200);
    // Who repeats it has seen it, most often because it is the provider: it reads that it arrived, and nothing comes of it.
    let replayed = mailgun(SECRET, "token-1", now(), "event-2");
    for _ in 0..2 {
        let _ = post(&gateway, &replayed).expect(200);
        assert_eq!(gateway.list("/v1/events", 10).len(), 1);
        gateway.restart();
    }
    let _ = post(&gateway, &mailgun(SECRET, "token-2", now(), "event-2")).expect(200);
    assert_eq!(gateway.list("/v1/events", 10).len(), 2);
}

#[test]
fn what_was_signed_for_the_public_address_is_accepted_behind_a_proxy_that_is_trusted_and_no_other() {
    const SECRET: &str = "the signature key of square";
    let source = |name: &str, more: &str| {
        format!("[[source]]\nname = \"{name}\"\nscheme = \"square\"\nsecrets = [\"{SECRET}\"]\n{more}\n")
    };
    let sources =
        source("plain", "") + &source("public", "public_url = \"https://shop.example/hooks/square\"");
    let forwarded = |headers: Vec<(String, String)>| {
        let mut headers = headers;
        headers.push(("x-forwarded-proto".to_owned(), "https".to_owned()));
        headers.push(("x-forwarded-host".to_owned(), "shop.example".to_owned()));
        headers
    };
    let trusting = Gateway::set_up(&Setup {
        server: "trusted_proxies = [\"127.0.0.0/8\"]".to_owned(),
        rest: sources.clone(),
        ..Setup::default()
    });
    let strict = Gateway::start(&sources);
    let body = |id: &str| format!("{{\"event_id\":\"{id}\",\"type\":\"payment.updated\"}}");
    let outside = "https://shop.example/in/plain?a=1";
    let post = |gateway: &Gateway, path: &str, headers: &[(String, String)], body: &str| {
        let request = anglerfish_tests::Request {
            method: "POST".into(),
            path: path.into(),
            headers: headers.to_vec(),
            body: body.as_bytes().to_vec(),
            chunked: false,
        };
        anglerfish_tests::send(gateway.ingress(), &request).unwrap().status
    };
    let signed = forwarded(square(SECRET, outside, &body("1")));
    assert_eq!(post(&trusting, "/in/plain?a=1", &signed, &body("1")), 202);
    assert_eq!(post(&strict, "/in/plain?a=1", &signed, &body("1")), 401, "a stranger says what was signed");
    for gateway in [&trusting, &strict] {
        let inside = format!("http://{}/in/plain", gateway.ingress());
        assert_eq!(post(gateway, "/in/plain", &square(SECRET, &inside, &body("2")), &body("2")), 202);
        let given = square(SECRET, "https://shop.example/hooks/square", &body("3"));
        assert_eq!(post(gateway, "/in/public", &given, &body("3")), 202);
        assert_eq!(post(gateway, "/in/public", &forwarded(given), &body("3")), 200, "a duplicate by now");
        let other = square(SECRET, &format!("http://{}/in/public", gateway.ingress()), &body("4"));
        assert_eq!(post(gateway, "/in/public", &other, &body("4")), 401);
    }
}

#[test]
fn neither_answers_nor_the_log_hold_a_secret_or_the_signature_that_was_expected() {
    const GITHUB: &str = "a-secret-of-the-repository";
    const TOKEN: &str = "a-token-of-the-project";
    let gateway = Gateway::start(&format!(
        r#"
        [log]
        filter = "info,anglerfish=trace,hyper=trace,hyper_util=trace"
        [[source]]
        name = "hub"
        scheme = "github"
        secrets = ["{GITHUB}"]
        [[source]]
        name = "lab"
        scheme = "gitlab"
        secrets = ["{TOKEN}"]
        "#
    ));
    let body = br#"{"n":1}"#;
    let right = github(GITHUB, "d-1", body);
    let expected = right.iter().find(|(name, _)| name == "x-hub-signature-256").unwrap().1.clone();
    let wrong = github("another", "d-1", body);
    let mut shown = vec![gateway.post("hub", &wrong, body).expect(401).text()];
    let token = |token: &str| vec![("x-gitlab-token".to_owned(), token.to_owned())];
    shown.push(gateway.post("lab", &token("a-token-of-nobody"), body).expect(401).text());
    shown.push(gateway.post("lab", &token(TOKEN), body).expect(202).text());
    let event: Value = serde_json::from_str(&shown[2]).unwrap();
    shown.push(gateway.get(&format!("/v1/events/{}", event["id"].as_str().unwrap())).to_string());
    shown.push(gateway.api("GET", "/v1/events", None).text());
    shown.push(gateway.log());
    let digits = expected.strip_prefix("sha256=").unwrap();
    for hidden in [GITHUB, TOKEN, digits] {
        for shown in &shown {
            assert!(!shown.contains(hidden), "{hidden}: {shown}");
        }
    }
    assert!(gateway.log().contains("rejected"), "the log says nothing at all:\n{}", gateway.log());
}

#[test]
fn every_provider_says_what_it_needs_and_how_it_is_set_up() {
    let gateway = prepared("");
    let output = gateway.run(&["providers", "--format", "json"], b"");
    let listed: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = listed.iter().map(|one| one["name"].as_str().unwrap()).collect();
    for name in [
        "standard-webhooks",
        "github",
        "stripe",
        "slack",
        "shopify",
        "twilio",
        "sendgrid",
        "square",
        "paddle",
        "zoom",
        "discord",
        "gitlab",
        "bitbucket",
        "jira",
        "intercom",
        "meta",
        "x",
        "linear",
        "mailgun",
        "hubspot",
        "pagerduty",
        "typeform",
        "adyen",
        "aws-sns",
        "telegram",
        "docusign",
        "dropbox",
        "asana",
        "box",
        "calendly",
        "clerk",
        "cloudflare",
        "circleci",
        "contentful",
        "figma",
        "notion",
        "plaid",
        "paypal",
        "razorpay",
        "recurly",
        "resend",
        "sentry",
        "trello",
        "twitch",
        "vercel",
        "webflow",
        "woocommerce",
        "xero",
        "zendesk",
        "basic",
        "bearer",
        "mtls-header",
        "none",
    ] {
        assert!(names.contains(&name), "{name} is missing");
    }
    for name in names {
        let output = gateway.run(&["providers", name], b"");
        let said = output.stdout;
        assert!(output.code == Some(0) && said.contains("needs") && said.contains("set up"), "{said}");
    }
    let said = gateway.run(&["providers", "plaid"], b"").stdout;
    assert!(said.contains("parameters.client_id"), "{said}");
}
