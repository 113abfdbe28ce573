//! Any request under every scheme: no panic, and nothing verified that was not signed.
#![no_main]

use anglerfish_core::request::{Fetched, Header, Request, UnixMillis};
use anglerfish_core::verify::{Verification, SecretConfig, VerificationConfig, Verifier, catalogue};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    scheme: u8,
    method: u8,
    /// A selector among the names that providers use, and a value.
    headers: Vec<(u8, &'a [u8])>,
    url: &'a str,
    body: &'a [u8],
    received: u64,
    fetched: Option<&'a [u8]>,
}

/// Keys of every form; each scheme takes those that are keys for it.
const SECRETS: [&str; 5] = [
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
    "fc947730f49eb01427a66e050733294d9e520e545c7a27125a780634e0860a27",
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
    "a-long-random-secret-that-no-input-holds",
];

/// Header names that stand in the definitions.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut names: Vec<String> = vec!["content-type".to_owned()];
    for definition in catalogue() {
        for part in definition.scheme.split("header:").skip(1) {
            let end = part.find(['"', '}', '|']).unwrap_or(part.len());
            names.push(part[..end].to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
});

static VERIFIERS: LazyLock<Vec<Verifier>> = LazyLock::new(|| {
    let mut verifiers = Vec::new();
    for definition in catalogue().iter().filter(|definition| definition.name != "none") {
        for secret in SECRETS {
            let mut config = VerificationConfig {
                scheme: definition.name.to_owned(),
                secrets: vec![SecretConfig::new(secret)],
                ..VerificationConfig::default()
            };
            for (name, value) in [("client_id", "c"), ("header", "x-client"), ("verify_token", "a-token-nobody-knows")] {
                if definition.scheme.contains(&format!("\"{name}\"")) {
                    config.parameters.insert(name.to_owned(), value.to_owned());
                }
            }
            verifiers.extend(Verifier::try_new("source", &config));
        }
    }
    verifiers
});

fuzz_target!(|input: Input<'_>| {
    let verifier = &VERIFIERS[usize::from(input.scheme) % VERIFIERS.len()];
    let headers = { input.headers.iter() }
        .map(|(name, value)| Header { name: &NAMES[usize::from(*name) % NAMES.len()], value })
        .collect();
    let mut request = Request {
        id: "r-1",
        source: "fuzz",
        method: ["GET", "POST", "HEAD"][usize::from(input.method) % 3],
        url: input.url,
        headers,
        body: input.body,
        received: UnixMillis(input.received),
        added_prefix: "",
        fetched: Vec::new(),
    };
    let mut outcome = verifier.verify(&request);
    let wish;
    if let (Verification::Fetch(wishes), Some(document)) = (&outcome, input.fetched) {
        wish = wishes[0].url.clone();
        request.fetched.push(Fetched { url: &wish, status: Some(200), body: document });
        outcome = verifier.verify(&request);
    }
    assert_eq!(outcome, verifier.trace(&request).0);
    assert!(!matches!(outcome, Verification::Verified(_)), "{verifier:?}: {outcome:?}");
});
