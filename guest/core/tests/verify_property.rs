//! What must hold for any request: no panic, and nothing verified without a signature.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod verify_support;

use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::sign::{SignError, SignInput, Signed, sign};
use anglerfish_core::verify::{Verification, VerificationConfig, Verifier, catalogue};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use verify_support::{Group, groups};

static GROUPS: LazyLock<Vec<Group>> =
    LazyLock::new(|| groups().into_iter().map(|(_, group)| group).collect());

/// A configuration of every kind, with its keys, and the names of headers that mean something to it.
fn configurations() -> impl Iterator<Item = (&'static VerificationConfig, Vec<&'static str>)> {
    let signed = GROUPS.iter().filter(|group| group.config.scheme != "none");
    signed.map(|group| (&group.config, group.request.headers.keys().map(String::as_str).collect()))
}

/// Texts that come near to what parsers look for.
fn near_miss() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..80),
        "[a-zA-Z0-9+/=,;.:{}\"_ -]{0,120}".prop_map(String::into_bytes),
        "(t=|ts=|v0=|v1=|v1,|v1a,|h1=|sha1=|sha256=|time=|sig1=|Basic |Bearer )[a-f0-9]{0,64}([,; ](v1=|v1,|h1=)?[a-zA-Z0-9+/]{0,64}={0,2}){0,3}"
            .prop_map(String::into_bytes),
        "(1[0-9]{9,12}|2023-11-14T22:13:20Z)".prop_map(String::into_bytes),
        "[a-f0-9]{64}".prop_map(String::into_bytes),
        "[A-Za-z0-9+/]{43}=".prop_map(String::into_bytes),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        "\\{\"(id|type|signature|passcode|notificationItems|Type|challenge|webhookTimestamp)\":(\"[a-z0-9]{0,40}\"|[0-9]{1,20}|\\{\"(timestamp|token|signature)\":\"[0-9a-f]{0,64}\"\\}|\\[\\{\\}\\]|null)\\}"
            .prop_map(String::into_bytes),
        "([a-z_]{1,10}=[a-z0-9%+]{0,10}&){0,5}".prop_map(String::into_bytes),
        (1_usize..2000).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn no_stranger_is_verified(
        values in vec(near_miss(), 1..8),
        body in body(),
        url in "https?://[a-z.:0-9\\[\\]]{0,12}[/?#%a-zA-Z0-9=&+.]{0,40}",
        method in "(GET|POST|HEAD|)",
        now in prop_oneof![Just(1_700_000_000_000_u64), any::<u64>()],
    ) {
        for (config, names) in configurations() {
            let verifier = Verifier::try_new("source", config).unwrap();
            let headers = names
                .iter()
                .zip(values.iter().cycle())
                .map(|(name, value)| Header { name, value })
                .collect();
            let request = Request {
                id: "r-1",
                source: "s", method: &method, url: &url, headers, body: &body,
                received: UnixMillis(now), added_prefix: "", fetched: Vec::new(),
            };
            let (outcome, _) = verifier.trace(&request);
            prop_assert!(!matches!(outcome, Verification::Verified(_)), "{}: {outcome:?}", config.scheme);
        }
    }

    #[test]
    fn what_is_signed_is_verified_and_what_is_changed_is_not(
        text in "[a-zA-Z0-9 ä\"\\\\{}&=%+]{0,200}",
        id in "[a-zA-Z0-9_-]{1,40}",
        seconds in 1_000_000_000_u64..4_000_000_000,
        path in "[a-z0-9/]{0,10}(\\?[a-z]=[a-z0-9]{1,5})?",
        place in any::<prop::sample::Index>(),
    ) {
        for (config, _) in configurations() {
            let url = format!("https://hooks.example.com/{path}");
            let body = body_for(&config.scheme, &text, &config.secrets[0].value, seconds);
            let headers = [("content-type".to_owned(), content_type(&config.scheme).to_owned())];
            let input = SignInput {
                method: "POST", url: &url, headers: &headers, body: &body, id: &id,
                timestamp: UnixMillis::from_seconds(seconds), kind: Some("thing.done"),
            };
            let signed = match sign(config, &input) {
                Ok(signed) => signed,
                Err(SignError::Asymmetric(_)) => continue,
                Err(error) => return Err(TestCaseError::fail(format!("{}: {error}", config.scheme))),
            };
            let verifier = Verifier::try_new("source", config).unwrap();
            prop_assert!(matches!(verify(&verifier, &signed, seconds), Verification::Verified(_)), "{}", config.scheme);
            // One changed byte of the body, where the signature covers it.
            if covers_body(config) && !signed.body.is_empty() {
                let mut changed = signed.clone();
                let at = place.index(changed.body.len());
                changed.body[at] ^= 1;
                let outcome = verify(&verifier, &changed, seconds);
                prop_assert!(matches!(outcome, Verification::Rejected(_)), "{}: {outcome:?}", config.scheme);
            }
        }
    }

    #[test]
    fn a_configuration_of_any_text_is_refused_or_read(
        scheme in prop_oneof!["[a-z-]{0,12}", prop::sample::select(catalogue()).prop_map(|one| one.name.to_owned())],
        secret in "\\PC{0,60}",
        definition in prop::option::of(json()),
    ) {
        let config = VerificationConfig {
            scheme: if definition.is_some() { "custom".to_owned() } else { scheme },
            secrets: vec![anglerfish_core::verify::SecretConfig::new(secret.clone())],
            definition,
            ..VerificationConfig::default()
        };
        if let Err(problems) = Verifier::try_new("source", &config) {
            prop_assert!(!problems.is_empty());
            // A secret of some length is no word that a message holds by chance.
            let told = format!("{problems:?}");
            prop_assert!(secret.chars().count() < 12 || !told.contains(secret.trim()), "{told}");
        }
    }
}

