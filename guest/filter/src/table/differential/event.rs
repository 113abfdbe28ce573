//! Random events.

use super::expression::TEXTS;
use crate::Expression;
use crate::index::Truth;
use crate::table::{EventInput, ExpressionView, Matches, Supply, Table};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value as Json;
use std::fmt::Write as _;

/// An event: the message as JSON text, and texts for the attributes.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) body: Option<String>,
    pub(super) attributes: [Option<&'static str>; 4],
}

fn json() -> impl Strategy<Value = String> {
    let number = select(vec![
        "0",
        "-0",
        "1",
        "2",
        "3",
        "-1",
        "5",
        "9",
        "1.0",
        "2.5",
        "-1.5",
        "1e300",
        "9223372036854775807",
        "9223372036854775806",
        "9223372036854775808",
        "9223372036854775809",
        "9223372036854775808.0",
        "-9223372036854775809",
        "-9223372036854775808.0",
        "18446744073709551614",
        "18446744073709551616.0",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "9007199254740993",
        "9007199254740992.0",
        "0.0",
        "-0.0",
    ]);
    let leaf = prop_oneof![
        number.prop_map(str::to_owned),
        select(TEXTS).prop_map(|text| Json::from(text).to_string()),
        Just(r#""\u0061bcd""#.to_owned()),
        select(vec!["true", "false", "null", "[]", "{}"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let entry = (select(vec!["a", "b", "c", "d", "\\u0061"]), inner.clone());
        prop_oneof![
            5 => proptest::collection::vec(entry, 0..5).prop_map(|entries| {
                let mut text = String::from("{");
                for (at, (key, value)) in entries.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(text, "{comma}\"{key}\": {value}").unwrap();
                }
                text + "}"
            }),
            1 => proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    })
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let text = || proptest::option::weighted(0.7, select(TEXTS));
    (proptest::option::weighted(0.95, json()), [text(), text(), text(), text()])
        .prop_map(|(body, attributes)| Event { body, attributes })
}

impl Event {
    fn with<R>(&self, run: impl FnOnce(&EventInput<'_>, Option<&[u8]>) -> R) -> R {
        let [kind, subject, header, _] = self.attributes;
        let headers: Vec<_> = header.iter().map(|value| ("x_a", *value)).collect();
        let input = EventInput {
            kind: kind.unwrap_or("none"),
            subject,
            headers: &headers,
            source: self.source(),
            time: 1000,
            now: 1000,
            ..EventInput::default()
        };
        run(&input, self.body.as_ref().map(String::as_bytes))
    }

    pub(super) fn source(&self) -> &'static str {
        self.attributes[3].unwrap_or("none")
    }

    pub(super) fn evaluate(&self, table: &mut Table) -> Matches {
        self.evaluate_with(table, &mut |_| None)
    }

    pub(super) fn evaluate_with(&self, table: &mut Table, supply: Supply<'_>) -> Matches {
        let mut matches = Matches::default();
        self.with(|input, body| table.read(body).evaluate_with(input, &mut matches, supply));
        matches.matched.sort_unstable();
        let twice = matches.matched.windows(2).any(|pair| pair[0] == pair[1]);
        assert!(!twice, "a match is told twice: {matches:?}");
        matches
    }

    /// The answer to one expression outside of a table.
    pub(super) fn sighted(&self, expression: &Expression) -> Truth {
        self.with(|input, body| {
            let answer =
                ExpressionView::new(expression, input, body).with(|facts| expression.evaluate(facts));
            answer.map_or(Truth::Error, Truth::from)
        })
    }
}
