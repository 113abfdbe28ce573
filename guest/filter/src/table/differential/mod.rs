//! The index against plain evaluation, on random expressions and events.

mod event;
mod expression;
mod oracle;

use super::{RuleKey, Supplied, Table};
use crate::Expression;
use crate::index::Truth;
use crate::pack::Section;
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
    fn a_packed_table_says_what_the_table_says_that_was_packed(
        expressions in proptest::collection::vec((expression(), sources()), 0..120),
        events in proptest::collection::vec(event(), 1..8),
        lookups in prop_oneof![4 => Just(u32::MAX), 1 => 0..60_u32],
    ) {
        let mut table = Table::new();
        fill(&mut table, &expressions);
        let last = expressions.len().saturating_sub(1);
        let turned = |key: RuleKey| last as u32 - key.0;
        let packed = Section::new(table.pack(&turned));
        let mut unpacked = Table::unpack(&packed).unwrap();
        prop_assert_eq!(unpacked.reads_headers(), table.reads_headers());
        (table.lookups, unpacked.lookups) = (lookups, lookups);
        let mut asked = std::collections::HashSet::new();
        for event in &events {
            let told = event.evaluate(&mut table);
            let other = event.evaluate_with(&mut unpacked, &mut |key| {
                assert!(asked.insert(key), "an expression is asked for once");
                let (expression, sources) = &expressions[last - key.0 as usize];
                let sources = match sources.as_deref() {
                    // Of no source at all: there is no such subscription, and an empty list means all of them.
                    Some([]) => vec!["no source at all".to_owned()],
                    Some(names) => names.iter().map(|name| (*name).to_owned()).collect(),
                    None => Vec::new(),
                };
                Some(Supplied { expression: expression.compile(), sources })
            });
            let mut matched: Vec<RuleKey> = told.matched.iter().map(|key| RuleKey(turned(*key))).collect();
            matched.sort_unstable();
            if lookups != u32::MAX {
                // Which lookups are left out has no order.
                table.lookups = u32::MAX;
                let truth = event.evaluate(&mut table).matched.into_iter().map(|key| RuleKey(turned(key)));
                let failed: Vec<RuleKey> = other.failed.iter().map(|failure| failure.key).collect();
                let truth: Vec<RuleKey> = truth.collect();
                prop_assert!(other.matched.iter().all(|key| truth.contains(key) && !failed.contains(key)));
                prop_assert!(truth.iter().all(|key| other.matched.contains(key) || failed.contains(key)));
                continue;
            }
            prop_assert_eq!(matched, other.matched);
            let failed = |failed: &[super::FailedRule], turn: &dyn Fn(RuleKey) -> u32| {
                let mut keys: Vec<u32> = failed.iter().map(|failure| turn(failure.key)).collect();
                keys.sort_unstable();
                keys
            };
            prop_assert_eq!(failed(&told.failed, &turned), failed(&other.failed, &|key| key.0));
        }
    }

    #[test]
    fn a_packed_table_that_is_cut_short_is_none(
        expressions in proptest::collection::vec((expression(), sources()), 1..40),
        event in event(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut table = Table::new();
        fill(&mut table, &expressions);
        let mut packed = table.pack(&|key| key.0);
        packed.truncate(cut.index(packed.len()));
        if let Some(mut unpacked) = Table::unpack(&Section::new(packed)) {
            prop_assert_eq!(event.evaluate(&mut unpacked).matched, Vec::new());
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
