//! What matching one event costs natively, by the number of rules. `cargo bench -p anglerfish --bench matching` measures
//! the same inside WebAssembly.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on had better stop"
)]

mod github;
mod workload;

use anglerfish_filter::Expression;
use anglerfish_filter::table::{EventInput, Matches, RuleKey, Table};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Instant;
use workload::{COUNTS, NAMES, Sample, Workload, workload};

fn fill(mut table: Table, workload: &Workload) -> Table {
    for (number, rule) in workload.rules.iter().enumerate() {
        table.insert(RuleKey(number as u32), &compiled(rule), None);
    }
    table
}

fn compiled(rule: &str) -> Expression {
    Expression::compile(rule).unwrap_or_else(|error| panic!("{rule}: {error}"))
}

fn decide(table: &mut Table, event: &Sample, matches: &mut Matches) {
    let input =
        EventInput { id: "1", source: "shop", kind: &event.kind, time: 1, now: 1, ..EventInput::default() };
    let error = table.evaluate(&input, Some(event.body.as_bytes()), matches);
    assert_eq!(error, None);
}

/// How many rules all events together make true.
fn matched(table: &mut Table, events: &[Sample]) -> usize {
    let mut matches = Matches::default();
    let mut matched = |event| {
        decide(table, event, &mut matches);
        matches.matched.len()
    };
    events.iter().map(&mut matched).sum()
}

fn measure(criterion: &mut Criterion, workload: &Workload) {
    let count = workload.rules.len();
    let started = Instant::now();
    let mut table = fill(Table::new(), workload);
    let loaded = started.elapsed();
    let mut matches = Matches::default();
    decide(&mut table, &workload.events[0], &mut matches);
    println!(
        "{}/{count}: loaded in {loaded:.1?}, {} bytes a rule, {} looked at for {} bytes of JSON",
        workload.name,
        table.heap_size() / count,
        matches.looked_at,
        workload.events[0].body.len(),
    );
    let mut group = criterion.benchmark_group(workload.name);
    group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
        let mut events = workload.events.iter().cycle();
        bencher.iter(|| decide(&mut table, black_box(events.next().unwrap()), &mut matches));
    });
    group.finish();
}

fn matching(criterion: &mut Criterion) {
    for name in NAMES {
        for count in COUNTS {
            let workload = workload(name, count);
            let found = matched(&mut fill(Table::new(), &workload), &workload.events);
            assert_eq!(found, workload.matches, "{name} with {count} rules");
            measure(criterion, &workload);
        }
    }
}

/// Events as they are, some ten kilobytes each.
fn real(criterion: &mut Criterion) {
    let Some(workload) = github::github(1000) else {
        println!("GitHub's examples are not there: `cargo xtask test` installs them");
        return;
    };
    let found = matched(&mut fill(Table::new(), &workload), &workload.events);
    let scanned = matched(&mut fill(Table::without_index(), &workload), &workload.events);
    assert_eq!(found, scanned);
    println!("{} events make {found} filters true", workload.events.len());
    measure(criterion, &workload);
    let mut table = Table::new();
    criterion.bench_function("github/read_body", |bencher| {
        let mut events = workload.events.iter().cycle();
        bencher.iter(|| table.read(Some(black_box(events.next().unwrap()).body.as_bytes())).error());
    });
}

/// Adding and removing one rule of many.
fn change(criterion: &mut Criterion) {
    let workload = workload("five_clauses", 100_000);
    let mut table = fill(Table::new(), &workload);
    criterion.bench_function("remove_and_insert", |bencher| {
        bencher.iter(|| {
            table.remove(RuleKey(500));
            table.insert(RuleKey(500), &compiled(&workload.rules[500]), None);
        });
    });
}

/// Reading the body alone.
fn reading(criterion: &mut Criterion) {
    let workload = workload("five_clauses", 100);
    let mut table = fill(Table::new(), &workload);
    let body = workload.events[0].body.as_bytes();
    criterion.bench_function("read_body", |bencher| {
        bencher.iter(|| table.read(Some(black_box(body))).error());
    });
    criterion.bench_function("read_body_without_values_by_serde_json", |bencher| {
        bencher.iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(body)).is_ok());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(600));
    targets = reading, matching, real, change
}
criterion_main!(benches);
