//! Reading a subscription.

use super::{endpoint, policy, source};
use crate::config::{SubscriptionConfig, WhenRemoved};
use crate::node::Node;

pub(super) const KEYS: &[&str] = &["id", "sources", "filter", "endpoint", "delivery", "when_removed"];

/// Whoever wants more than this many sources wants all of them and a filter.
const MOST_SOURCES: usize = 1000;

/// A subscription, if nothing is wrong with what it has of the known keys. Whether its sources exist and its filter compiles is not looked at.
pub(super) fn read(node: &Node<'_>) -> Option<SubscriptionConfig> {
    let table = node.table(KEYS)?;
    let before = node.problem_count();
    let id = table.require("id").and_then(|node| source::name(&node));
    let sources = table.get("sources").and_then(|node| sources(&node)).unwrap_or_default();
    let filter = table.get("filter").and_then(|node| filter(&node));
    let endpoint = table.require("endpoint").and_then(|node| endpoint::read(&node));
    let delivery = table.get("delivery").and_then(|node| policy::read(&node)).unwrap_or_default();
    let when_removed = table.get("when_removed").and_then(|node| when_removed(&node)).unwrap_or_default();
    if node.problem_count() != before {
        return None;
    }
    Some(SubscriptionConfig { id: id?, sources, filter, endpoint: endpoint?, delivery, when_removed })
}

fn when_removed(node: &Node<'_>) -> Option<WhenRemoved> {
    match node.string()? {
        "end" => Some(WhenRemoved::End),
        "wait" => Some(WhenRemoved::Wait),
        _ => {
            node.report("must be \"end\" or \"wait\"");
            None
        }
    }
}

fn sources(node: &Node<'_>) -> Option<Vec<String>> {
    let items = node.items_up_to(MOST_SOURCES)?;
    if items.len() == 0 {
        node.report_with_hint("names no source", "leave the key out to listen to all sources");
        return None;
    }
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = source::name(&item) else { continue };
        if names.contains(&name) {
            item.report(format!("{name:?} is named twice"));
        }
        names.push(name);
    }
    Some(names)
}

fn filter(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    if text.trim().is_empty() {
        node.report_with_hint("must not be empty", "leave the key out to match every event");
        return None;
    }
    Some(text.to_owned())
}
