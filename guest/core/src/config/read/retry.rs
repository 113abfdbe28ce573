//! Reading what is tried again, and when.

use super::policy::{self, MOST_STATUSES};
use crate::config::{BackoffConfig, Growth, RetryCauses, RetryConfig, Schedule, StatusSet};
use crate::node::{Node, Table};
use std::time::Duration;

pub(super) const KEYS: &[&str] = &[
    "delays",
    "backoff",
    "first",
    "step",
    "factor",
    "max_delay",
    "max_attempts",
    "max_age",
    "jitter",
    "on",
    "max_retry_after",
];
/// The keys that say how a rule's waits grow.
const OF_BACKOFF: [&str; 5] = ["first", "step", "factor", "max_delay", "max_attempts"];

const LONGEST_DELAY: Duration = Duration::from_secs(30 * 24 * 3600);
const LONGEST_AGE: Duration = Duration::from_secs(365 * 24 * 3600);
/// An endpoint that fails at once would be called as often as the machine can.
const SHORTEST_FIRST: Duration = Duration::from_millis(1);
const MOST_RETRIES: usize = 100;
const MOST_ATTEMPTS: u64 = 1000;

/// What is tried again and when, if nothing is wrong with what it has of the known keys.
pub(super) fn read(node: &Node<'_>) -> Option<RetryConfig> {
    let table = node.table(KEYS)?;
    let before = node.problem_count();
    let mut config = RetryConfig::default();
    if let Some(schedule) = schedule(&table) {
        config.schedule = schedule;
    }
    if let Some(jitter) = table.get("jitter").and_then(|node| node.number(0.0..=1.0)) {
        config.jitter = jitter;
    }
    if let Some(node) = table.get("max_age") {
        config.max_age = node.duration(Duration::from_secs(1)..=LONGEST_AGE);
        let first = config.first_wait().map(|wait| wait.mul_f64(1.0 - config.jitter));
        if let (Some(age), Some(first)) = (config.max_age, first)
            && age < first
        {
            let hint = "to make one attempt alone, write delays = []";
            node.report_with_hint("is over before the first wait is, so that nothing is tried again", hint);
        }
    }
    if let Some(causes) = table.get("on").and_then(|node| causes(&node)) {
        config.on = causes;
    }
    if let Some(longest) =
        table.get("max_retry_after").and_then(|node| node.duration(Duration::ZERO..=LONGEST_DELAY))
    {
        config.max_retry_after = longest;
    }
    (node.problem_count() == before).then_some(config)
}

fn schedule(table: &Table<'_>) -> Option<Schedule> {
    let backoff = table.get("backoff");
    if let Some(node) = table.get("delays") {
        if let Some(backoff) = backoff {
            backoff.report("give either \"delays\" or \"backoff\"");
        }
        for odd in OF_BACKOFF.into_iter().filter_map(|key| table.get(key)) {
            odd.report_with_hint(
                "has no meaning beside \"delays\"",
                "the delays say how many attempts there are: one more than delays",
            );
        }
        let delays = node.items_up_to(MOST_RETRIES)?;
        let delays = delays.filter_map(|item| item.duration(Duration::ZERO..=LONGEST_DELAY));
        return Some(Schedule::Delays(delays.collect()));
    }
    let Some(backoff) = backoff else {
        for (key, odd) in OF_BACKOFF.into_iter().filter_map(|key| Some((key, table.get(key)?))) {
            let hint = format!("write backoff = {:?}", backoff_with(key));
            odd.report_with_hint("has no meaning without \"backoff\"", hint);
        }
        return None;
    };
    let mut config = BackoffConfig::default();
    let delay = |key, shortest| table.get(key).and_then(|node| node.duration(shortest..=LONGEST_DELAY));
    let (first, longest) = (delay("first", SHORTEST_FIRST), delay("max_delay", SHORTEST_FIRST));
    // One that is out of bounds was told of already, and is compared with nothing.
    let is_first_right = first.is_some() || table.get("first").is_none();
    config.first = first.unwrap_or(config.first);
    if let Some(longest) = longest {
        config.max_delay = longest;
        if let Some(node) = table.get("max_delay").filter(|_| is_first_right && longest < config.first) {
            node.report("is shorter than the first delay");
        }
    } else {
        config.max_delay = config.max_delay.max(config.first);
    }
    if let Some(most) = table.get("max_attempts").and_then(|node| node.integer(1..=MOST_ATTEMPTS)) {
        config.max_attempts = u32::try_from(most).ok()?;
    }
    config.growth = growth(table, &backoff, config.first)?;
    Some(Schedule::Backoff(config))
}

