//! Reading how fast a subscription goes, when it stops by itself, and how much may wait for it.

use crate::config::{BacklogConfig, BreakerConfig, BreakerTrip, Overflow, RateConfig};
use crate::node::Node;
use serde_json::Value;
use std::time::Duration;

/// The keys of a rate, with their times.
const PERIODS: [(&str, Duration); 3] = [
    ("per_second", Duration::from_secs(1)),
    ("per_minute", Duration::from_secs(60)),
    ("per_hour", Duration::from_secs(3600)),
];
const MOST: u64 = 1_000_000;
const MOST_BURST: u64 = 100_000;
const MOST_FAILURES: u64 = 100_000;
/// The last attempts are kept as bits of one number.
const MOST_LAST: u64 = 64;
const MOST_OPEN: u64 = 1_000_000_000;
/// The most bytes of data that a backlog can be held to: more than any disk has.
const MOST_BYTES: u64 = 1 << 50;
const PROBE: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
const DISABLE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);

/// Reads a rate: `{ per_second = 5, burst = 10 }`. What is wrong with it is reported.
pub fn rate(node: &Node<'_>) -> Option<RateConfig> {
    let table = node.table(&["per_second", "per_minute", "per_hour", "burst"])?;
    let mut given = PERIODS.iter().filter_map(|(key, period)| Some((table.get(key)?, *period)));
    let Some((count, period)) = given.next() else {
        node.report_with_hint("says no rate", "write { per_second = 5 }, per_minute or per_hour");
        return None;
    };
    if let Some((more, _)) = given.next() {
        more.report("give one of \"per_second\", \"per_minute\" and \"per_hour\"");
        return None;
    }
    let count = u32::try_from(count.integer(1..=MOST)?).ok()?;
    let burst = match table.get("burst") {
        Some(burst) => u32::try_from(burst.integer(1..=MOST_BURST)?).ok()?,
        None => 1,
    };
    Some(RateConfig { count, period, burst })
}

