//! One call across the boundary, and one whole decision, in the component beside the same code natively.
//!
//! `cargo bench -p anglerfish --bench decision`

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on had better stop")]

mod component;

use anglerfish_core::config::OrderingConfig;
use anglerfish_core::decision;
use anglerfish_core::request::{Header, Request, UnixMillis, header_block};
use anglerfish_core::router::{Router, RoutingDocument, RoutingSource, RoutingSubscription};
use anglerfish_core::sign::{SignInput, sign};
use anglerfish_core::state::Keys;
use anglerfish_core::verify::{SecretConfig, VerificationConfig};
use component::{Decision, Warm};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::collections::BTreeMap;
use std::hint::black_box;

const SECRET: &str = "benchmark-secret";
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// State in memory, as `component` has it.
#[derive(Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Keys for Memory {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(key).cloned())
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.0.insert(key.to_owned(), value.to_vec());
        Ok(())
    }
}

/// A configuration with one source and ten subscriptions, one of which matches.
fn document(scheme: &str) -> Vec<u8> {
    let secrets = if scheme == "none" { Vec::new() } else { vec![SecretConfig::new(SECRET)] };
    let verification = VerificationConfig { scheme: scheme.to_owned(), secrets, ..Default::default() };
    let subscription = |number| RoutingSubscription {
        id: format!("s{number}"),
        sources: vec!["hub".to_owned()],
        filter: Some(format!("event.source == \"hub\" && message.size == {number}")),
        ordering: OrderingConfig::None,
        render: anglerfish_core::router::RenderConfig::default(),
        interest: None,
    };
    let document = RoutingDocument {
        source: vec![RoutingSource { name: "hub".to_owned(), verification }],
        subscription: (0..10).map(subscription).collect(),
        ..RoutingDocument::default()
    };
    serde_json::to_vec(&document).unwrap()
}

/// A push event of 1 KiB.
fn body() -> Vec<u8> {
    let mut body =
        br#"{"ref":"refs/heads/main","size":3,"repository":{"full_name":"octo/fish","stars":42}"#.to_vec();
    for field in 0.. {
        let member = format!(r#","field_{field}":"some text of usual length""#);
        if body.len() + member.len() + 1 > 1024 {
            break;
        }
        body.extend_from_slice(member.as_bytes());
    }
    body.push(b'}');
    body
}

/// Twelve fields, signed as GitHub signs.
fn headers(body: &[u8]) -> Vec<(String, String)> {
    let config = VerificationConfig {
        scheme: "github".to_owned(),
        secrets: vec![SecretConfig::new(SECRET)],
        ..VerificationConfig::default()
    };
    let input = SignInput {
        method: "POST",
        url: "http://127.0.0.1/in/hub",
        headers: &[],
        body,
        id: "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        timestamp: NOW,
        kind: Some("push"),
    };
    let mut headers = sign(&config, &input).unwrap().headers;
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    for number in headers.len()..12 {
        headers.push((format!("x-header-{number}"), "a value of usual length".to_owned()));
    }
    headers
}

fn wasm(warm: &mut Warm, source: &str, headers: &[(String, String)], body: &[u8]) -> Decision {
    let fields = headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() });
    let headers = header_block(fields);
    warm.decide(component::Request {
        id: "r-1",
        source,
        method: "POST",
        url: "http://127.0.0.1/in/hub",
        headers: &headers,
        body,
        received: NOW.0,
        added_prefix: "",
        fetched: &[],
    })
}

fn native(
    router: &mut Router,
    source: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> decision::Decision {
    let headers = headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    let request = Request {
        id: "r-1",
        source,
        method: "POST",
        url: "http://127.0.0.1/in/hub",
        headers,
        body,
        received: NOW,
        added_prefix: "",
        fetched: Vec::new(),
    };
    router.decide(&request, &mut Memory::default())
}

/// `boundary`: a source that does not exist, so that nearly all of the time is the call itself. `unsigned`: the event's
/// attributes and ten filters. `github`: HMAC-SHA256 beside.
fn benchmark(criterion: &mut Criterion) {
    let body = body();
    let headers = headers(&body);
    assert_eq!(headers.len(), 12);
    for (name, scheme, source) in
        [("boundary", "none", "unknown"), ("unsigned", "none", "hub"), ("github", "github", "hub")]
    {
        let document = document(scheme);
        let mut warm = Warm::load(&document);
        let mut router = Router::load(&document).unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut group = criterion.benchmark_group(name);
        match wasm(&mut warm, source, &headers, &body) {
            Decision::Accept(acceptance) if source == "hub" => {
                assert_eq!(acceptance.events.iter().map(|event| event.intents.len()).sum::<usize>(), 1)
            }
            Decision::Reject(_) if source != "hub" => {}
            other => panic!("{other:?}"),
        }
        group.bench_function(BenchmarkId::from_parameter("component"), |bencher| {
            bencher.iter(|| wasm(&mut warm, source, black_box(&headers), black_box(&body)));
        });
        group.bench_function(BenchmarkId::from_parameter("native"), |bencher| {
            bencher.iter(|| native(&mut router, source, black_box(&headers), black_box(&body)));
        });
        group.finish();
    }
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
