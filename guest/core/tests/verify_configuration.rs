//! What is wrong with a source's verification is said at once, with its place and without its secrets.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use anglerfish_core::problem::Problem;
use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::verify::{SecretConfig, Verification, VerificationConfig, Verifier};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

fn config(value: Value) -> VerificationConfig {
    serde_json::from_value(value).unwrap()
}

fn problems(value: Value) -> Vec<String> {
    let problems = Verifier::try_new("sources[0]", &config(value)).expect_err("a refusal");
    let told = |problem: &Problem| match &problem.hint {
        Some(hint) => format!("{problem}; {hint}"),
        None => problem.to_string(),
    };
    problems.iter().map(told).collect()
}

#[test]
fn an_unknown_scheme_is_refused_with_the_name_that_was_meant() {
    let told = problems(json!({"scheme": "gihtub", "secrets": [{"value": "s"}]}));
    assert_eq!(told, ["sources[0].scheme: there is no scheme \"gihtub\"; did you mean \"github\"?"]);
    assert!(problems(json!({"scheme": ""}))[0].contains("write \"none\""));
    assert!(problems(json!({"scheme": "NONE"}))[0].contains("did you mean \"none\"?"));
}

#[test]
fn every_scheme_but_none_needs_a_secret_and_none_takes_none() {
    assert!(
        problems(json!({"scheme": "github"}))[0]
            .starts_with("sources[0].secrets: scheme `github` needs a secret")
    );
    assert!(
        problems(json!({"scheme": "none", "secrets": [{"value": "s"}]}))[0].contains("would mean nothing")
    );
    assert!(Verifier::try_new("s", &config(json!({"scheme": "none"}))).is_ok());
}

#[test]
fn all_problems_are_told_at_once() {
    let told = problems(json!({
        "scheme": "standard-webhooks",
        "secrets": [
            {"value": ""},
            {"value": "   "},
            {"value": "whsec_"},
            {"value": "whsec_not base64!"},
            {"value": "whpk_AAAA"},
            {"value": " whsec_AAEC"},
            {"value": "whsec_AAEC", "not_before": 2, "not_after": 1},
            {"value": "whsec_AAEC", "label": " "},
        ],
        "public_url": "hooks.example.com",
        "parameters": {"x": "y"},
    }));
    let places: Vec<&str> = told.iter().map(|text| text.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "sources[0].parameters.x",
            "sources[0].public_url",
            "sources[0].secrets[0]",
            "sources[0].secrets[1]",
            "sources[0].secrets[2]",
            "sources[0].secrets[3]",
            "sources[0].secrets[4]",
            "sources[0].secrets[5]",
            "sources[0].secrets[6].not_after",
            "sources[0].secrets[7].label",
        ]
    );
}

#[test]
fn a_key_that_cannot_be_read_is_refused_with_its_reason_and_without_its_value() {
    for (scheme, secret, reason) in [
        ("discord", "zz7947730f49eb01427a66e050733294d9e520e545c7a27125a780634e0860a27", "hexadecimal"),
        ("discord", "fc947730", "4 bytes where an ed25519 public key has 32"),
        ("discord", "0000000000000000000000000000000000000000000000000000000000000000", "weak"),
        ("adyen", "not-hexadecimal", "hexadecimal"),
        ("sendgrid", "bm90IGEga2V5IGF0IGFsbA==", "P-256"),
        ("sendgrid", "!!!!!!!!", "base64"),
        ("standard-webhooks", "whpk_AAECAwQFBgc=", "8 bytes"),
        ("standard-webhooks", "whsk_AAECAwQFBgc=", "too few bytes"),
    ] {
        let told = problems(json!({"scheme": scheme, "secrets": [{"value": secret}]}));
        assert!(told.len() == 1 && told[0].contains(reason), "{scheme}: {told:?}");
        assert!(!told[0].contains(secret), "{told:?}");
    }
}

#[test]
fn a_parameter_that_a_scheme_requires_is_asked_for() {
    let told = problems(json!({"scheme": "plaid", "secrets": [{"value": "s"}]}));
    assert_eq!(told, ["sources[0].parameters.client_id: is missing: the account's client id"]);
    let told = problems(json!({"scheme": "mtls-header", "secrets": [{"value": "s"}]}));
    assert!(told[0].starts_with("sources[0].parameters.header: is missing"));
    let told =
        problems(json!({"scheme": "plaid", "secrets": [{"value": "s"}], "parameters": {"client-id": "c"}}));
    assert!(told[1].contains("did you mean \"client_id\"?"), "{told:?}");
}

#[test]
fn a_window_that_could_not_be_enforced_is_refused() {
    let told = problems(json!({"scheme": "github", "secrets": [{"value": "s"}], "past_seconds": 60}));
    assert_eq!(
        told,
        ["sources[0].tolerance: scheme `github` signs no timestamp, so this could not be enforced"]
    );
}

#[test]
fn a_variant_that_does_not_exist_is_refused() {
    let told = problems(json!({"scheme": "hubspot", "secrets": [{"value": "s"}], "variants": ["v4"]}));
    assert!(told[0].starts_with("sources[0].variants[0]: scheme `hubspot` has no variant `v4`"));
}