/// A backoff in which a key has a meaning.
fn backoff_with(key: &str) -> &'static str {
    if key == "step" { "arithmetic" } else { "exponential" }
}

fn growth(table: &Table<'_>, backoff: &Node<'_>, first: Duration) -> Option<Growth> {
    let step = table.get("step").and_then(|node| node.duration(Duration::ZERO..=LONGEST_DELAY));
    let factor = table.get("factor").and_then(|node| node.number(1.0..=100.0));
    let word = backoff.string()?;
    let (growth, taken) = match word {
        "fixed" => (Growth::Fixed, None),
        "linear" => (Growth::Linear(first), None),
        "arithmetic" => (Growth::Linear(step.unwrap_or(first)), Some("step")),
        "exponential" | "geometric" => {
            (Growth::Exponential(thousandths(factor.unwrap_or(2.0))), Some("factor"))
        }
        _ => {
            backoff.report_with_hint(
                "not a way for waits to grow",
                "the words here are fixed, linear, arithmetic, exponential, geometric",
            );
            return None;
        }
    };
    for key in ["step", "factor"].into_iter().filter(|key| Some(*key) != taken) {
        if let Some(node) = table.get(key) {
            node.report_with_hint(
                format!("has no meaning with {word:?}"),
                format!("it goes with backoff = {:?}", backoff_with(key)),
            );
        }
    }
    Some(growth)
}

/// Of a number from 1 to 100. Schedules are computed in integers, so that they are the same everywhere.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1000 to 100 000")]
fn thousandths(factor: f64) -> u32 {
    (factor * 1000.0 + 0.5) as u32
}

