//! What a call of a plugin costs: one that delivers whatever it is asked about, so that nearly all of the time is the call.
//!
//! `cargo bench -p anglerfish --bench plugin`

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on had better stop")]

use anglerfish::plugin::{Plugin, PluginConfig, Question, Sandbox, Verdict};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;

/// An event with so much data and so many header fields.
fn question(bytes: usize, fields: usize) -> Question {
    let event = Event {
        id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
        source: "hub".to_owned(),
        kind: "push".to_owned(),
        time: UnixMillis(1_700_000_000_000),
        datacontenttype: Some("application/json".to_owned()),
        ..Event::default()
    };
    let field = |number| (format!("x-header-{number}"), "a value of usual length".to_owned());
    Question {
        subscription: "pushes".to_owned(),
        event,
        headers: (0..fields).map(field).collect(),
        data: Bytes::from(vec![b'x'; bytes]),
    }
}

/// `empty`: no data and no header field. `event`: 1 KiB and 12 fields. `fresh`: the same in a new instance, whose start is
/// part of the time.
fn benchmark(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/plugin/probe-0.1.0.wasm");
    let plugin = Plugin::load(&Sandbox::try_new().unwrap(), PluginConfig::new("probe", file));
    let plugin = plugin.unwrap_or_else(|(key, error)| panic!("{key}: {error}"));
    let (empty, event) = (question(0, 0), question(1024, 12));
    assert_eq!(plugin.judge(&event, "\"deliver\"").result, Ok(Verdict::Deliver));
    assert_eq!(plugin.explain(&event, "\"deliver\"").result, Ok(Verdict::Deliver));
    let mut group = criterion.benchmark_group("plugin");
    group.bench_function("empty", |bencher| {
        bencher.iter(|| plugin.judge(black_box(&empty), "\"deliver\""));
    });
    group.bench_function("event", |bencher| {
        bencher.iter(|| plugin.judge(black_box(&event), "\"deliver\""));
    });
    group.bench_function("fresh", |bencher| {
        bencher.iter(|| plugin.explain(black_box(&event), "\"deliver\""));
    });
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
