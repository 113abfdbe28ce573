//! Which filters an index helps.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use anglerfish_filter::Expression;
use anglerfish_filter::table::{Class, RuleKey, Table};

fn class(filter: &str) -> Class {
    let mut table = Table::new();
    table.insert(RuleKey(1), &Expression::compile(filter).unwrap(), None);
    table.class(RuleKey(1)).unwrap()
}

#[test]
fn a_condition_that_few_events_meet_is_named() {
    let conditions = |list: &[&str]| Class::Indexed(list.iter().map(ToString::to_string).collect());
    assert_eq!(class("event.type == 'a' && message.q > 0"), conditions(&[r#"event.type == "a""#]));
    assert_eq!(
        class("event.type == 'a' || source in ['b', 'c']"),
        conditions(&[r#"event.type == "a""#, r#"source == "b""#, r#"source == "c""#])
    );
    assert_eq!(class("size(message.items) > 3"), conditions(&["message.items is there"]));
}

#[test]
fn what_every_event_has_is_no_help() {
    for filter in [
        "true",
        "!has(message.a)",
        "now > timestamp('2020-01-01T00:00:00Z')",
        "event.type != 'a'",
        "size(message.items) > 3 || size(source) > 3",
        "size(headers) > 3 && !('x' in headers)",
        "now - event.time < duration('1h')",
    ] {
        assert_eq!(class(filter), Class::Scanned, "{filter}");
    }
}

#[test]
fn what_cannot_be_true_is_told() {
    assert_eq!(class("false && message.a == 1"), Class::Never);
}
