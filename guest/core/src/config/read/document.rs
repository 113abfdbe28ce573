//! Reading a whole routing document: `{"source": […], "resource": […], "subscription": […], "topic": […]}`.

#[cfg(test)]
mod tests;

use super::{endpoint, policy, resource, source, subscription, topic};
use crate::config::{
    DeliveryConfig, EndpointConfig, ResourceConfig, SourceConfig, SubscriptionConfig, TopicConfig,
    is_built_in,
};
use crate::node::nearest;
use crate::node::{Node, Problems, Table};
use crate::node::{is_name, item_path, key_path};
use crate::problem::Problem;
use serde_json::Value;
use std::collections::HashSet;

/// Sources, resources, subscriptions and topics, each with its path in the document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// The sources.
    pub sources: Vec<(String, SourceConfig)>,
    /// The resources.
    pub resources: Vec<(String, ResourceConfig)>,
    /// The subscriptions.
    pub subscriptions: Vec<(String, SubscriptionConfig)>,
    /// The topics, in their order: the first that a name fits counts.
    pub topics: Vec<(String, TopicConfig)>,
}

/// Reads a delivery policy alone; `path` is what problems call its place.
///
/// # Errors
///
/// With every problem that it has.
pub fn read_delivery(value: &Value, path: &str) -> Result<DeliveryConfig, Vec<Problem>> {
    let problems = Problems::default();
    let config = policy::read(&Node::root(value, path, &problems));
    finish(config, problems)
}

/// What was read, if it has no problem.
pub(super) fn finish<T>(read: Option<T>, problems: Problems) -> Result<T, Vec<Problem>> {
    match (read, problems.into_vec()) {
        (Some(read), problems) if problems.is_empty() => Ok(read),
        (_, problems) => Err(problems),
    }
}

/// Reads a routing document.
///
/// # Errors
///
/// Every problem of the document at once, together with what could be read: sources (without what of them has a problem),
/// and resources, subscriptions and topics that have no problem. So the caller can look for more problems in them: whether
/// their schemes and secrets are usable, whether their filters compile.
pub fn read_document(value: &Value) -> Result<Document, (Document, Vec<Problem>)> {
    let problems = Problems::default();
    let root = Node::root(value, "", &problems);
    let document =
        root.table(&["source", "resource", "subscription", "topic"]).map(|table| read(&table, &problems));
    let document = document.unwrap_or_default();
    match problems.into_vec() {
        problems if problems.is_empty() => Ok(document),
        problems => Err((document, problems)),
    }
}

fn read(table: &Table<'_>, problems: &Problems) -> Document {
    let mut document = Document::default();
    let mut names: HashSet<String> = HashSet::new();
    if let Some(list) = table.get("source")
        && let Some(items) = list.items()
    {
        for item in items {
            unique(&item, "name", &mut names, problems);
            document.sources.extend(source::read(&item).map(|source| (item.path(), source)));
        }
    }
    let mut resources: HashSet<String> = HashSet::new();
    let mut shapes: HashSet<String> = HashSet::new();
    if let Some(list) = table.get("resource")
        && let Some(items) = list.items()
    {
        for item in items {
            unique(&item, "id", &mut resources, problems);
            let Some(resource) = resource::read(&item) else { continue };
            if !shapes.insert(resource.pattern.shape()) {
                let path = key_path(&item.path(), "endpoint");
                problems.push(Problem::new(path, "another resource has the same documents"));
            }
            document.resources.push((item.path(), resource));
        }
    }
    let mut ids: HashSet<String> = HashSet::new();
    if let Some(list) = table.get("subscription")
        && let Some(items) = list.items()
    {
        for item in items {
            unique(&item, "id", &mut ids, problems);
            let subscription = subscription::read(&item);
            known_sources(&item, &names, problems);
            document.subscriptions.extend(subscription.map(|subscription| (item.path(), subscription)));
        }
    }
    let mut patterns: HashSet<String> = HashSet::new();
    if let Some(list) = table.get("topic")
        && let Some(items) = list.items()
    {
        for item in items {
            unique(&item, "name", &mut patterns, problems);
            document.topics.extend(topic::read(&item).map(|topic| (item.path(), topic)));
        }
    }
    document
}

/// Reports names of sources that there are not.
fn known_sources(subscription: &Node<'_>, names: &HashSet<String>, problems: &Problems) {
    let Some(listed) = subscription.value().get("sources").and_then(Value::as_array) else { return };
    for (index, name) in listed.iter().enumerate() {
        let Some(name) =
            name.as_str().filter(|name| !is_built_in(name) && is_name(name) && !names.contains(*name))
        else {
            continue;
        };
        let path = item_path(&key_path(&subscription.path(), "sources"), index);
        let problem = Problem::new(path, format!("there is no source {name:?}"));
        problems.push(match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => problem.with_hint(format!("did you mean {near:?}?")),
            None => problem,
        });
    }
}

/// Reports a name that another element has, too.
fn unique(item: &Node<'_>, key: &str, names: &mut HashSet<String>, problems: &Problems) {
    let Some(name) = item.value().get(key).and_then(Value::as_str) else { return };
    if !names.insert(name.to_owned()) {
        problems.push(Problem::new(key_path(&item.path(), key), format!("there is another {name:?}")));
    }
}

/// Reads one source that stands at `path`, with every problem of it at once. A source with problems is there to be judged
/// further: see [`read_document`]. Whether its scheme and secrets are usable is not looked at.
#[must_use]
pub fn read_source(value: &Value, path: &str) -> (Option<SourceConfig>, Vec<Problem>) {
    let problems = Problems::default();
    let source = source::read(&Node::root(value, path, &problems));
    (source, problems.into_vec())
}

/// Reads one resource that stands at `path`.
///
/// # Errors
///
/// Every problem of the resource at once.
pub fn read_resource(value: &Value, path: &str) -> Result<ResourceConfig, Vec<Problem>> {
    let problems = Problems::default();
    let resource = resource::read(&Node::root(value, path, &problems));
    finish(resource, problems)
}

/// Reads where deliveries go, that stands at `path`.
///
/// # Errors
///
/// Every problem of it at once.
pub fn read_endpoint(value: &Value, path: &str) -> Result<EndpointConfig, Vec<Problem>> {
    let problems = Problems::default();
    let endpoint = endpoint::read(&Node::root(value, path, &problems));
    finish(endpoint, problems)
}

/// Reads one subscription that stands at `path`.
///
/// # Errors
///
/// Every problem of the subscription at once.
pub fn read_subscription(value: &Value, path: &str) -> Result<SubscriptionConfig, Vec<Problem>> {
    let problems = Problems::default();
    let subscription = subscription::read(&Node::root(value, path, &problems));
    finish(subscription, problems)
}
