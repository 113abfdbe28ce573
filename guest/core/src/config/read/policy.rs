//! Reading when an attempt counts, and when to try again.

use crate::config::{DeliveryConfig, RetryConfig, StatusSet};
use crate::node::Node;
use serde_json::Value;
use std::time::Duration;

pub(super) const KEYS: &[&str] = &["success", "discard", "timeout", "concurrency", "retry"];
pub(super) const RETRY_KEYS: &[&str] = &["delays", "jitter"];

const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10 * 60);
const LONGEST_DELAY: Duration = Duration::from_secs(30 * 24 * 3600);
const MOST_CONCURRENT: u64 = 1000;
const MOST_RETRIES: usize = 100;
/// Elements of a list of statuses; ranges and classes make more of them needless.
const MOST_STATUSES: usize = 100;

/// A delivery policy, if nothing is wrong with what it has of the known keys.
pub(super) fn read(node: &Node<'_>) -> Option<DeliveryConfig> {
    let table = node.table(KEYS)?;
    let before = node.problem_count();
    let mut config = DeliveryConfig::default();
    if let Some(node) = table.get("success")
        && let Some(set) = statuses(&node)
    {
        if set.is_empty() {
            node.report("names no status, so that nothing would count as delivered");
        }
        config.success = set;
    }
    if let Some(node) = table.get("discard")
        && let Some(set) = statuses(&node)
    {
        if let Some(status) = set.common(&config.success) {
            node.report(format!("{status} would be success and discard at once"));
        }
        config.discard = set;
    }
    if let Some(timeout) =
        table.get("timeout").and_then(|node| node.duration(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT))
    {
        config.timeout = timeout;
    }
    if let Some(concurrency) = table.get("concurrency").and_then(|node| node.integer(1..=MOST_CONCURRENT)) {
        config.concurrency = usize::try_from(concurrency).ok()?;
    }
    if let Some(retry) = table.get("retry").and_then(|node| retry(&node)) {
        config.retry = retry;
    }
    (node.problem_count() == before).then_some(config)
}

fn statuses(node: &Node<'_>) -> Option<StatusSet> {
    let before = node.problem_count();
    let mut set = StatusSet::default();
    for item in node.items_up_to(MOST_STATUSES)? {
        let text = match item.value() {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            _ => String::new(),
        };
        if let Err(error) = set.insert(&text) {
            item.report(error.to_string());
        }
    }
    (node.problem_count() == before).then_some(set)
}

fn retry(node: &Node<'_>) -> Option<RetryConfig> {
    let table = node.table(RETRY_KEYS)?;
    let mut config = RetryConfig::default();
    if let Some(node) = table.get("delays")
        && let Some(items) = node.items_up_to(MOST_RETRIES)
    {
        config.delays = items.filter_map(|item| item.duration(Duration::ZERO..=LONGEST_DELAY)).collect();
    }
    if let Some(jitter) = table.get("jitter").and_then(|node| node.number(0.0..=1.0)) {
        config.jitter = jitter;
    }
    Some(config)
}
