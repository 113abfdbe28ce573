//! Reading places in the log.

use crate::config::StartPoint;
use crate::node::Node;
use crate::request::UnixMillis;
use serde_json::Value;

/// What can be written for it.
const FORMS: &str =
    "write \"now\", \"earliest\", a position such as 1200, or a time such as \"2026-01-31T12:00:00Z\"";

/// `"now"`, `"earliest"`, a position from 1 on, or a time (RFC 3339).
pub fn start(node: &Node<'_>) -> Option<StartPoint> {
    match node.value() {
        Value::Number(_) => node.integer(1..=i64::MAX.cast_unsigned()).map(StartPoint::Position),
        Value::String(text) => {
            let point = match text.as_str() {
                "now" => Some(StartPoint::Now),
                "earliest" => Some(StartPoint::Earliest),
                text => UnixMillis::from_rfc3339(text).map(StartPoint::Time),
            };
            if point.is_none() {
                node.report_with_hint("not a place in the log", FORMS);
            }
            point
        }
        _ => {
            node.report_with_hint("expected a place in the log", FORMS);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Problems;
    use serde_json::json;

    #[test]
    fn a_place_in_the_log_is_a_word_a_position_or_a_time() {
        let read = |value: Value| {
            let problems = Problems::default();
            let read = start(&Node::root(&value, "start", &problems));
            (read, problems.into_vec().len())
        };
        for (value, point) in [
            (json!("now"), StartPoint::Now),
            (json!("earliest"), StartPoint::Earliest),
            (json!(1), StartPoint::Position(1)),
            (json!("1970-01-01T00:00:01Z"), StartPoint::Time(UnixMillis(1000))),
        ] {
            assert_eq!(read(value.clone()), (Some(point), 0), "{value}");
        }
        for wrong in [
            json!("latest"),
            json!(0),
            json!(-1),
            json!(1.5),
            json!("1200"),
            json!("2h"),
            json!(null),
            json!([]),
        ] {
            assert_eq!(read(wrong.clone()), (None, 1), "{wrong}");
        }
    }
}
