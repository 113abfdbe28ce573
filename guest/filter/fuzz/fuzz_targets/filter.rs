//! No text makes the compiler, the evaluator or the explanation panic, overflow the stack or run long.
#![no_main]

use anglerfish_filter::ir::Root;
use anglerfish_filter::value::{Key, Map, Timestamp, Value};
use anglerfish_filter::{Expression, fact::Bindings};
use libfuzzer_sys::fuzz_target;

fn body() -> Value<'static> {
    let entry = |name: &'static str, value| Key::new(Value::str(name)).map(|key| (key, value));
    let list = (0..40).map(Value::Int).collect();
    let entries = [
        entry("a", Value::Int(3)),
        entry("b", Value::str("Grüße")),
        entry("c", Value::Double(-0.5)),
        entry("l", Value::list(list)),
        entry("n", Value::Null),
    ];
    Value::Map(Map::with_last(entries.into_iter().flatten().collect()))
}

fuzz_target!(|text: &str| {
    let Ok(expression) = Expression::compile(text) else { return };
    let now = Timestamp::new(1_767_323_045, 0).map_or(Value::Null, Value::Timestamp);
    let event = Value::Map(Map::with_last(Vec::new()));
    let variables = vec![
        (Root::MESSAGE, body()),
        (Root::EVENT, event.clone()),
        (Root::HEADERS, event),
        (Root::SOURCE, Value::str("shop")),
        (Root::NOW, now),
    ];
    let facts = Bindings::new(expression.paths(), variables);
    let verdict = expression.evaluate(&facts);
    let explanation = expression.explain(&facts);
    assert!(explanation.to_string().chars().count() <= 401);
    assert_eq!(verdict == Ok(true), explanation.verdict == anglerfish_filter::explain::Verdict::Matched);
});
