//! The index against plain evaluation, on random expressions and events.

use super::{EventInput, Matches, RuleKey, Sight, Table};
use crate::fact::Bindings;
use crate::index::Tri;
use crate::ir::{Comparison, Root};
use crate::json::materialise;
use crate::value::{Key, Map, Text, Timestamp, Value, number};
use crate::{Environment, Expression, Failure, Limits, Shape};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value as Json;
use std::fmt::Write as _;

#[derive(Debug, Clone)]
enum E {
    Compare(&'static [&'static str], Comparison, Lit, bool),
    In(&'static [&'static str], Vec<Lit>),
    Part(&'static [&'static str], &'static str, &'static str),
    Has(&'static [&'static str]),
    Truth(&'static [&'static str]),
    Constant(bool),
    /// What only the evaluator knows the meaning of.
    Other(String),
    Not(Box<E>),
    And(Vec<E>),
    Or(Vec<E>),
    If(Box<[E; 3]>),
}

type Lit = Value<'static>;

const PATHS: &[&[&str]] = &[
    &["message", "a"],
    &["message", "b"],
    &["message", "a", "b"],
    &["message", "a", "a"],
    &["message", "c", "a", "b"],
    &["message"],
    &["event", "type"],
    &["event", "subject"],
    &["headers", "x_a"],
    &["source"],
];

const TEXTS: &[&str] = &["", "a", "ab", "abc", "abcd", "abcde", "bcde", "xabcde", "1", "é", "true"];

fn numbers() -> Vec<Lit> {
    let mut all: Vec<Lit> = (-3..10).map(Value::Int).collect();
    all.extend((0..6).map(Value::Uint));
    all.extend([0.0, -0.0, 1.0, 2.5, -1.5, 1e300, 9.223_372_036_854_776e18].map(Value::Double));
    all.extend([Value::Int(i64::MAX), Value::Int(i64::MIN), Value::Uint(u64::MAX), Value::Uint(1 << 63)]);
    all.extend([Value::Int(i64::MAX - 1), Value::Uint(u64::MAX - 1), Value::Uint((1 << 63) + 1)]);
    all.extend([18_446_744_073_709_551_616.0, -9_223_372_036_854_775_808.0].map(Value::Double));
    all.extend([Value::Int((1 << 53) + 1), Value::Double(9_007_199_254_740_992.0)]);
    all
}

fn literal() -> impl Strategy<Value = Lit> {
    prop_oneof![
        6 => select(numbers()),
        6 => select(TEXTS).prop_map(Value::str),
        2 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ]
}

fn path() -> impl Strategy<Value = &'static [&'static str]> {
    select(PATHS)
}

fn relation() -> impl Strategy<Value = Comparison> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    select(vec![Equal, Equal, Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual])
}

fn expression() -> impl Strategy<Value = E> {
    let part = (path(), select(vec!["startsWith", "endsWith", "contains"]), select(TEXTS));
    let leaf = prop_oneof![
        8 => (path(), relation(), literal(), any::<bool>()).prop_map(|(path, relation, lit, side)| {
            E::Compare(path, relation, lit, side)
        }),
        2 => (path(), proptest::collection::vec(literal(), 0..4)).prop_map(|(path, list)| E::In(path, list)),
        3 => part.prop_map(|(path, function, text)| E::Part(path, function, text)),
        2 => select(&PATHS[..5]).prop_map(E::Has),
        1 => path().prop_map(E::Truth),
        1 => any::<bool>().prop_map(E::Constant),
        6 => other().prop_map(E::Other),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|inner| E::Not(Box::new(inner))),
            4 => proptest::collection::vec(inner.clone(), 2..5).prop_map(E::And),
            2 => proptest::collection::vec(inner.clone(), 2..4).prop_map(E::Or),
            1 => [inner.clone(), inner.clone(), inner].prop_map(|parts| E::If(Box::new(parts))),
        ]
    })
}