fn causes(node: &Node<'_>) -> Option<RetryCauses> {
    let before = node.problem_count();
    if node.value().as_array().is_some_and(Vec::is_empty) {
        node.report_with_hint(
            "names nothing, so that nothing is tried again",
            "to make one attempt alone, write delays = []",
        );
    }
    let mut causes = RetryCauses { statuses: StatusSet::default(), connection: false, timeout: false };
    for item in node.items_up_to(MOST_STATUSES)? {
        match item.value().as_str() {
            Some("connection") => causes.connection = true,
            Some("timeout") => causes.timeout = true,
            Some(word) if !word.starts_with(|first: char| first.is_ascii_digit()) => {
                item.report("expected a status, a class such as \"5xx\", \"connection\" or \"timeout\"");
            }
            _ => policy::insert(&mut causes.statuses, &item),
        }
    }
    (node.problem_count() == before).then_some(causes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;
    use serde_json::{Value, json};

    fn read(value: &Value) -> Result<RetryConfig, Vec<String>> {
        let problems = Problems::default();
        let config = super::read(&Node::root(value, "retry", &problems));
        let problems: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
        config.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn backoff(value: &Value) -> BackoffConfig {
        match read(value).unwrap().schedule {
            Schedule::Backoff(config) => config,
            Schedule::Delays(delays) => panic!("{delays:?}"),
        }
    }

    #[test]
    fn reads_every_way_to_grow() {
        let second = Duration::from_secs(1);
        for (value, growth) in [
            (json!({"backoff": "fixed", "first": "1s"}), Growth::Fixed),
            (json!({"backoff": "linear", "first": "1s"}), Growth::Linear(second)),
            (json!({"backoff": "arithmetic", "first": "1s", "step": "3s"}), Growth::Linear(second * 3)),
            (json!({"backoff": "arithmetic", "first": "1s"}), Growth::Linear(second)),
            (json!({"backoff": "exponential", "first": "1s"}), Growth::Exponential(2000)),
            (json!({"backoff": "geometric", "first": "1s", "factor": 1.5}), Growth::Exponential(1500)),
        ] {
            let config = backoff(&value);
            assert_eq!((config.growth, config.first), (growth, second), "{value}");
        }
        let config = backoff(&json!({"backoff": "exponential", "max_attempts": 3, "max_delay": "1h"}));
        assert_eq!((config.max_attempts, config.max_delay), (3, second * 3600));
        let config = backoff(&json!({"backoff": "fixed", "first": "2days"}));
        assert_eq!(config.max_delay, second * 2 * 24 * 3600);
    }

    #[test]
    fn reads_what_is_tried_again() {
        let config =
            read(&json!({"on": ["5xx", 429, "timeout"], "max_age": "1day", "max_retry_after": "1h"}))
                .unwrap();
        assert!(config.on.statuses.contains(503) && config.on.statuses.contains(429));
        assert!(!config.on.statuses.contains(404) && !config.on.connection && config.on.timeout);
        assert_eq!(config.max_age, Some(Duration::from_hours(24)));
        assert_eq!(config.max_retry_after, Duration::from_hours(1));
        assert_eq!(read(&json!({})).unwrap(), RetryConfig::default());
        for fits in [
            json!({"delays": ["1m"], "max_age": "30s", "jitter": 0.6}),
            json!({"delays": [], "max_age": "1s"}),
            json!({"delays": ["1s", "1h"], "max_age": "1m"}),
        ] {
            assert!(read(&fits).is_ok(), "{fits}");
        }
    }

    #[test]
    fn what_would_have_no_effect_is_a_problem() {
        for (value, path) in [
            (json!({"delays": ["1s"], "backoff": "fixed"}), "retry.backoff"),
            (json!({"delays": ["1s"], "max_attempts": 3}), "retry.max_attempts"),
            (json!({"max_attempts": 3}), "retry.max_attempts"),
            (json!({"backoff": "fixed", "factor": 2}), "retry.factor"),
            (json!({"backoff": "linear", "step": "1s"}), "retry.step"),
            (json!({"backoff": "exponential", "step": "1s"}), "retry.step"),
            (json!({"backoff": "cubic"}), "retry.backoff"),
            (json!({"backoff": "fixed", "first": "0s"}), "retry.first"),
            (json!({"backoff": "exponential", "factor": 0.5}), "retry.factor"),
            (json!({"backoff": "fixed", "first": "1h", "max_delay": "1m"}), "retry.max_delay"),
            (json!({"backoff": "fixed", "first": "30days", "max_delay": "400days"}), "retry.max_delay"),
            (json!({"backoff": "fixed", "first": "31days", "max_delay": "1s"}), "retry.first"),
            (json!({"backoff": "fixed", "max_attempts": 0}), "retry.max_attempts"),
            (json!({"max_age": "0s"}), "retry.max_age"),
            (json!({"max_age": "1s"}), "retry.max_age"),
            (json!({"delays": ["1m"], "max_age": "30s", "jitter": 0.4}), "retry.max_age"),
            (json!({"backoff": "fixed", "first": "1h", "max_age": "10m"}), "retry.max_age"),
            (json!({"on": []}), "retry.on"),
            (json!({"on": ["sometimes"]}), "retry.on[0]"),
            (json!({"on": ["6xx"]}), "retry.on[0]"),
            (json!({"max_retry_after": "31days"}), "retry.max_retry_after"),
        ] {
            let problems = read(&value).unwrap_err();
            assert_eq!(problems.len(), 1, "{value}: {problems:?}");
            assert!(problems[0].starts_with(&format!("{path}: ")), "{value}: {problems:?}");
        }
    }
}
