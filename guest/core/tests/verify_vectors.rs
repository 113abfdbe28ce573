//! Cases that were collected apart from this project: providers' own examples and values computed from their
//! documentation.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::verify::{SecretConfig, Verification, VerificationConfig, Verifier};
use serde_json::Value;

#[test]
fn every_collected_case_ends_as_it_says() {
    let text = include_str!("../../../tests/fixtures/vectors.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 19, "there are only {}", cases.len());
    let mut failures = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let text = |pointer: &str| case.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let config = VerificationConfig {
            scheme: text("/provider").to_owned(),
            secrets: vec![SecretConfig::new(text("/secret"))],
            ..VerificationConfig::default()
        };
        let verifier = match Verifier::try_new("source", &config) {
            Ok(verifier) => verifier,
            Err(problems) => {
                failures.push(format!("{index}: {}: {problems:?}", config.scheme));
                continue;
            }
        };
        let headers = case["request"]["headers"].as_object().unwrap();
        let request = Request {
            id: "r-1",
            source: "case",
            method: text("/request/method"),
            url: text("/request/url"),
            headers: headers
                .iter()
                .map(|(name, value)| Header { name, value: value.as_str().unwrap().as_bytes() })
                .collect(),
            body: text("/request/body").as_bytes(),
            received: UnixMillis::from_seconds(case["now"].as_u64().unwrap()),
            added_prefix: "",
            fetched: Vec::new(),
        };
        let (outcome, steps) = verifier.trace(&request);
        let accepted = matches!(outcome, Verification::Verified(_) | Verification::Answered(_));
        if accepted != (text("/expect") == "valid") {
            failures.push(format!("{index}: {} {}: {outcome:?} {steps:?}", config.scheme, text("/expect")));
        }
    }
    println!("{} cases", cases.len());
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