/// Everything else that CEL has, over the same paths.
fn other() -> impl Strategy<Value = String> {
    const FORMS: &[&str] = &[
        "L in P",
        "L in P",
        "P.exists(v, v == L)",
        "P.exists(v, v.a == L)",
        "P.exists(v, v.a == L && v.b != M)",
        "P.exists(v, v > L && v < M)",
        "P.exists(v, v.startsWith(T) || v == L)",
        "P.exists(v, v.b.exists(w, w == L))",
        "P.exists(v, v in [L, M])",
        "P.exists(v, P2 == L && v == M)",
        "P.exists(v, has(v.a) && !(v.a == L))",
        "P.exists(v, L in v)",
        "P.exists(i, v, i == L || v == M)",
        "P.exists_one(v, v == L)",
        "P.all(v, v == L)",
        "P.filter(v, v == L).size() > 0",
        "P.map(v, v == L) == [true]",
        "P + 1 > L",
        "P + T == L",
        "P * 3 - 1 >= P2",
        "P % 2 == 1",
        "P / P2 + 1 <= L",
        "size(P) - 1 == P2",
        "P2 - P == L",
        "-P == L",
        "size(P) > 1",
        "P.matches('^a.*[b-d]$')",
        "P[0] == L",
        "P[0].a == L",
        "P == P2",
        "P < P2",
        "P == [L, M]",
        "P == {'a': L}",
        "P.?a.orValue(L) == M",
        "P.?b.hasValue()",
        "P[?'a'] == optional.of(L)",
        "type(P) == type(L)",
        "[P, L].exists(v, v == M)",
        "has(P.a) ? P.a == L : P2 == M",
        "P == L ? P2 : M",
        "event.time > timestamp('1970-01-01T00:00:00Z')",
        "now == timestamp('1970-01-01T00:00:01Z')",
        "headers.exists(h, h == 'x_a')",
        "'x_a' in headers",
        "'subject' in event",
        "size(headers) == 1",
        "string(P) == T",
        "P.a",
        "L",
    ];
    (select(FORMS), path(), path(), literal(), literal(), select(TEXTS)).prop_map(
        |(form, path, path2, lit, lit2, text)| {
            let form = form.replace("P2", &path2.join(".")).replace('P', &path.join("."));
            // Letters of what is put in are not placeholders.
            let put = [("L", written(&lit)), ("M", written(&lit2)), ("T", format!("{text:?}"))];
            let mut out = String::new();
            for character in form.chars() {
                match put.iter().find(|(name, _)| name.starts_with(character)) {
                    // The times in a form have letters of their own.
                    Some(_) if form.contains("timestamp") => out.push(character),
                    Some((_, value)) => out.push_str(value),
                    None => out.push(character),
                }
            }
            out
        },
    )
}

/// An event: the message as JSON text, and texts for the attributes.
#[derive(Debug, Clone)]
struct Event {
    body: Option<String>,
    attributes: [Option<&'static str>; 4],
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

fn event() -> impl Strategy<Value = Event> {
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

    fn source(&self) -> &'static str {
        self.attributes[3].unwrap_or("none")
    }

    fn evaluate(&self, table: &mut Table) -> Matches {
        let mut matches = Matches::default();
        self.with(|input, body| table.evaluate(input, body, &mut matches));
        matches.matched.sort_unstable();
        let twice = matches.matched.windows(2).any(|pair| pair[0] == pair[1]);
        assert!(!twice, "a match is told twice: {matches:?}");
        matches
    }

    /// The answer to one expression outside of a table.
    fn sighted(&self, expression: &Expression) -> Tri {
        self.with(|input, body| {
            let answer =
                Sight::new(expression.program(), input, body).with(|facts| expression.evaluate(facts));
            answer.map_or(Tri::Error, Tri::from)
        })
    }
}

impl E {
    fn text(&self) -> String {
        let list = |parts: &[E], operator: &str| {
            let parts: Vec<String> = parts.iter().map(E::text).collect();
            format!("({})", parts.join(operator))
        };
        match self {
            E::Compare(path, relation, literal, swapped) => {
                let sign = match relation {
                    Comparison::Equal => "==",
                    Comparison::NotEqual => "!=",
                    Comparison::Less => "<",
                    Comparison::LessOrEqual => "<=",
                    Comparison::Greater => ">",
                    Comparison::GreaterOrEqual => ">=",
                };
                let (path, literal) = (path.join("."), written(literal));
                if *swapped { format!("{literal} {sign} {path}") } else { format!("{path} {sign} {literal}") }
            }
            E::In(path, all) => {
                let all: Vec<String> = all.iter().map(written).collect();
                format!("{} in [{}]", path.join("."), all.join(", "))
            }
            E::Part(path, function, part) => format!("{}.{function}({part:?})", path.join(".")),
            E::Has(path) => format!("has({})", path.join(".")),
            E::Truth(path) => path.join("."),
            E::Constant(value) => value.to_string(),
            E::Other(text) => format!("({text})"),
            E::Not(inner) => format!("!({})", inner.text()),
            E::And(parts) => list(parts, " && "),
            E::Or(parts) => list(parts, " || "),
            E::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                format!("({} ? {} : {})", condition.text(), then.text(), otherwise.text())
            }
        }
    }

