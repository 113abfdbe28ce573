//! Reading when an attempt counts, and how much at once.

use super::{batch, expression, flow, ordering, retry};
use crate::config::{ContentMode, DeliveryConfig, ForwardHeaders, StatusSet};
use crate::node::Node;
use serde_json::Value;
use std::time::Duration;

pub(super) const KEYS: &[&str] = &[
    "success",
    "discard",
    "throttle_on",
    "disable_on",
    "timeout",
    "concurrency",
    "batch",
    "rate",
    "breaker",
    "disable_after",
    "backlog",
    "ordering",
    "content",
    "transform",
    "forward_headers",
    "retry",
];

/// Those that say what a request to the endpoint is like.
pub(super) const SENT: &[&str] = &["batch", "content", "transform", "forward_headers"];

const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10 * 60);
const MOST_CONCURRENT: u64 = 1000;
/// Patterns of header fields that are sent along.
const MOST_FORWARDED: usize = 64;
/// Elements of a list of statuses; ranges and classes make more of them needless.
pub(super) const MOST_STATUSES: usize = 100;

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
    if let Some(set) = table.get("throttle_on").and_then(|node| no_success(&node, &config.success)) {
        config.throttle_on = set;
    }
    if let Some(set) = table.get("disable_on").and_then(|node| no_success(&node, &config.success)) {
        config.disable_on = set;
    }
    if let Some(timeout) =
        table.get("timeout").and_then(|node| node.duration(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT))
    {
        config.timeout = timeout;
    }
    if let Some(concurrency) = table.get("concurrency").and_then(|node| node.integer(1..=MOST_CONCURRENT)) {
        config.concurrency = usize::try_from(concurrency).ok()?;
    }
    if let Some(rate) = table.get("rate") {
        config.rate = flow::rate(&rate);
    }
    if let Some(breaker) = table.get("breaker").and_then(|node| flow::breaker(&node)) {
        config.breaker = breaker;
    }
    if let Some(after) = table.get("disable_after").and_then(|node| flow::disable_after(&node)) {
        config.disable_after = after;
    }
    if let Some(backlog) = table.get("backlog") {
        config.backlog = flow::backlog(&backlog);
    }
    if let Some(ordering) = table.get("ordering").and_then(|node| ordering::read(&node)) {
        config.ordering = ordering;
    }
    config.transform = table.get("transform").and_then(|node| expression::read(&node));
    if let Some(content) = table.get("content").and_then(|node| content(&node)) {
        config.content = content;
    }
    if let Some(headers) = table.get("forward_headers").and_then(|node| forward_headers(&node)) {
        config.forward_headers = headers;
    }
    config.batch = table.get("batch").and_then(|node| batch::read(&node));
    batch::review(&table, &config);
    if let Some(node) = table.get("retry")
        && let Some(retry) = retry::read(&node)
    {
        let on = node.value().get("on").map(|value| node.beside("on", value));
        if let (Some(on), Some(status)) = (on, retry.on.statuses.common(&config.success)) {
            on.report(format!("{status} means delivered, and is not tried again"));
        }
        config.retry = retry;
    }
    (node.problem_count() == before).then_some(config)
}

fn content(node: &Node<'_>) -> Option<ContentMode> {
    let word = node.string()?;
    let mode = ContentMode::ALL.into_iter().find(|mode| mode.word() == word);
    if mode.is_none() {
        let words = ContentMode::ALL.map(|mode| format!("{:?}", mode.word()));
        node.report(format!("must be one of {}", words.join(", ")));
    }
    mode
}

fn forward_headers(node: &Node<'_>) -> Option<ForwardHeaders> {
    let before = node.problem_count();
    let mut headers = ForwardHeaders::default();
    for item in node.items_up_to(MOST_FORWARDED)? {
        if let Err(problem) = headers.add(item.string().unwrap_or_default()) {
            item.report(problem);
        }
    }
    (node.problem_count() == before).then_some(headers)
}

fn statuses(node: &Node<'_>) -> Option<StatusSet> {
    let before = node.problem_count();
    let mut set = StatusSet::default();
    for item in node.items_up_to(MOST_STATUSES)? {
        insert(&mut set, &item);
    }
    (node.problem_count() == before).then_some(set)
}

/// Adds what one element names, or reports it.
pub(super) fn insert(set: &mut StatusSet, item: &Node<'_>) {
    let text = match item.value() {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    if let Err(error) = set.insert(&text) {
        item.report(error.to_string());
    }
}

/// Statuses of which none means delivered: those would never be looked at.
fn no_success(node: &Node<'_>, success: &StatusSet) -> Option<StatusSet> {
    let set = statuses(node)?;
    if let Some(status) = set.common(success) {
        node.report(format!("{status} means delivered, so it would have no effect here"));
        return None;
    }
    Some(set)
}
