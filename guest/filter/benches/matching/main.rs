//! What one decision costs, by the number of rules.

mod workload;

use anglerfish_filter::Expression;
use anglerfish_filter::table::{EventInput, Matches, RuleKey, Table};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Instant;
use workload::{NAMES, Workload, workload};

fn table(workload: &Workload) -> Table {
    let mut table = Table::new();
    for (number, rule) in workload.rules.iter().enumerate() {
        table.insert(RuleKey(number as u32), &compiled(rule), None);
    }
    table
}

fn compiled(rule: &str) -> Expression {
    Expression::compile(rule).unwrap_or_else(|error| panic!("{rule}: {error}"))
}

fn decide(table: &mut Table, body: &str, matches: &mut Matches) {
    let input =
        EventInput { id: "1", source: "shop", kind: "sale", time: 1, now: 1, ..EventInput::default() };
    let error = table.evaluate(&input, Some(body.as_bytes()), matches);
    assert_eq!(error, None);
}

fn matching(criterion: &mut Criterion) {
    for name in NAMES {
        let mut group = criterion.benchmark_group(*name);
        for count in [1, 100, 10_000, 100_000] {
            let workload = workload(name, count);
            let started = Instant::now();
            let mut table = table(&workload);
            let built = started.elapsed();
            let started = Instant::now();
            workload.rules.iter().for_each(|rule| drop(black_box(compiled(rule))));
            let compiling = started.elapsed();
            let mut matches = Matches::default();
            decide(&mut table, &workload.body, &mut matches);
            assert_eq!(matches.matched.len(), workload.matches, "{name} with {count} rules");
            if count == 100_000 {
                let per_rule = table.heap_size() / count;
                println!(
                    "{name}: {} bytes of body, {per_rule} bytes a rule, loaded in {built:?}, of which compiling {compiling:?}, {} looked at",
                    workload.body.len(),
                    matches.looked_at
                );
            }
            group.bench_with_input(BenchmarkId::from_parameter(count), &workload, |bencher, workload| {
                bencher.iter(|| decide(black_box(&mut table), &workload.body, &mut matches));
            });
        }
        group.finish();
    }
}

/// Adding and removing one rule of many.
fn change(criterion: &mut Criterion) {
    let workload = workload("five_clauses", 100_000);
    let mut table = table(&workload);
    let expression = Expression::compile(&workload.rules[500]).unwrap();
    criterion.bench_function("remove_and_insert", |bencher| {
        bencher.iter(|| {
            table.remove(RuleKey(500));
            table.insert(RuleKey(500), &expression, None);
        });
    });
}

/// Reading the body alone.
fn reading(criterion: &mut Criterion) {
    let workload = workload("five_clauses", 100);
    let mut table = table(&workload);
    criterion.bench_function("read_body", |bencher| {
        bencher.iter(|| table.read(Some(black_box(workload.body.as_bytes()))).error());
    });
    criterion.bench_function("read_body_without_values_by_serde_json", |bencher| {
        bencher.iter(|| {
            serde_json::from_slice::<serde::de::IgnoredAny>(black_box(workload.body.as_bytes())).is_ok()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(600));
    targets = reading, matching, change
}
criterion_main!(benches);
