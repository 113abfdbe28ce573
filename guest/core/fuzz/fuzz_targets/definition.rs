//! Any JSON as a definition of one's own: it is refused or read, and what is read can be run.
#![no_main]

use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::verify::{SecretConfig, VerificationConfig, Verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (definition, body) = input;
    let Ok(definition) = serde_json::from_str(definition) else { return };
    let config = VerificationConfig {
        scheme: "custom".to_owned(),
        secrets: vec![SecretConfig::new("a-long-random-secret")],
        definition: Some(definition),
        ..VerificationConfig::default()
    };
    let Ok(verifier) = Verifier::try_new("source", &config) else { return };
    let request = Request {
        id: "r-1",
        source: "fuzz",
        method: "POST",
        url: "https://hooks.example.com/in/fuzz?a=b",
        headers: vec![Header { name: "x-signature", value: body }, Header { name: "content-type", value: b"application/json" }],
        body,
        received: UnixMillis(1_700_000_000_000),
        added_prefix: "",
        fetched: Vec::new(),
    };
    let _ = verifier.trace(&request);
});
