//! One verification of a body of 1 KiB and of 1 MiB, for each kind of signature.
#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs, reason = "a benchmark fails loudly")]

use anglerfish_core::request::{Fetched, Header, Request, UnixMillis};
use anglerfish_core::sign::{SignInput, sign};
use anglerfish_core::verify::{Outcome, SecretConfig, VerificationConfig, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::{Signer, SigningKey};
use p256::pkcs8::EncodePublicKey;
use std::hint::black_box;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

struct Sample {
    verifier: Verifier,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    fetched: Option<(String, String)>,
}

fn config(scheme: &str, secret: &str) -> VerificationConfig {
    VerificationConfig {
        scheme: scheme.to_owned(),
        secrets: vec![SecretConfig::new(secret)],
        ..VerificationConfig::default()
    }
}

fn body(size: usize) -> Vec<u8> {
    let mut body = br#"{"id":"evt_1","type":"thing.done","data":""#.to_vec();
    body.resize(size.saturating_sub(2), b'x');
    body.extend_from_slice(b"\"}");
    body
}

fn symmetric(scheme: &str, secret: &str, size: usize) -> Sample {
    let (config, body) = (config(scheme, secret), body(size));
    let input = SignInput {
        method: "POST",
        url: "https://hooks.example.com/in/source",
        headers: &[],
        body: &body,
        id: "evt_1",
        timestamp: NOW,
        kind: None,
    };
    let signed = sign(&config, &input).unwrap();
    let verifier = Verifier::try_new("source", &config).unwrap();
    Sample { verifier, headers: signed.headers, body: signed.body, fetched: None }
}

fn discord(size: usize) -> Sample {
    let key = SigningKey::from_bytes(&[7; 32]);
    let body = body(size);
    let signature = key.sign(&[b"1700000000", body.as_slice()].concat());
    let headers = vec![
        ("x-signature-ed25519".to_owned(), hex::encode(signature.to_bytes())),
        ("x-signature-timestamp".to_owned(), "1700000000".to_owned()),
    ];
    let config = config("discord", &hex::encode(key.verifying_key().as_bytes()));
    Sample { verifier: Verifier::try_new("source", &config).unwrap(), headers, body, fetched: None }
}

fn sendgrid(size: usize) -> Sample {
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let body = body(size);
    let signature: p256::ecdsa::Signature = key.sign(&[b"1700000000", body.as_slice()].concat());
    let headers = vec![
        ("x-twilio-email-event-webhook-signature".to_owned(), STANDARD.encode(signature.to_der())),
        ("x-twilio-email-event-webhook-timestamp".to_owned(), "1700000000".to_owned()),
    ];
    let public = p256::PublicKey::from(key.verifying_key()).to_public_key_der().unwrap();
    let config = config("sendgrid", &STANDARD.encode(public.as_bytes()));
    Sample { verifier: Verifier::try_new("source", &config).unwrap(), headers, body, fetched: None }
}

/// RSA 2048 with a certificate, from the recorded cases; the size of the body is what it is there.
fn paypal() -> Sample {
    let text = include_str!("../../../tests/fixtures/verify/paypal.json");
    let groups: serde_json::Value = serde_json::from_str(text).unwrap();
    let text = |pointer: &str| groups.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let headers = groups.pointer("/0/request/headers").unwrap().as_object().unwrap();
    Sample {
        verifier: Verifier::try_new("source", &config("paypal", &text("/0/config/secrets/0/value"))).unwrap(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        body: text("/0/request/body").into_bytes(),
        fetched: Some((text("/0/fetched/0/url"), text("/0/fetched/0/body"))),
    }
}

fn run(sample: &Sample) -> Outcome {
    let request = Request {
        source: "source",
        method: "POST",
        url: "https://hooks.example.com/in/source",
        headers: sample
            .headers
            .iter()
            .map(|(name, value)| Header { name, value: value.as_bytes() })
            .collect(),
        body: &sample.body,
        received: NOW,
        fetched: sample
            .fetched
            .iter()
            .map(|(url, body)| Fetched { url, status: Some(200), body: body.as_bytes() })
            .collect(),
    };
    sample.verifier.verify(black_box(&request))
}

fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    for size in [1024, 1024 * 1024] {
        group.throughput(Throughput::Bytes(size as u64));
        let samples = [
            ("hmac-sha256 (github)", symmetric("github", "a-long-random-secret", size)),
            ("hmac-sha256 (stripe)", symmetric("stripe", "a-long-random-secret", size)),
            ("hmac-sha1 (intercom)", symmetric("intercom", "a-long-random-secret", size)),
            ("ed25519 (discord)", discord(size)),
            ("p-256 (sendgrid)", sendgrid(size)),
        ];
        for (name, sample) in samples {
            assert!(matches!(run(&sample), Outcome::Verified(_)), "{name}");
            group.bench_with_input(BenchmarkId::new(name, size), &sample, |bencher, sample| {
                bencher.iter(|| run(sample));
            });
        }
    }
    let sample = paypal();
    assert!(matches!(run(&sample), Outcome::Verified(_)));
    group.throughput(Throughput::Elements(1));
    group.bench_function("rsa-2048 with its certificate (paypal)", |bencher| bencher.iter(|| run(&sample)));
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
