//! What expressions see of an event beside its body: header fields, and extension attributes.

#![expect(clippy::panic, reason = "a test may fail loudly")]

use anglerfish_filter::Expression;
use anglerfish_filter::table::{EventInput, ExpressionView, Matches, RuleKey, Table};

#[test]
fn a_table_knows_whether_an_expression_looks_at_headers() {
    let mut table = Table::new();
    let mut with = |number: u32, text: &str| {
        let expression = Expression::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        table.insert(RuleKey(number), &expression, Some(&["shop"]));
        let reads = table.reads_headers();
        table.remove(RuleKey(number));
        assert!(!table.reads_headers(), "{text}: it was removed");
        reads
    };
    for text in
        ["true", "message.headers.x == 1", "event.type == \"headers\"", "[1].exists(headers, headers == 1)"]
    {
        assert!(!with(1, text), "{text}");
    }
    for text in [
        "headers.x == \"1\"",
        "headers[\"x-a\"] == \"1\"",
        "has(headers.x)",
        "size(headers) == 1",
        "headers.exists(name, name == \"x\")",
        "headers.?x.orValue(\"\") == \"\"",
        "\"x\" in headers",
        "message.n == 1 || headers[source] == \"1\"",
    ] {
        assert!(with(2, text), "{text}");
    }
}

fn compiled(text: &str) -> Expression {
    Expression::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What an expression says of an event with two extension attributes, in a table and outside of one.
fn extended(text: &str) -> bool {
    let expression = compiled(text);
    let extensions = [("fleet", "north"), ("partitionkey", "7")];
    let input = EventInput { id: "1", source: "shop", extensions: &extensions, ..EventInput::default() };
    let mut table = Table::new();
    table.insert(RuleKey(0), &expression, None);
    let mut matches = Matches::default();
    table.evaluate(&input, Some(b"{}"), &mut matches);
    let alone =
        ExpressionView::new(&expression, &input, Some(b"{}")).with(|facts| expression.evaluate(facts));
    assert_eq!(alone.unwrap_or(false), !matches.matched.is_empty(), "{text}");
    !matches.matched.is_empty()
}

#[test]
fn extension_attributes_are_a_map_of_texts_that_is_always_there() {
    for text in [
        "event.extensions.fleet == \"north\"",
        "event.extensions[\"partitionkey\"].startsWith(\"7\")",
        "has(event.extensions.fleet) && !has(event.extensions.other)",
        "event.extensions.?other.orValue(\"none\") == \"none\"",
        "size(event.extensions) == 2 && \"fleet\" in event.extensions",
        "event.extensions == {\"fleet\": \"north\", \"partitionkey\": \"7\"}",
        "event.exists(name, name == \"extensions\")",
    ] {
        assert!(extended(text), "{text}");
    }
    for text in ["event.extensions.fleet == \"south\"", "event.extensions.other == \"\""] {
        assert!(!extended(text), "{text}");
    }
    let error = Expression::compile("event.extensions.fleet == 7").unwrap_err().to_string();
    assert!(error.contains("string"), "{error}");
}
