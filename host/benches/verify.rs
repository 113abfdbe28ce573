//! One verification, as part of one decision, for each kind of signature: in the component beside the same code natively.
//!
//! `cargo bench -p anglerfish --bench verify`

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on had better stop")]

mod component;

use anglerfish_core::decision;
use anglerfish_core::request::{Header, Request, UnixMillis, header_block};
use anglerfish_core::router::{Router, RoutingDocument, RoutingSource};
use anglerfish_core::state::Keys;
use anglerfish_core::verify::{SecretConfig, VerificationConfig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use component::{Decision, Warm};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::Signer as _;
use p256::pkcs8::EncodePublicKey as _;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::json;
use std::hint::black_box;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const SECRET: &str = "a-long-random-secret";

/// State in which nothing was ever written.
struct Nothing;

impl Keys for Nothing {
    fn get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn set(&mut self, _key: &str, _value: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// Makes a signature of a body.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A kind of signature: the secret that verifies it, and a signature of a body.
struct Kind {
    algorithm: &'static str,
    secret: String,
    sign: Sign,
}

fn hmac(algorithm: &'static str) -> Kind {
    let config = verification(algorithm, SECRET);
    let sign = move |body: &[u8]| {
        let input = anglerfish_core::sign::SignInput {
            method: "POST",
            url: "http://127.0.0.1/in/a",
            headers: &[],
            body,
            id: "evt_1",
            timestamp: NOW,
            kind: None,
        };
        let signed = anglerfish_core::sign::sign(&config, &input).unwrap();
        let (_, value) = signed.headers.iter().find(|(name, _)| name == "x-signature").unwrap();
        STANDARD.decode(value).unwrap()
    };
    Kind { algorithm, secret: SECRET.to_owned(), sign: Box::new(sign) }
}

fn kinds() -> Vec<Kind> {
    let edwards = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let curve = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let curve_public = p256::PublicKey::from(curve.verifying_key()).to_public_key_der().unwrap();
    let rsa = KeyPair::from_pem(include_str!("../tests/documents/signer.pem")).unwrap();
    let mut kinds: Vec<Kind> = ["hmac-sha1", "hmac-sha256", "hmac-sha512"].map(hmac).into();
    kinds.push(Kind {
        algorithm: "ed25519",
        secret: hex::encode(edwards.verifying_key().as_bytes()),
        sign: Box::new(move |body| edwards.sign(body).to_bytes().to_vec()),
    });
    kinds.push(Kind {
        algorithm: "ecdsa-p256",
        secret: STANDARD.encode(curve_public.as_bytes()),
        sign: Box::new(move |body| {
            let signature: p256::ecdsa::Signature = curve.sign(body);
            signature.to_der().as_bytes().to_vec()
        }),
    });
    kinds.push(Kind {
        algorithm: "rsa-sha256",
        secret: STANDARD.encode(rsa.subject_public_key_info()),
        sign: Box::new(move |body| rsa.sign(body).unwrap()),
    });
    kinds
}

/// A scheme in which nothing but the signature takes time.
fn verification(algorithm: &str, secret: &str) -> VerificationConfig {
    let definition = json!({
        "variant": [{
            "name": "v1", "algorithm": algorithm, "encoding": "base64",
            "signature": {"at": ["header:x-signature"]}, "signed": "{body}",
        }],
        "event": {"id": ["{header:x-id}"]},
    });
    VerificationConfig {
        scheme: "custom".to_owned(),
        secrets: vec![SecretConfig::new(secret)],
        definition: Some(definition),
        ..VerificationConfig::default()
    }
}

fn wasm(warm: &mut Warm, signature: &[u8], body: &[u8]) -> Decision {
    let fields = [Header { name: "x-signature", value: signature }, Header { name: "x-id", value: b"evt_1" }];
    let headers = header_block(fields.into_iter());
    warm.decide(component::Request {
        id: "r-1",
        source: "a",
        method: "POST",
        url: "http://127.0.0.1/in/a",
        headers: &headers,
        body,
        received: NOW.0,
        added_prefix: "",
        fetched: &[],
    })
}

fn native(router: &mut Router, signature: &[u8], body: &[u8]) -> decision::Decision {
    let request = Request {
        id: "r-1",
        source: "a",
        method: "POST",
        url: "http://127.0.0.1/in/a",
        headers: vec![
            Header { name: "x-signature", value: signature },
            Header { name: "x-id", value: b"evt_1" },
        ],
        body,
        received: NOW,
        added_prefix: "",
        fetched: Vec::new(),
    };
    router.decide(&request, &mut Nothing)
}

fn benchmark(criterion: &mut Criterion) {
    for kind in kinds() {
        let verification = verification(kind.algorithm, &kind.secret);
        let document = RoutingDocument {
            source: vec![RoutingSource { name: "a".to_owned(), verification }],
            ..RoutingDocument::default()
        };
        let document = serde_json::to_vec(&document).unwrap();
        let mut warm = Warm::load(&document);
        let mut router = Router::load(&document).unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut group = criterion.benchmark_group(kind.algorithm);
        for size in [1 << 10, 1 << 20] {
            let body = vec![b'x'; size];
            let signature = STANDARD.encode((kind.sign)(&body)).into_bytes();
            let Decision::Accept(_) = wasm(&mut warm, &signature, &body) else {
                panic!("{}", kind.algorithm)
            };
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new("component", size), |bencher| {
                bencher.iter(|| wasm(&mut warm, &signature, black_box(&body)));
            });
            group.bench_function(BenchmarkId::new("native", size), |bencher| {
                bencher.iter(|| native(&mut router, &signature, black_box(&body)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