#[test]
fn a_definition_of_ones_own_is_checked_as_a_whole() {
    let told = problems(json!({"scheme": "custom", "secrets": [{"value": "s"}], "definition": {
        "variant": [
            {"name": "a", "algorithm": "hmac-sha265", "encoding": "hexx", "signature": {"at": ["header"]}, "signed": "{boddy}"},
            {"name": "a", "algorithm": "equal", "signature": {"at": ["header:x"]}, "signed": ""},
            {"name": "b", "algorithm": "hmac-sha256", "signature": {"at": ["header:x"]}, "signed": "{timestamp}{"},
            {"name": "c", "algorithm": "hmac-sha256", "encoding": "hex", "signature": {"at": ["header:x"]}, "signed": "{timestamp}"},
            {"name": "d", "algorithm": "hmac-sha256", "window": {"past": 1}, "typo": 1},
        ],
        "handshake": [{"when": [], "signed": false}, {"when": [{"at": "method"}], "json": {"a": {"b": [1.5]}}}],
        "event": {"id": ["{json:id}"], "tipe": []},
    }}));
    for part in [
        "variant[0].algorithm: `hmac-sha265` is not known; did you mean \"hmac-sha256\"?",
        "variant[0].encoding: `hexx` is not known; did you mean \"hex\"?",
        "variant[0].signature.at[0]: `header` is no place",
        "variant[0].signed: `boddy` is no place",
        "variant[2].encoding: missing key",
        "variant[2].signed: a `{` is not closed",
        "variant[4].typo: unknown key",
        "handshake[0]: `when` has no condition",
        "handshake[1].signed: missing key",
        "event.tipe: unknown key",
        "variant[4].signature: missing key",
        "handshake[1].when[0]: says one of",
        "handshake[1].json.a: a number of an answer is whole",
        "variant[1]: the secret has no part in it",
        "variant[3]: `{timestamp}` is signed but there is no `timestamp`",
    ] {
        assert!(told.iter().any(|text| text.contains(part)), "{part}\n{}", told.join("\n"));
    }
}

#[test]
fn a_definition_of_ones_own_verifies() {
    let definition = json!({
        "variant": [{
            "name": "v1",
            "algorithm": "hmac-sha512",
            "encoding": "base64url",
            "signature": {"at": ["header:x-acme-signature"], "separator": " ", "prefix": "v1:"},
            "signed": "{method} {path}\n{header:x-acme-id}\n{timestamp}\n{body}",
            "timestamp": {"at": ["header:x-acme-time"], "unit": "milliseconds"},
            "window": {"past": 60, "future": 5},
        }],
        "event": {"id": ["{header:x-acme-id}"], "type": ["{json:/kind}"]},
    });
    let config = VerificationConfig {
        scheme: "custom".to_owned(),
        secrets: vec![SecretConfig::new("a-secret-of-acme")],
        definition: Some(definition),
        ..VerificationConfig::default()
    };
    let verifier = Verifier::try_new("sources[0]", &config).unwrap();
    let body = br#"{"kind":"boat.sold"}"#;
    let mut mac = Hmac::<sha2::Sha512>::new_from_slice(b"a-secret-of-acme").unwrap();
    mac.update(b"POST /in/acme\n42\n1700000000000\n");
    mac.update(body);
    let signature = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        mac.finalize().into_bytes(),
    );
    let signature = format!("v2:AAAA v1:{signature}");
    let at = |milliseconds: u64| {
        verifier.verify(&Request {
            id: "r-1",
            source: "acme",
            method: "POST",
            url: "https://hooks.example.com/in/acme?x=y",
            headers: vec![
                Header { name: "X-Acme-Signature", value: signature.as_bytes() },
                Header { name: "X-Acme-Id", value: b"42" },
                Header { name: "X-Acme-Time", value: b"1700000000000" },
            ],
            body,
            received: UnixMillis(milliseconds),
            added_prefix: "",
            fetched: Vec::new(),
        })
    };
    let Verification::Verified(verified) = at(1_700_000_060_000) else { panic!("a verified request") };
    assert_eq!(verified.scheme, "custom");
    assert_eq!(verified.attributes.id.as_deref(), Some("42"));
    assert_eq!(verified.attributes.kind.as_deref(), Some("boat.sold"));
    assert!(matches!(at(1_700_000_060_001), Verification::Rejected(_)));
    assert!(matches!(at(1_699_999_994_999), Verification::Rejected(_)));
}

#[test]
fn names_the_headers_that_carry_a_secret() {
    let headers =
        |value: Value| Verifier::try_new("s", &config(value)).unwrap().credential_headers().to_vec();
    assert_eq!(headers(json!({"scheme": "bearer", "secrets": [{"value": "s"}]})), ["authorization"]);
    assert_eq!(headers(json!({"scheme": "gitlab", "secrets": [{"value": "s"}]})), ["x-gitlab-token"]);
    assert!(headers(json!({"scheme": "github", "secrets": [{"value": "s"}]})).is_empty());
}

#[test]
fn names_the_parameters_of_the_query_that_carry_a_secret() {
    let scheme = json!({"scheme": "custom", "secrets": [{"value": "s"}], "definition": {
        "variant": [{"name": "v", "algorithm": "equal", "signature": {"at": ["query:token", "header:x-token"]}}]
    }});
    let verifier = Verifier::try_new("s", &config(scheme)).unwrap();
    assert_eq!(
        (verifier.credential_parameters(), verifier.credential_headers()),
        (&["token".to_owned()][..], &["x-token".to_owned()][..])
    );
}
