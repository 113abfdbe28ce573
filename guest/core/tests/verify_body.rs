//! What of a JSON body is believed: one text at each place, and only if no two readers of JSON could differ on it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::sign::{SignInput, sign};
use anglerfish_core::verify::{SecretConfig, Verification, VerificationConfig, Verified, Verifier};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn config(scheme: &str, secret: &str) -> VerificationConfig {
    VerificationConfig {
        scheme: scheme.to_owned(),
        secrets: vec![SecretConfig::new(secret)],
        ..VerificationConfig::default()
    }
}

fn verify(config: &VerificationConfig, headers: &[(String, String)], body: &str) -> Verification {
    Verifier::try_new("source", config).unwrap().verify(&Request {
        id: "r-1",
        source: "source",
        method: "POST",
        url: "https://hooks.example.com/in/source",
        headers: headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect(),
        body: body.as_bytes(),
        received: NOW,
        added_prefix: "",
        fetched: Vec::new(),
    })
}

/// What is signed with the scheme and verified again.
fn signed(scheme: &str, body: &str) -> Verified {
    let config = config(scheme, "a-long-random-secret");
    let input = SignInput {
        method: "POST",
        url: "https://hooks.example.com/in/source",
        body: body.as_bytes(),
        timestamp: NOW,
        ..SignInput::default()
    };
    let signed = sign(&config, &input).unwrap();
    match verify(&config, &signed.headers, body) {
        Verification::Verified(verified) => *verified,
        other => panic!("{other:?}"),
    }
}

/// An Adyen notification whose signature is over an empty `originalReference`, with something written in its place.
fn adyen(addition: &str) -> Verification {
    let body = format!(
        r#"{{"notificationItems": [{{"NotificationRequestItem": {{"pspReference": "7914073381342284",
            "merchantAccountCode": "TestMerchant", "merchantReference": "TestPayment-1407325143704",
            "amount": {{"value": 1130, "currency": "EUR"}}, "eventCode": "AUTHORISATION", "success": "true",
            "additionalData": {{"hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="}}{addition}}}}}]}}"#
    );
    let key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    verify(&config("adyen", key), &[], &body)
}

#[test]
fn what_is_signed_if_it_is_there_cannot_be_added_in_a_form_that_is_not_signed() {
    for addition in ["", r#", "originalReference": """#, r#", "originalReference": null"#] {
        assert!(matches!(adyen(addition), Verification::Verified(_)), "{addition}");
    }
    for (addition, reason) in [
        (r#", "originalReference": "1""#, "no signature matches"),
        (r#", "originalReference": ["1"]"#, "no text"),
        (r#", "originalReference": {}"#, "no text"),
        (r#", "originalReference": 1.5"#, "no text"),
        (r#", "originalReference": "1", "originalReference": """#, "ambiguous"),
        (r#", "originalReference": "\ud800""#, "ambiguous"),
        (r#", "success": "true""#, "ambiguous"),
    ] {
        match adyen(addition) {
            Verification::Rejected(rejection) => assert!(rejection.reason.contains(reason), "{rejection:?}"),
            other => panic!("{addition}: {other:?}"),
        }
    }
}

#[test]
fn an_attribute_that_readers_of_json_differ_on_is_none() {
    let body = r#"{"id":"evt_1","type":"a","data":{"object":{"id":"\udc00"}},"created":1e400,"type":"b"}"#;
    let attributes = signed("stripe", body).attributes;
    assert_eq!(attributes.id.as_deref(), Some("evt_1"));
    assert_eq!((attributes.kind, attributes.subject, attributes.time), (None, None, None));
}

#[test]
fn a_body_that_is_no_json_or_nests_too_deep_is_verified_without_attributes() {
    let deep = format!(r#"{{"id":"evt_1","x":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    for body in [deep.as_str(), r#"{"id":"evt_1""#, r#"{"id":"evt_1"}{}"#, "id=evt_1", ""] {
        assert_eq!(signed("stripe", body).attributes.id, None, "{body}");
    }
}

#[test]
fn places_in_arrays_are_found_by_their_number() {
    let attributes =
        signed("hubspot", r#"[{"occurredAt":1462216307945,"subscriptionType":"contact.creation"},{}]"#)
            .attributes;
    assert_eq!(attributes.kind.as_deref(), Some("contact.creation"));
    assert_eq!(attributes.time, Some(UnixMillis(1_462_216_307_945)));
}

#[test]
fn a_timestamp_is_signed_in_a_body_as_the_provider_writes_it() {
    let body = |scheme, text: &str| {
        let input =
            SignInput { method: "POST", body: text.as_bytes(), timestamp: NOW, ..SignInput::default() };
        String::from_utf8(sign(&config(scheme, "a-long-random-secret"), &input).unwrap().body).unwrap()
    };
    assert_eq!(
        body("linear", r#"{"action":"create"}"#),
        r#"{"action":"create","webhookTimestamp":1700000000000}"#
    );
    let mailgun = body("mailgun", r#"{"signature":{"token":"t"}}"#);
    assert!(mailgun.contains(r#""timestamp":"1700000000""#), "{mailgun}");
    let mailgun = body("mailgun", r#"{"signature":{"token":"t","timestamp":1}}"#);
    assert!(mailgun.contains(r#""timestamp":1700000000"#), "{mailgun}");
}
