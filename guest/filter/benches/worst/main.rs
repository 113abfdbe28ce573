//! The worst that could be thought of: a hundred thousand filters and an event of 1 MiB that make each other as slow as can be.
//! A decision has a deadline, a second by default.

#![expect(clippy::panic, reason = "a benchmark that cannot go on had better stop")]

mod pairs;

use anglerfish_filter::Expression;
use anglerfish_filter::table::{EventInput, Matches, RuleKey, Table};
use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use pairs::pairs;

fn decide(table: &mut Table, body: &str, matches: &mut Matches) {
    let input =
        EventInput { id: "1", source: "shop", kind: "sale", time: 1, now: 1, ..EventInput::default() };
    let error = table.evaluate(&input, Some(body.as_bytes()), matches);
    assert_eq!(error, None);
}

fn bounded(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("worst");
    group.sampling_mode(SamplingMode::Flat);
    for worst in pairs() {
        let mut table = Table::new();
        for (key, rule) in (0..).map(RuleKey).zip(&worst.rules) {
            let expression = Expression::compile(rule).unwrap_or_else(|error| panic!("{rule}: {error}"));
            table.insert(key, &expression, None);
        }
        let mut matches = Matches::default();
        decide(&mut table, &worst.body, &mut matches);
        println!(
            "{}: {} looked at, {} matched, {} failed",
            worst.name,
            matches.looked_at,
            matches.matched.len(),
            matches.failed.len()
        );
        group.bench_function(worst.name, |bencher| {
            bencher.iter(|| decide(&mut table, &worst.body, &mut matches));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(100))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = bounded
}
criterion_main!(benches);
