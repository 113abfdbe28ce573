//! No expression costs another one its answer.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use anglerfish_filter::Expression;
use anglerfish_filter::table::{EventInput, Matches, RuleKey, Table};
use std::collections::BTreeSet;

/// Takes about three times the square of the list's length, and more than the limit from a length of 180 on.
fn hog(number: usize) -> String {
    format!("message.l.all(a, message.l.all(b, a + b >= {number} - 100000))")
}

const MODEST: &str = "message.l.exists(x, x + 1 == 8)";

fn body(length: usize) -> String {
    let numbers: Vec<String> = (0..length).map(|number| number.to_string()).collect();
    format!(r#"{{"l":[{}]}}"#, numbers.join(","))
}

/// Who matched, and who failed with which reason.
fn evaluate(table: &mut Table, body: &str) -> (BTreeSet<u32>, Vec<(u32, String)>) {
    let mut matches = Matches::default();
    assert!(table.evaluate(&EventInput::default(), Some(body.as_bytes()), &mut matches).is_none());
    let mut failed: Vec<_> =
        matches.failed.into_iter().map(|failure| (failure.key.0, failure.reason)).collect();
    failed.sort();
    (matches.matched.iter().map(|key| key.0).collect(), failed)
}

fn table(expressions: &[String]) -> Table {
    let mut table = Table::new();
    for (number, text) in (0..).zip(expressions) {
        table.insert(RuleKey(number), &Expression::compile(text).unwrap(), None);
    }
    table
}

#[test]
fn what_needs_little_is_answered_whatever_others_need_and_wherever_it_stands() {
    for hogs in [1, 19, 30, 300, 3000] {
        for place in [0, hogs / 2, hogs] {
            let mut expressions: Vec<String> = (0..hogs).map(hog).collect();
            expressions.insert(place, MODEST.to_owned());
            let (matched, failed) = evaluate(&mut table(&expressions), &body(200));
            let modest = u32::try_from(place).unwrap();
            assert!(matched.contains(&modest), "{hogs} others, at {place}: {failed:?}");
            assert_eq!(matched.len() + failed.len(), hogs + 1, "everyone is answered or told");
        }
    }
}

#[test]
fn the_order_of_expressions_does_not_matter_when_steps_are_short() {
    // Some need half of what there is for one, some twice as much, some all.
    let mut expressions: Vec<String> = (0..60).map(hog).collect();
    expressions.extend((0..40).map(|number| format!("message.l.exists(x, x + {number} == 50)")));
    expressions.extend((0..40).map(|number| {
        format!("message.l.filter(a, a < 30).all(a, message.l.all(b, a + b >= {number} - 1000))")
    }));
    let answers = |expressions: &[String]| {
        let (matched, failed) = evaluate(&mut table(expressions), &body(150));
        let text = |number: u32| expressions.get(number as usize).unwrap().clone();
        let matched: BTreeSet<String> = matched.into_iter().map(text).collect();
        let failed: BTreeSet<(String, String)> =
            failed.into_iter().map(|(number, reason)| (text(number), reason)).collect();
        (matched, failed)
    };
    let told = answers(&expressions);
    assert!(!told.0.is_empty() && !told.1.is_empty());
    let mut state = 1_u32;
    for _ in 0..5 {
        for place in (1..expressions.len()).rev() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            expressions.swap(place, state as usize % (place + 1));
        }
        assert_eq!(answers(&expressions), told);
    }
}

#[test]
fn steps_that_the_modest_leave_over_go_to_those_who_need_more() {
    // Each of a hundred may take 20,000; this one takes about 50,000.
    let mut expressions: Vec<String> =
        (0..99).map(|number| format!("message.l.exists(x, x == {number} + 1)")).collect();
    expressions.push(hog(0));
    let (matched, failed) = evaluate(&mut table(&expressions), &body(100));
    assert_eq!((matched.len(), failed), (100, Vec::new()));
}

#[test]
fn what_many_share_is_paid_for_once() {
    // Alone each of ten thousand may take 200.
    let expressions: Vec<String> =
        (0..10_000).map(|number| format!("{} && (source + 'x' != '{number}' || true)", hog(0))).collect();
    let (matched, failed) = evaluate(&mut table(&expressions), &body(100));
    assert_eq!((matched.len(), failed.len()), (10_000, 0));
}

#[test]
fn who_takes_more_than_its_share_is_told_so() {
    let expressions: Vec<String> = (0..100).map(hog).collect();
    let (_, failed) = evaluate(&mut table(&expressions), &body(150));
    assert_eq!(failed.len(), 100);
    assert!(failed.iter().all(|(_, reason)| reason.contains("more than its share of 20000")), "{failed:?}");
    let (_, failed) = evaluate(&mut table(&[hog(1)]), &body(300));
    assert_eq!(failed, [(0, "the evaluation takes too many steps".to_owned())]);
}
