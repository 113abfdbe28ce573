//! What expressions mean.

use super::event::Event;
use super::expression::{E, Lit, compile};
use crate::fact::Bindings;
use crate::index::Truth;
use crate::ir::{Comparison, Root};
use crate::json::materialise;
use crate::value::{Key, Map, Text, Timestamp, Value, number};
use crate::{Expression, Failure};
use serde_json::Value as Json;

/// CEL's meaning of an expression, written as simply as can be.
pub(super) struct Oracle<'e> {
    roots: Json,
    event: &'e Event,
}

impl<'e> Oracle<'e> {
    pub(super) fn new(event: &'e Event) -> Self {
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

    fn compare(left: &Lit, relation: Comparison, right: &Lit) -> Truth {
        let order = match (left.number(), right.number()) {
            (Some(left), Some(right)) => number::order(left, right),
            _ => match (left, right) {
                (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
                (Value::String(left), Value::String(right)) => Some((**left).cmp(&**right)),
                _ => return Truth::Error,
            },
        };
        Truth::from(match relation {
            Comparison::Less => order.is_some_and(|order| order.is_lt()),
            Comparison::LessOrEqual => order.is_some_and(|order| order.is_le()),
            Comparison::Greater => order.is_some_and(|order| order.is_gt()),
            Comparison::GreaterOrEqual => order.is_some_and(|order| order.is_ge()),
            _ => unreachable!(),
        })
    }

    pub(super) fn truth(&self, expression: &E) -> Truth {
        match expression {
            E::Compare(path, relation, literal, swapped) => {
                let Some(value) = self.value(path) else { return Truth::Error };
                match relation {
                    Comparison::Equal => Self::equal(value.as_ref(), literal).into(),
                    Comparison::NotEqual => (!Self::equal(value.as_ref(), literal)).into(),
                    _ => match value {
                        None => Truth::Error,
                        Some(value) if *swapped => Self::compare(literal, *relation, &value),
                        Some(value) => Self::compare(&value, *relation, literal),
                    },
                }
            }
            E::In(path, list) => match self.value(path) {
                None => Truth::Error,
                Some(value) => list.iter().any(|literal| Self::equal(value.as_ref(), literal)).into(),
            },
            E::Part(path, function, part) => match self.value(path) {
                Some(Some(Value::String(text))) => Truth::from(match *function {
                    "startsWith" => text.starts_with(part),
                    "endsWith" => text.ends_with(part),
                    _ => text.contains(part),
                }),
                _ => Truth::Error,
            },
            E::Has(path) => match self.json(&path[..path.len() - 1]) {
                Some(Json::Object(_)) => self.json(path).is_some().into(),
                _ => Truth::Error,
            },
            E::Truth(path) => match self.value(path) {
                Some(Some(Value::Bool(value))) => value.into(),
                _ => Truth::Error,
            },
            E::Constant(value) => (*value).into(),
            E::Other(text) => self.plain(&compile(text)),
            E::Not(inner) => self.truth(inner).not(),
            E::And(parts) => {
                Self::junction(parts.iter().map(|part| self.truth(part)).collect(), Truth::False)
            }
            E::Or(parts) => Self::junction(parts.iter().map(|part| self.truth(part)).collect(), Truth::True),
            E::If(parts) => match self.truth(&parts[0]) {
                Truth::True => self.truth(&parts[1]),
                Truth::False => self.truth(&parts[2]),
                Truth::Error => Truth::Error,
            },
        }
    }

    /// The evaluator's answer with every value at hand.
    pub(super) fn plain(&self, expression: &Expression) -> Truth {
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
        let facts = Bindings::new(expression.paths(), variables);
        match expression.evaluate(&facts) {
            Ok(answer) => answer.into(),
            Err(error) if error.failure == Failure::Exhausted => panic!("too few steps for a comparison"),
            Err(_) => Truth::Error,
        }
    }

    fn junction(answers: Vec<Truth>, decisive: Truth) -> Truth {
        if answers.contains(&decisive) {
            decisive
        } else if answers.contains(&Truth::Error) {
            Truth::Error
        } else {
            decisive.not()
        }
    }
}
