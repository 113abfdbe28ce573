//! The index against plain evaluation, on random expressions and events.

mod event;
mod expression;
mod oracle;

use super::{RuleKey, Table};
use crate::Expression;
use crate::index::Truth;
use event::event;
use expression::{E, TEXTS, expression};
use oracle::Oracle;
use proptest::prelude::*;
use proptest::sample::select;

fn key(number: usize) -> RuleKey {
    RuleKey(number as u32)
}

type Sources = Option<Vec<&'static str>>;

fn sources() -> impl Strategy<Value = Sources> {
    proptest::option::weighted(0.3, proptest::collection::vec(select(TEXTS), 0..4))
}

fn fill(table: &mut Table, expressions: &[(E, Sources)]) {
    for (number, (expression, sources)) in expressions.iter().enumerate() {
        table.insert(key(number), &expression.compile(), sources.as_deref());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_is_true_and_nothing_else(
        expressions in proptest::collection::vec((expression(), sources()), 1..120),
        events in proptest::collection::vec(event(), 1..8),
    ) {
        let mut indexed = Table::new();
        let mut scanned = Table::without_index();
        fill(&mut indexed, &expressions);
        fill(&mut scanned, &expressions);
        for event in &events {
            let oracle = Oracle::new(event);
            let mut answers: Vec<Truth> = expressions.iter().map(|(expression, _)| oracle.truth(expression)).collect();
            for ((expression, sources), answer) in expressions.iter().zip(&mut answers) {
                let compiled = expression.compile();
                prop_assert_eq!(oracle.plain(&compiled), *answer, "{}", expression.text());
                prop_assert_eq!(event.sighted(&compiled), *answer, "{}", expression.text());
                if sources.as_ref().is_some_and(|sources| !sources.contains(&event.source())) {
                    *answer = Truth::False;
                }
            }
            let of = |truth: Truth| (0..answers.len()).filter(|at| answers[*at] == truth).map(key).collect::<Vec<_>>();
            let by_scan = event.evaluate(&mut scanned);
            prop_assert_eq!(&by_scan.matched, &of(Truth::True), "by scanning");
            let mut failed: Vec<_> = by_scan.failed.iter().map(|failure| failure.key).collect();
            failed.sort_unstable();
            prop_assert_eq!(&failed, &of(Truth::Error), "failures by scanning");
            let by_index = event.evaluate(&mut indexed);
            prop_assert_eq!(&by_index.matched, &of(Truth::True), "by index");
            for failure in &by_index.failed {
                prop_assert_eq!(answers[failure.key.0 as usize], Truth::Error);
            }
        }
    }

    #[test]
    fn without_lookups_left_what_is_true_fails_and_nothing_else_matches(
        expressions in proptest::collection::vec((expression(), sources()), 1..120),
        events in proptest::collection::vec(event(), 1..4),
        lookups in 0..60_u32,
    ) {
        let (mut plenty, mut few) = (Table::new(), Table::new());
        few.lookups = lookups;
        fill(&mut plenty, &expressions);
        fill(&mut few, &expressions);
        for event in &events {
            let (truth, told) = (event.evaluate(&mut plenty).matched, event.evaluate(&mut few));
            let failed: Vec<RuleKey> = told.failed.iter().map(|failure| failure.key).collect();
            prop_assert!(told.matched.iter().all(|key| truth.contains(key) && !failed.contains(key)));
            prop_assert!(truth.iter().all(|key| told.matched.contains(key) || failed.contains(key)));
        }
    }

    #[test]
    fn adding_and_removing_leaves_what_a_new_table_has(
        expressions in proptest::collection::vec(expression(), 1..100),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..300),
        events in proptest::collection::vec(event(), 1..5),
    ) {
        let programs: Vec<Expression> = expressions.iter().map(E::compile).collect();
        let mut there = vec![false; programs.len()];
        let mut table = Table::new();
        for (place, add) in changes {
            let number = place.index(programs.len());
            if add {
                table.insert(key(number), &programs[number], None);
            } else {
                prop_assert_eq!(table.remove(key(number)), there[number]);
            }
            there[number] = add;
        }
        let mut fresh = Table::new();
        for number in (0..programs.len()).filter(|number| there[*number]) {
            fresh.insert(key(number), &programs[number], None);
        }
        for event in &events {
            prop_assert_eq!(event.evaluate(&mut table).matched, event.evaluate(&mut fresh).matched);
        }
        for number in 0..programs.len() {
            table.remove(key(number));
        }
        prop_assert_eq!(table.sizes(), Table::new().sizes());
    }
}
