//! Whether any expression of a table looks at an event's header fields.

use anglerfish_filter::Expression;
use anglerfish_filter::table::{RuleKey, Table};

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
