//! Reading a resource, and how its subscribers are told.

use super::{endpoint, source};
use crate::config::{ActionConfig, EndpointConfig, NotificationConfig, ResourceConfig};
use crate::node::{Node, Table};
use crate::resource::{Action, Change, Layout, Part, REVISION, ResourcePattern, parts};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) const KEYS: &[&str] = &["id", "endpoint", "change", "tombstones"];
const CHANGE_KEYS: &[&str] = &["field", "format"];
const NOTIFICATION_KEYS: &[&str] = &["document", "envelope", "cloudevent", "data"];

/// The longest name of a field, in bytes.
const LONGEST_FIELD: usize = 200;
/// Members of a subscription's data.
const MOST_DATA: usize = 100;
const TOMBSTONES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3650 * 86_400);

/// A resource, if nothing is wrong with what it has of the known keys.
pub(super) fn read(node: &Node<'_>) -> Option<ResourceConfig> {
    let table = node.table(KEYS)?;
    let before = node.problem_count();
    let id = table.require("id").and_then(|node| source::name(&node));
    let pattern = table.require("endpoint").and_then(|node| pattern(&node));
    let change = table.require("change").and_then(|node| change(&node));
    let tombstones = table.get("tombstones").and_then(|node| node.duration(TOMBSTONES));
    if node.problem_count() != before {
        return None;
    }
    Some(ResourceConfig { id: id?, pattern: pattern?, change: change?, tombstones })
}

fn pattern(node: &Node<'_>) -> Option<ResourcePattern> {
    match ResourcePattern::parse(node.string()?) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            node.report(error.to_string());
            None
        }
    }
}

fn change(node: &Node<'_>) -> Option<Change> {
    let table = node.table(CHANGE_KEYS)?;
    let field = table.require("field").and_then(|node| node.text_up_to(LONGEST_FIELD).map(str::to_owned))?;
    let layout = match table.get("format") {
        None => None,
        Some(node) => match Layout::parse(node.string()?) {
            Ok(layout) => Some(layout),
            Err(error) => {
                node.report(error.to_string());
                return None;
            }
        },
    };
    Some(Change { field, layout })
}

/// How a subscription of a resource is told, and its endpoint. What says something of other events is refused.
pub(super) fn notification(table: &Table<'_>) -> Option<(NotificationConfig, EndpointConfig)> {
    let node = table.get("resource")?;
    let resource = source::name(&node);
    for key in ["sources", "mode", "flow", "tokens", "start"] {
        if let Some(node) = table.get(key) {
            node.report_with_hint(
                "says nothing of a subscription of a resource",
                "leave the key out, or the resource",
            );
        }
    }
    if let Some(node) = table.get("when_removed").filter(|node| node.value() == "wait") {
        let hint = "leave the key out: while it is gone, nobody notes what it would be told";
        node.report_with_hint("a subscription of a resource cannot come back", hint);
    }
    let delivery = table.get("delivery").filter(|node| node.value().is_object());
    for (key, node) in delivery.iter().flat_map(|node| node.members().into_iter().flatten()) {
        if ["batch", "content", "transform", "forward_headers", "ordering"].contains(&key) {
            node.report_with_hint(
                "says nothing of a subscription of a resource",
                "what is sent is said by `notification`, and changes of one document are told in their order",
            );
        }
    }
    let every = table.get("revisions").and_then(|node| match node.string()? {
        "last" => Some(false),
        "all" => Some(true),
        _ => {
            node.report("must be \"last\" or \"all\"");
            None
        }
    });
    let backfill = table.get("backfill").and_then(|node| node.boolean()).unwrap_or_default();
    let told = table.get("notification").and_then(|node| told(&node)).unwrap_or_default();
    let (endpoint, actions, has_url) =
        table.require("endpoint").and_then(|node| endpoint::read_of_documents(&node))?;
    let Told { document, envelope, cloudevent, data } = told;
    Some((
        NotificationConfig {
            resource: resource?,
            every: every.unwrap_or_default(),
            backfill,
            envelope,
            document,
            cloudevent,
            data,
            has_url,
            actions,
        },
        endpoint,
    ))
}

/// Reports keys that only a subscription of a resource has.
pub(super) fn only_of_a_resource(table: &Table<'_>) {
    for key in ["revisions", "backfill", "notification"] {
        if let Some(node) = table.get(key) {
            node.report_with_hint("only a subscription of a resource has this key", "name the resource");
        }
    }
}

struct Told {
    document: bool,
    envelope: bool,
    cloudevent: bool,
    data: Map<String, Value>,
}

impl Default for Told {
    fn default() -> Self {
        Self { document: true, envelope: true, cloudevent: false, data: Map::new() }
    }
}

fn told(node: &Node<'_>) -> Option<Told> {
    let table = node.table(NOTIFICATION_KEYS)?;
    let flag = |key, default: bool| table.get(key).map_or(Some(default), |node| node.boolean());
    let envelope = flag("envelope", true)?;
    let cloudevent = flag("cloudevent", false)?;
    let data = table.get("data").and_then(|node| data(&node)).unwrap_or_default();
    if !data.is_empty() && (!envelope || cloudevent) {
        node.report("there is no data without an envelope");
    }
    Some(Told { document: flag("document", true)?, envelope, cloudevent, data })
}

fn data(node: &Node<'_>) -> Option<Map<String, Value>> {
    let mut data = Map::new();
    for (key, value) in node.members_up_to(MOST_DATA)? {
        let is_plain = |value: &Value| value.is_boolean() || value.is_number() || value.is_string();
        let fits = match value.value() {
            Value::Array(items) => items.iter().all(is_plain),
            value => is_plain(value),
        };
        if !fits {
            value.report("must be a boolean, a number, a text or a list of these");
        }
        if let Some(Err(error)) = value.value().as_str().map(parts) {
            value.report(format!("invalid wildcard: {error}"));
        }
        data.insert(key.to_owned(), value.value().clone());
    }
    Some(data)
}

/// What of an endpoint is another for an action, which may call these ports besides.
pub(super) fn actions(node: &Node<'_>, allow_ports: &[u16]) -> Option<Vec<(Action, ActionConfig)>> {
    let table = node.table(&["create", "update", "delete"])?;
    let mut actions = Vec::new();
    for action in Action::ALL {
        if let Some(own) = table.get(action.word()).and_then(|node| endpoint::action(&node, allow_ports)) {
            actions.push((action, own));
        }
    }
    Some(actions)
}

/// The wildcards of a text that is not the data of an envelope.
pub(super) fn wildcards<'t>(node: &Node<'_>, text: &'t str, takes_revision: bool) -> Option<Vec<Part<'t>>> {
    let found = match parts(text) {
        Ok(found) => found,
        Err(error) => {
            node.report(format!("invalid wildcard: {error}"));
            return None;
        }
    };
    if !takes_revision && found.contains(&Part::Wildcard(REVISION)) {
        node.report("invalid wildcard: 'revision' is a reserved wildcard");
        return None;
    }
    Some(found)
}