#[test]
fn every_scheme_whose_key_is_shared_can_be_signed() {
    let mut unsigned: Vec<&str> = Vec::new();
    for (config, _) in configurations() {
        let body = body_for(&config.scheme, "text", &config.secrets[0].value, 1_700_000_000);
        let headers = [("content-type".to_owned(), content_type(&config.scheme).to_owned())];
        let input = SignInput {
            method: "POST",
            url: "https://hooks.example.com/in/source",
            headers: &headers,
            body: &body,
            id: "e-1",
            timestamp: UnixMillis(1_700_000_000_000),
            kind: Some("thing.done"),
        };
        if matches!(sign(config, &input), Err(SignError::Asymmetric(_)))
            && !unsigned.contains(&config.scheme.as_str())
        {
            unsigned.push(&config.scheme);
        }
    }
    // Standard Webhooks is among them with a public key alone.
    assert_eq!(unsigned, ["aws-sns", "discord", "paypal", "plaid", "sendgrid", "standard-webhooks"]);
}

/// JSON near to a definition.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        "[a-z{}:?/ -]{0,20}",
        Just("header:x-signature".to_owned()),
        Just("{timestamp}.{body}".to_owned()),
        Just("hmac-sha256".to_owned()),
        Just("hex".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<u16>().prop_map(serde_json::Value::from),
        text.prop_map(serde_json::Value::from),
    ];
    let key = prop::sample::select(vec![
        "variant",
        "name",
        "algorithm",
        "signature",
        "at",
        "signed",
        "encoding",
        "when",
        "handshake",
        "event",
        "id",
        "type",
        "timestamp",
        "unit",
        "window",
        "key",
        "each",
        "status",
        "unsigned",
        "parameter",
        "x",
    ]);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            vec((key.clone(), inner), 0..6).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

fn verify(verifier: &Verifier, signed: &Signed, seconds: u64) -> Verification {
    let headers =
        signed.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    verifier.verify(&Request {
        id: "r-1",
        source: "s",
        method: "POST",
        url: &signed.url,
        headers,
        body: &signed.body,
        received: UnixMillis::from_seconds(seconds),
        added_prefix: "",
        fetched: Vec::new(),
    })
}

/// Whether one changed byte of the body must be noticed.
fn covers_body(config: &VerificationConfig) -> bool {
    let tokens = [
        "api-key",
        "basic",
        "bearer",
        "cloudflare",
        "figma",
        "flutterwave",
        "mailgun",
        "mtls-header",
        "telegram",
    ];
    // The form's own encoding has many bytes that mean the same; Adyen signs some fields alone.
    let partly = ["adyen", "mandrill", "twilio"];
    let gitlab_token = config.scheme == "gitlab" && !config.secrets[0].value.starts_with("whsec_");
    !gitlab_token && !tokens.contains(&config.scheme.as_str()) && !partly.contains(&config.scheme.as_str())
}

fn content_type(scheme: &str) -> &'static str {
    if matches!(scheme, "mandrill" | "twilio") {
        "application/x-www-form-urlencoded"
    } else {
        "application/json"
    }
}

fn body_for(scheme: &str, text: &str, secret: &str, seconds: u64) -> Vec<u8> {
    let json = |members: &[(&str, serde_json::Value)]| {
        let members: BTreeMap<&str, &serde_json::Value> =
            members.iter().map(|(name, value)| (*name, value)).collect();
        serde_json::to_vec(&members).unwrap()
    };
    match scheme {
        "mandrill" | "twilio" => text.replace(['"', '\\', '{', '}'], "").into_bytes(),
        "figma" => json(&[("passcode", secret.into()), ("x", text.into())]),
        "mailgun" => json(&[("event-data", serde_json::json!({ "event": text }))]),
        "linear" => json(&[("webhookTimestamp", (seconds * 1000).into()), ("x", text.into())]),
        "adyen" => json(&[(
            "notificationItems",
            serde_json::json!([{"NotificationRequestItem": {"pspReference": text, "success": "true"}}]),
        )]),
        _ => json(&[("x", text.into())]),
    }
}
