//! Random expressions over random events: this evaluator and the `cel` crate's agree.
//!
//! Known differences, which the generator leaves out:
//! - ints and doubles compare exactly here, after rounding to a double there: integers stay below 2^53 where they can meet a double;
//! - `.?field` of something that is neither a map nor an optional is an error here, `optional.none()` there;
//! - `orValue` does not look at its argument here if it needs it not, as in the reference implementation;
//! - null, a list or a map is just not among a map's keys here, as in the reference implementation, and an error there;
//! - the crate numbers JSON integers as uints, so the event is built from ints by hand.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use anglerfish_filter::{Environment, Expression, Limits, Shape};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::sync::{Arc, LazyLock};

static ORACLE: LazyLock<Arc<cel::Env>> = LazyLock::new(|| Arc::new(cel::Env::stdlib()));

/// What a filter can come to.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Truth {
    True,
    False,
    Error,
}

fn oracle_value(json: &Json) -> cel::Value {
    match json {
        Json::Number(number) => match number.as_i64() {
            Some(int) => cel::Value::Int(int),
            None => cel::Value::Float(number.as_f64().unwrap()),
        },
        Json::Null => cel::Value::Null,
        Json::Bool(bool) => cel::Value::Bool(*bool),
        Json::String(text) => cel::Value::String(Arc::new(text.clone())),
        Json::Array(elements) => cel::Value::List(Arc::new(elements.iter().map(oracle_value).collect())),
        Json::Object(fields) => {
            let entries = fields.iter().map(|(name, field)| {
                (cel::objects::Key::String(Arc::new(name.clone())), oracle_value(field))
            });
            cel::Value::Map(cel::objects::Map { map: Arc::new(entries.collect()) })
        }
    }
}

/// The crate's verdict; nothing, if it cannot parse the expression.
fn oracle(text: &str, body: &Json) -> Option<Truth> {
    let program = ORACLE.compile(text).ok()?;
    let mut context = cel::Context::with_env(Arc::clone(&ORACLE));
    context.add_variable_from_value("message", oracle_value(body));
    Some(match program.execute(&context) {
        Ok(cel::Value::Bool(true)) => Truth::True,
        Ok(cel::Value::Bool(false)) => Truth::False,
        _ => Truth::Error,
    })
}

fn ours(text: &str, body: &Json) -> Result<Truth, String> {
    let mut environment = Environment::new("", false, Limits { length: 1 << 15, ..Limits::FILTER });
    environment.declare("message", Shape::Any).unwrap();
    let expression = Expression::compile_in(&environment, text).map_err(|error| error.to_string())?;
    let facts = support::event(expression.paths(), body);
    Ok(match expression.evaluate(&facts) {
        Ok(true) => Truth::True,
        Ok(false) => Truth::False,
        Err(_) => Truth::Error,
    })
}

fn names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "n", "s", "list", "map", "nope"])
}

fn texts() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "a",
        "b",
        "order.created",
        "order.",
        "Grüße",
        "1",
        "\u{1f600}x",
        "z\"'\\",
        "A",
    ])
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3_i64..4).prop_map(Json::from),
        prop::sample::select(vec![1_i64 << 52, -(1 << 52), i64::from(i32::MAX)]).prop_map(Json::from),
        prop::sample::select(vec![0.5, -0.5, 1.0, 2.0, -0.0, 1e10]).prop_map(Json::from),
        texts().prop_map(Json::from),
    ]
}

fn bodies() -> impl Strategy<Value = Json> {
    let json = scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(names().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| json!(map)),
        ]
    });
    prop::collection::btree_map(names().prop_map(str::to_owned), json, 0..6).prop_map(|map| json!(map))
}

/// A string literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        (-3_i64..4).prop_map(|int| int.to_string()),
        (0_u64..4).prop_map(|uint| format!("{uint}u")),
        prop::sample::select(vec![
            "0.5",
            "1.0",
            "2.0",
            "-0.0",
            "1e10",
            "4503599627370496",
            "null",
            "true",
            "false"
        ])
        .prop_map(str::to_owned),
        texts().prop_map(quoted),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            6 => names().prop_map(|name| format!(".{name}")),
            1 => names().prop_map(|name| format!("['{name}']")),
            1 => (0..3).prop_map(|at| format!("[{at}]")),
        ],
        1..4,
    )
    .prop_map(|steps| format!("message{}", steps.concat()))
}

/// An expression of any type.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![3 => literal(), 5 => path(), 1 => Just("x".to_owned())];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"]);
        let junction = prop::sample::select(vec!["&&", "||"]);
        let method = prop::sample::select(vec!["startsWith", "endsWith", "contains"]);
        let fold = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
        let convert = prop::sample::select(vec!["size", "int", "uint", "double", "string", "type", "dyn", "bool"]);
        prop_oneof![
            6 => (inner.clone(), operator, inner.clone()).prop_map(|(left, op, right)| format!("({left} {op} {right})")),
            6 => (inner.clone(), junction, inner.clone()).prop_map(|(left, op, right)| format!("({left} {op} {right})")),
            2 => (literal(), inner.clone())
                .prop_filter("null among a map's keys", |(item, _)| item != "null")
                .prop_map(|(item, container)| format!("({item} in {container})")),
            2 => inner.clone().prop_map(|operand| format!("!({operand})")),
            1 => inner.clone().prop_map(|operand| format!("-({operand})")),
            2 => path().prop_map(|path| if path.ends_with(']') { path } else { format!("has({path})") }),
            2 => (inner.clone(), method, inner.clone()).prop_map(|(left, name, right)| format!("({left}).{name}({right})")),
            2 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            2 => (inner.clone(), fold, inner.clone()).prop_map(|(list, name, body)| format!("({list}).{name}(x, {body})")),
            1 => (convert, inner.clone()).prop_map(|(name, operand)| format!("{name}({operand})")),
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(|elements| format!("[{}]", elements.join(", "))),
            1 => (names(), literal()).prop_map(|(name, right)| format!("message.?{name}.orValue({right})")),
            1 => (texts(), inner.clone()).prop_map(|(key, value)| format!("{{{}: {value}}}", quoted(key))),
            1 => (inner.clone(), inner).prop_map(|(target, index)| format!("({target})[{index}]")),
        ]
    })
}

/// Mostly a bool at the top.
fn filter() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    prop_oneof![
        4 => (expression(), operator, expression()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
        1 => expression(),
    ]
}

/// A few thousand cases in a second or two; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(3000), failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn agrees_with_the_cel_crate(text in filter(), body in bodies()) {
        let Some(expected) = oracle(&text, &body) else { return Ok(()) };
        match ours(&text, &body) {
            Ok(found) => prop_assert_eq!(found, expected, "{} for {}", text, body),
            Err(refused) if refused.contains("levels deep") => {}
            Err(refused) => panic!("{text}: {refused}"),
        }
    }

    #[test]
    fn what_stands_around_a_junction_does_not_matter(
        left in filter(), right in filter(), body in bodies()
    ) {
        for operator in ["&&", "||"] {
            let one = ours(&format!("({left}) {operator} ({right})"), &body);
            let other = ours(&format!("({right}) {operator} ({left})"), &body);
            prop_assert_eq!(one, other);
        }
    }
}