    fn compile(&self) -> Expression {
        compile(&self.text())
    }
}

/// Without checks, so that expressions confuse types as much as events do.
fn compile(text: &str) -> Expression {
    let mut environment = Environment::new("", false, Limits::FILTER);
    for name in ["message", "event", "headers", "source", "now"] {
        environment.declare(name, Shape::Any);
    }
    Expression::compile_in(&environment, text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn written(literal: &Lit) -> String {
    match literal {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => format!("{value}u"),
        Value::Double(value) => format!("{value:?}"),
        Value::String(text) => format!("{:?}", &**text),
        other => panic!("{other:?}"),
    }
}

/// CEL's meaning of an expression, written as simply as can be.
struct Oracle<'e> {
    roots: Json,
    event: &'e Event,
}

impl<'e> Oracle<'e> {
    fn new(event: &'e Event) -> Self {
        let [kind, subject, header, source] = event.attributes;
        let mut roots = serde_json::Map::new();
        if let Some(body) = &event.body {
            roots.insert("message".into(), serde_json::from_str(body).unwrap());
        }
        let mut attributes = serde_json::json!({"id": "", "type": kind.unwrap_or("none")});
        if let Some(subject) = subject {
            attributes["subject"] = subject.into();
        }
        roots.insert("event".into(), attributes);
        let headers = header.map_or(serde_json::json!({}), |value| serde_json::json!({"x_a": value}));
        roots.insert("headers".into(), headers);
        roots.insert("source".into(), source.unwrap_or("none").into());
        Self { roots: Json::Object(roots), event }
    }

    fn json(&self, path: &[&str]) -> Option<&Json> {
        path.iter().try_fold(&self.roots, |value, key| value.get(key))
    }

    /// `None` if it is not there or unreadable; `Some(None)` for a container.
    fn value(&self, path: &[&str]) -> Option<Option<Lit>> {
        Some(match self.json(path)? {
            Json::Null => Some(Value::Null),
            Json::Bool(value) => Some(Value::Bool(*value)),
            Json::String(text) => Some(Value::string(text.as_str())),
            Json::Number(number) => Some(
                number.as_i64().map(Value::Int).or(number.as_u64().map(Value::Uint)).unwrap_or_else(|| {
                    let double = number.as_f64().unwrap();
                    // serde_json reads -0 as a double.
                    if number.to_string() == "-0" { Value::Int(0) } else { Value::Double(double) }
                }),
            ),
            Json::Array(_) | Json::Object(_) => None,
        })
    }

    fn equal(left: Option<&Lit>, right: &Lit) -> bool {
        let Some(left) = left else { return false };
        match (left.number(), right.number()) {
            (Some(left), Some(right)) => number::equal(left, right),
            (None, None) => match (left, right) {
                (Value::Null, Value::Null) => true,
                (Value::Bool(left), Value::Bool(right)) => left == right,
                _ => left.as_str().is_some() && left.as_str() == right.as_str(),
            },
            _ => false,
        }
    }

    fn compare(left: &Lit, relation: Comparison, right: &Lit) -> Tri {
        let order = match (left.number(), right.number()) {
            (Some(left), Some(right)) => number::order(left, right),
            _ => match (left, right) {
                (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
                (Value::String(left), Value::String(right)) => Some((**left).cmp(&**right)),
                _ => return Tri::Error,
            },
        };
        Tri::from(match relation {
            Comparison::Less => order.is_some_and(|order| order.is_lt()),
            Comparison::LessOrEqual => order.is_some_and(|order| order.is_le()),
            Comparison::Greater => order.is_some_and(|order| order.is_gt()),
            Comparison::GreaterOrEqual => order.is_some_and(|order| order.is_ge()),
            _ => unreachable!(),
        })
    }

    fn tri(&self, expression: &E) -> Tri {
        match expression {
            E::Compare(path, relation, literal, swapped) => {
                let Some(value) = self.value(path) else { return Tri::Error };
                match relation {
                    Comparison::Equal => Self::equal(value.as_ref(), literal).into(),
                    Comparison::NotEqual => (!Self::equal(value.as_ref(), literal)).into(),
                    _ => match value {
                        None => Tri::Error,
                        Some(value) if *swapped => Self::compare(literal, *relation, &value),
                        Some(value) => Self::compare(&value, *relation, literal),
                    },
                }
            }
            E::In(path, list) => match self.value(path) {
                None => Tri::Error,
                Some(value) => list.iter().any(|literal| Self::equal(value.as_ref(), literal)).into(),
            },
            E::Part(path, function, part) => match self.value(path) {
                Some(Some(Value::String(text))) => Tri::from(match *function {
                    "startsWith" => text.starts_with(part),
                    "endsWith" => text.ends_with(part),
                    _ => text.contains(part),
                }),
                _ => Tri::Error,
            },
            E::Has(path) => match self.json(&path[..path.len() - 1]) {
                Some(Json::Object(_)) => self.json(path).is_some().into(),
                _ => Tri::Error,
            },
            E::Truth(path) => match self.value(path) {
                Some(Some(Value::Bool(value))) => value.into(),
                _ => Tri::Error,
            },
            E::Constant(value) => (*value).into(),
            E::Other(text) => self.plain(&compile(text)),
            E::Not(inner) => self.tri(inner).not(),
            E::And(parts) => Self::junction(parts.iter().map(|part| self.tri(part)).collect(), Tri::False),
            E::Or(parts) => Self::junction(parts.iter().map(|part| self.tri(part)).collect(), Tri::True),
            E::If(parts) => match self.tri(&parts[0]) {
                Tri::True => self.tri(&parts[1]),
                Tri::False => self.tri(&parts[2]),
                Tri::Error => Tri::Error,
            },
        }
    }

    /// The evaluator's answer with every value at hand.
    fn plain(&self, expression: &Expression) -> Tri {
        let [kind, subject, header, source] = self.event.attributes;
        let map = |entries: Vec<(&'static str, Lit)>| {
            Value::Map(Map::with_last(
                entries.into_iter().map(|(name, value)| (Key::String(Text::Borrowed(name)), value)).collect(),
            ))
        };
        let time = Value::Timestamp(Timestamp::from_millis(1000).unwrap());
        let mut attributes = vec![
            ("id", Value::str("")),
            ("source", Value::str(source.unwrap_or("none"))),
            ("type", Value::str(kind.unwrap_or("none"))),
            ("time", time.clone()),
        ];
        attributes.extend(subject.map(|subject| ("subject", Value::str(subject))));
        let mut variables = vec![
            (Root::EVENT, map(attributes)),
            (Root::HEADERS, map(header.into_iter().map(|value| ("x_a", Value::str(value))).collect())),
            (Root::SOURCE, Value::str(source.unwrap_or("none"))),
            (Root::NOW, time),
        ];
        if let Some(body) = &self.event.body {
            variables.push((Root::MESSAGE, materialise(body).unwrap()));
        }
        let facts = Bindings::new(expression.program().paths(), variables);
        match expression.evaluate(&facts) {
            Ok(answer) => answer.into(),
            Err(error) if error.failure == Failure::Exhausted => panic!("too few steps for a comparison"),
            Err(_) => Tri::Error,
        }
    }

    fn junction(answers: Vec<Tri>, decisive: Tri) -> Tri {
        if answers.contains(&decisive) {
            decisive
        } else if answers.contains(&Tri::Error) {
            Tri::Error
        } else {
            decisive.not()
        }
    }
}

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
            let mut answers: Vec<Tri> = expressions.iter().map(|(expression, _)| oracle.tri(expression)).collect();
            for ((expression, sources), answer) in expressions.iter().zip(&mut answers) {
                let compiled = expression.compile();
                prop_assert_eq!(oracle.plain(&compiled), *answer, "{}", expression.text());
                prop_assert_eq!(event.sighted(&compiled), *answer, "{}", expression.text());
                if sources.as_ref().is_some_and(|sources| !sources.contains(&event.source())) {
                    *answer = Tri::False;
                }
            }
            let of = |tri: Tri| (0..answers.len()).filter(|at| answers[*at] == tri).map(key).collect::<Vec<_>>();
            let by_scan = event.evaluate(&mut scanned);
            prop_assert_eq!(&by_scan.matched, &of(Tri::True), "by scanning");
            let mut failed: Vec<_> = by_scan.failed.iter().map(|failure| failure.key).collect();
            failed.sort_unstable();
            prop_assert_eq!(&failed, &of(Tri::Error), "failures by scanning");
            let by_index = event.evaluate(&mut indexed);
            prop_assert_eq!(&by_index.matched, &of(Tri::True), "by index");
            for failure in &by_index.failed {
                prop_assert_eq!(answers[failure.key.0 as usize], Tri::Error);
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
