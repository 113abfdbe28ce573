//! Random expressions.

use crate::ir::Comparison;
use crate::value::Value;
use crate::{Environment, Expression, Limits, Shape};
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Debug, Clone)]
pub(super) enum E {
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

pub(super) type Lit = Value<'static>;

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

pub(super) const TEXTS: &[&str] =
    &["", "a", "ab", "abc", "abcd", "abcde", "bcde", "xabcde", "1", "é", "true"];

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

pub(super) fn expression() -> impl Strategy<Value = E> {
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
impl E {
    pub(super) fn text(&self) -> String {
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

    pub(super) fn compile(&self) -> Expression {
        compile(&self.text())
    }
}

/// Without checks, so that expressions confuse types as much as events do.
pub(super) fn compile(text: &str) -> Expression {
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