/// `{ failures = 10, probe = "30s" }`, `{ ratio = 0.5, of = 20 }` or `false`.
pub(super) fn breaker(node: &Node<'_>) -> Option<Option<BreakerConfig>> {
    match node.value() {
        Value::Bool(false) => return Some(None),
        Value::Bool(true) => return Some(Some(BreakerConfig::default())),
        _ => {}
    }
    let table = node.table(&["failures", "ratio", "of", "probe"])?;
    let mut config = BreakerConfig::default();
    if let Some(probe) = table.get("probe") {
        config.probe = probe.duration(PROBE)?;
    }
    match (table.get("failures"), table.get("ratio")) {
        (Some(_), Some(ratio)) => {
            ratio.report("give either \"failures\" or \"ratio\"");
            return None;
        }
        (Some(failures), None) => {
            config.trip = BreakerTrip::Failures(u32::try_from(failures.integer(1..=MOST_FAILURES)?).ok()?);
        }
        (None, Some(ratio)) => {
            let of = match table.get("of") {
                Some(of) => u32::try_from(of.integer(1..=MOST_LAST)?).ok()?,
                None => 20,
            };
            config.trip = BreakerTrip::Ratio { thousandths: thousandths(ratio.number(0.001..=1.0)?), of };
        }
        (None, None) => {}
    }
    if let Some(of) = table.get("of").filter(|_| table.get("ratio").is_none()) {
        of.report("has no meaning without \"ratio\"");
        return None;
    }
    Some(Some(config))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 1000")]
fn thousandths(ratio: f64) -> u32 {
    (ratio * 1000.0 + 0.5) as u32
}

/// A duration, or `false` for never.
pub(super) fn disable_after(node: &Node<'_>) -> Option<Option<Duration>> {
    if node.value() == &Value::Bool(false) {
        return Some(None);
    }
    node.duration(DISABLE).map(Some)
}

/// `{ max = 100_000, bytes = "1GiB", full = "refuse" }`.
pub(super) fn backlog(node: &Node<'_>) -> Option<BacklogConfig> {
    let table = node.table(&["max", "bytes", "full"])?;
    let before = node.problem_count();
    let max = table.get("max").and_then(|node| node.integer(1..=MOST_OPEN));
    let bytes = table.get("bytes").and_then(|node| node.size(1..=MOST_BYTES));
    if table.get("max").is_none() && table.get("bytes").is_none() {
        table.report_missing(
            "max",
            "missing key",
            "say how many deliveries may wait, or with \"bytes\" how much data",
        );
    }
    let full = match table.get("full") {
        None => Overflow::default(),
        Some(node) => {
            let word = node.string()?;
            let Some(full) = Overflow::ALL.into_iter().find(|full| full.word() == word) else {
                let message = "must be \"refuse\", \"drop-oldest\" or \"pause\"";
                match word {
                    "push-back" => node.report_with_hint(
                        message,
                        "with \"pause\" everything is kept too, and the sender and other subscriptions do not wait for it",
                    ),
                    _ => node.report(message),
                }
                return None;
            };
            full
        }
    };
    (node.problem_count() == before).then_some(BacklogConfig { max, bytes, full })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;
    use serde_json::json;

    fn read<T>(value: &Value, read: impl FnOnce(&Node<'_>) -> Option<T>) -> Result<T, Vec<String>> {
        let problems = Problems::default();
        let read = read(&Node::root(value, "x", &problems));
        let problems: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
        read.filter(|_| problems.is_empty()).ok_or(problems)
    }

    #[test]
    fn reads_rates() {
        let second = Duration::from_secs(1);
        for (value, count, period, burst) in [
            (json!({"per_second": 5}), 5, second, 1),
            (json!({"per_minute": 90, "burst": 10}), 90, second * 60, 10),
            (json!({"per_hour": 1}), 1, second * 3600, 1),
        ] {
            assert_eq!(read(&value, rate), Ok(RateConfig { count, period, burst }), "{value}");
        }
        for (value, path) in [
            (json!({}), "x"),
            (json!({"burst": 3}), "x"),
            (json!({"per_second": 0}), "x.per_second"),
            (json!({"per_second": 1, "per_hour": 2}), "x.per_hour"),
            (json!({"per_second": 1, "burst": 0}), "x.burst"),
            (json!({"per_second": 0.5}), "x.per_second"),
            (json!({"per_day": 1, "per_hour": 1}), "x.per_day"),
        ] {
            let problems = read(&value, rate).unwrap_err();
            assert!(
                problems.len() == 1 && problems[0].starts_with(&format!("{path}: ")),
                "{value}: {problems:?}"
            );
        }
    }

    #[test]
    fn reads_how_much_may_wait() {
        for (value, max, bytes, full) in [
            (json!({"max": 1}), Some(1), None, Overflow::Refuse),
            (json!({"max": 100_000, "full": "drop-oldest"}), Some(100_000), None, Overflow::DropOldest),
            (json!({"max": 5, "full": "pause"}), Some(5), None, Overflow::Pause),
            (json!({"bytes": "1GiB"}), None, Some(1 << 30), Overflow::Refuse),
            (json!({"max": 5, "bytes": 4096}), Some(5), Some(4096), Overflow::Refuse),
        ] {
            assert_eq!(read(&value, backlog), Ok(BacklogConfig { max, bytes, full }), "{value}");
        }
        for (value, path) in [
            (json!({}), "x.max"),
            (json!({"max": 0}), "x.max"),
            (json!({"max": 1, "full": "drop"}), "x.full"),
            (json!({"max": 1, "full": "push-back"}), "x.full"),
            (json!({"full": "refuse"}), "x.max"),
            (json!({"max": 1, "bytes": 0}), "x.bytes"),
            (json!({"max": 1, "bytes": "a lot"}), "x.bytes"),
            (json!({"max": 1, "byte": 1}), "x.byte"),
            (json!(7), "x"),
        ] {
            let problems = read(&value, backlog).unwrap_err();
            assert!(
                problems.len() == 1 && problems[0].starts_with(&format!("{path}: ")),
                "{value}: {problems:?}"
            );
        }
    }

    #[test]
    fn reads_breakers() {
        let probe = BreakerConfig::default().probe;
        for (value, expected) in [
            (json!(false), None),
            (json!(true), Some(BreakerConfig::default())),
            (
                json!({"failures": 10, "probe": "30s"}),
                Some(BreakerConfig { trip: BreakerTrip::Failures(10), probe: Duration::from_secs(30) }),
            ),
            (json!({"failures": 3}), Some(BreakerConfig { trip: BreakerTrip::Failures(3), probe })),
            (
                json!({"ratio": 0.25, "of": 8, "probe": "5s"}),
                Some(BreakerConfig {
                    trip: BreakerTrip::Ratio { thousandths: 250, of: 8 },
                    probe: Duration::from_secs(5),
                }),
            ),
        ] {
            assert_eq!(read(&value, breaker), Ok(expected), "{value}");
        }
        for (value, path) in [
            (json!({"failures": 0}), "x.failures"),
            (json!({"failures": 1, "ratio": 0.5}), "x.ratio"),
            (json!({"ratio": 0}), "x.ratio"),
            (json!({"ratio": 0.5, "of": 65}), "x.of"),
            (json!({"failures": 5, "of": 6}), "x.of"),
            (json!({"probe": "1ms"}), "x.probe"),
            (json!("off"), "x"),
        ] {
            let problems = read(&value, breaker).unwrap_err();
            assert!(
                problems.len() == 1 && problems[0].starts_with(&format!("{path}: ")),
                "{value}: {problems:?}"
            );
        }
    }
}
