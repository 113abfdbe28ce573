//! Reading a topic.

use super::subscription;
use crate::config::{AccessToken, TopicConfig, TopicPattern};
use crate::node::{Node, Table};
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) const KEYS: &[&str] = &["name", "tokens", "read_tokens", "publish_tokens", "max_size", "history"];

/// From one byte to what one event may have at most.
const SIZES: RangeInclusive<u64> = 1..=1 << 20;
const HISTORIES: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24 * 365 * 10);

/// A topic, if nothing is wrong with it.
pub(super) fn read(node: &Node<'_>) -> Option<TopicConfig> {
    let table = node.table(KEYS)?;
    let before = node.problem_count();
    let name = table.require("name").and_then(|node| name(&node));
    let (both, reading) = (tokens(&table, "tokens"), tokens(&table, "read_tokens"));
    let publishing = tokens(&table, "publish_tokens");
    // Of tokens that are wrong it is said where they stand.
    if ["tokens", "read_tokens", "publish_tokens"].into_iter().all(|key| table.get(key).is_none()) {
        let hint = "give tokens for who reads and publishes, or read_tokens and publish_tokens";
        table.report_missing("tokens", "missing key of a topic", hint);
    }
    let max_size = table.get("max_size").map_or(Some(TopicConfig::MAX_SIZE), |node| node.size(SIZES));
    let history = table.get("history").and_then(|node| node.duration(HISTORIES));
    if node.problem_count() != before {
        return None;
    }
    Some(TopicConfig {
        name: name?,
        tokens: both,
        read_tokens: reading,
        publish_tokens: publishing,
        max_size: max_size?,
        history,
    })
}

fn name(node: &Node<'_>) -> Option<TopicPattern> {
    let pattern = TopicPattern::parse(node.text()?);
    if pattern.is_none() {
        let hint = "write \"chat\", \"chat.*\" for one part more, or \"chat.**\" for any number of parts";
        node.report_with_hint("must be parts of a-z A-Z 0-9 _ - with dots between them, or stars", hint);
    }
    pattern
}

fn tokens(table: &Table<'_>, key: &'static str) -> Vec<AccessToken> {
    table.get(key).and_then(|node| subscription::tokens(&node)).unwrap_or_default()
}
