//! A configuration in the form in which it is kept and loaded.

use super::enrolment::{Enrolled, review, subscription_of};
use super::plugin::{EdgePlugin, plugin_origin, read_plugins, unknown_plugins};
use super::refusal::{LONGEST_ATTEMPT, refusals};
use crate::config::{
    Document, SourceConfig, SubscriptionConfig, item_path, key_path, read_document, read_source,
    read_subscription,
};
use crate::problem::Problem;
use crate::resource::ResourcePattern;
use crate::router::{RoutingDocument, RoutingResource, RoutingSubscription};
use crate::verify::{Verifier, catalogue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// The tables that a configuration has one of at least.
const TABLES: [&str; 4] = ["source", "resource", "plugin", "subscription"];

/// A configuration that was read and checked: what the component loads, and for the shell each source and each subscription as
/// it is written. What the shell looks up of it while it works is a [`Directory`](super::Directory).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployment {
    /// The argument of the contract's `load`.
    pub routing: Box<RawValue>,
    /// The sources, by name.
    pub(super) sources: BTreeMap<String, Box<RawValue>>,
    /// The subscriptions, by id.
    pub(super) subscriptions: BTreeMap<String, Box<RawValue>>,
    /// The plugins, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) plugins: BTreeMap<String, EdgePlugin>,
    /// The resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<RoutingResource>,
    /// Those of the subscriptions that are of resources, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) followers: BTreeMap<String, Enrolled>,
    /// The longest that anything can be put off, in milliseconds.
    pub horizon: u64,
}

impl Deployment {
    /// Reads a document: `{"source": […], "resource": […], "plugin": […], "subscription": […]}`. Whether the component loads it remains to be seen.
    ///
    /// # Errors
    ///
    /// Every problem of it at once. A document without any of these tables is none: who means to take nothing in says so with an
    /// empty one.
    pub fn read(document: &Value) -> Result<Self, Vec<Problem>> {
        let mut problems = refusals(document);
        if document.is_object() && TABLES.iter().all(|table| document.get(table).is_none()) {
            let message =
                format!("there is none of the tables of a configuration in it: {}", TABLES.join(", "));
            problems.push(Problem::new("", message).with_hint("`source = []` says that nothing is taken in"));
        }
        let mut known = document.clone();
        if let Some(members) = known.as_object_mut() {
            // The first two are refused already.
            for table in ["topic", "api", "plugin"] {
                members.remove(table);
            }
        }
        let read = match read_document(&known) {
            Ok(read) => read,
            Err((read, found)) => {
                let is_new = |problem: &Problem| !problems.iter().any(|known| known.path == problem.path);
                let found: Vec<Problem> = found.into_iter().filter(is_new).collect();
                problems.extend(found);
                read
            }
        };
        let (plugins, wrong) = read_plugins(document);
        problems.extend(wrong);
        if problems.iter().all(|problem| !problem.path.starts_with("plugin")) {
            problems.extend(unknown_plugins(&plugins, &read.subscriptions));
        }
        for (path, source) in &read.sources {
            let judged = Verifier::judge(path, &source.verification).beside(&problems);
            problems.extend(judged.result.err().into_iter().flatten());
        }
        for (path, subscription) in &read.subscriptions {
            if subscription.delivery.timeout > LONGEST_ATTEMPT {
                let path = key_path(&key_path(path, "delivery"), "timeout");
                problems.push(Problem::new(path, "an attempt may take a minute at most here"));
            }
        }
        let known: Vec<String> = problems.iter().map(|problem| problem.path.clone()).collect();
        let of_resources = review(&read.resources, &read.subscriptions);
        problems.extend(of_resources.into_iter().filter(|problem| !known.contains(&problem.path)));
        if !problems.is_empty() {
            return Err(problems);
        }
        Self::of(document, &read, plugins).map_err(|error| vec![Problem::new("", error.to_string())])
    }

    fn of(
        document: &Value,
        read: &Document,
        plugins: BTreeMap<String, EdgePlugin>,
    ) -> serde_json::Result<Self> {
        let named = |table: &str, key: &str| -> serde_json::Result<BTreeMap<String, Box<RawValue>>> {
            let items = document.get(table).and_then(Value::as_array).into_iter().flatten();
            let named = items.filter_map(|item| Some((item.get(key)?.as_str()?.to_owned(), item)));
            named.map(|(name, item)| Ok((name, serde_json::value::to_raw_value(item)?))).collect()
        };
        let horizon = read.subscriptions.iter().map(|(_, subscription)| {
            let retry = &subscription.delivery.retry;
            // Jitter makes a wait twice as long at most.
            retry.longest_wait().saturating_mul(2).max(retry.max_retry_after)
        });
        let followers = read
            .subscriptions
            .iter()
            .filter_map(|(_, subscription)| Some((subscription.id.clone(), Enrolled::new(subscription)?)));
        let followers: BTreeMap<String, Enrolled> = followers.collect();
        let mut routing = RoutingDocument::from(read);
        let subscriptions = read.subscriptions.iter().map(|(_, subscription)| subscription.into());
        routing.subscription = subscriptions.map(|routed| enrolled(routed, &followers)).collect();
        let resources = routing.resource.clone();
        Ok(Self {
            routing: serde_json::value::to_raw_value(&routing)?,
            plugins,
            resources,
            followers,
            sources: named("source", "name")?,
            subscriptions: named("subscription", "id")?,
            horizon: horizon
                .max()
                .map_or(0, |longest| u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)),
        })
    }

    /// The same as the configuration of this number, after the one that was in use before: its subscriptions of resources have
    /// since when they are, and the filters that they had.
    ///
    /// # Errors
    ///
    /// What cannot be changed of what was there before.
    pub fn enrol(self, before: Option<&Self>, number: u64) -> Result<Self, Vec<Problem>> {
        let broken = |error: serde_json::Error| vec![Problem::new("", error.to_string())];
        let mut routing: RoutingDocument = serde_json::from_str(self.routing.get()).map_err(broken)?;
        let mut problems = Vec::new();
        for (index, resource) in self.resources.iter().enumerate() {
            let old = before.and_then(|before| before.resources.iter().find(|old| old.id == resource.id));
            if old.is_some_and(|old| shape(old) != shape(resource)) {
                let path = key_path(&item_path("resource", index), "endpoint");
                let problem = Problem::new(path, "the documents of a resource cannot become others");
                problems.push(problem.with_hint("make another resource"));
            }
        }
        let mut followers = BTreeMap::new();
        for (index, routed) in routing.subscription.iter_mut().enumerate() {
            let id = subscription_of(&routed.id).to_owned();
            let Some(new) = self.followers.get(&id) else { continue };
            let old = before.and_then(|before| before.followers.get(&id));
            match new.clone().after(old, number) {
                Ok(new) => drop(followers.insert(id.clone(), new)),
                Err(problem) => {
                    let path = key_path(&item_path("subscription", index), &problem.path);
                    problems.push(Problem { path, ..problem });
                }
            }
            *routed = enrolled(RoutingSubscription { id, ..routed.clone() }, &followers);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let routing = serde_json::value::to_raw_value(&routing).map_err(broken)?;
        Ok(Self { routing, followers, ..self })
    }

    /// Whether it has anything to do with documents: then what is kept of them depends on the configurations before.
    #[must_use]
    pub fn has_documents(&self) -> bool {
        !self.resources.is_empty()
    }

    /// The names of its sources.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The ids of its subscriptions.
    pub fn subscriptions(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.keys().map(String::as_str)
    }
}

/// A source as it is kept.
pub(super) fn read_kept_source(text: &[u8]) -> Option<SourceConfig> {
    read_source(&serde_json::from_slice(text).ok()?, "source").0
}

/// A subscription as it is kept.
pub(super) fn read_kept_subscription(text: &[u8]) -> Option<SubscriptionConfig> {
    read_subscription(&serde_json::from_slice(text).ok()?, "subscription").ok()
}

/// A subscription as the component has it.
fn enrolled(routed: RoutingSubscription, followers: &BTreeMap<String, Enrolled>) -> RoutingSubscription {
    match followers.get(&routed.id) {
        Some(follower) => RoutingSubscription {
            id: follower.name(&routed.id),
            interest: Some(follower.interest()),
            ..routed
        },
        None => routed,
    }
}

/// Which documents are a resource's, whatever its wildcards are called.
fn shape(resource: &RoutingResource) -> Option<String> {
    ResourcePattern::parse(&resource.endpoint).ok().map(|pattern| pattern.shape())
}

/// The hosts that a configuration calls, as a Spin manifest lists them in `allowed_outbound_hosts`: those of the endpoints, and
/// those that schemes fetch certificates and keys from, and the plugins' own.
#[must_use]
pub fn outbound_hosts(document: &Value) -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    let items = |table: &str| document.get(table).and_then(Value::as_array).into_iter().flatten();
    for subscription in items("subscription") {
        hosts.extend(super::refusal::urls(subscription).filter_map(|(_, url)| host(url)));
    }
    let plugins = items("plugin").filter_map(|plugin| plugin.get("name")?.as_str());
    hosts.extend(plugins.map(plugin_origin));
    for source in items("source") {
        let scheme = source.get("scheme").and_then(Value::as_str).unwrap_or_default();
        if let Some(known) = catalogue().iter().find(|known| known.name == scheme)
            && let Ok(definition) = serde_json::from_str(known.scheme)
        {
            pinned(&definition, &mut hosts);
        }
        source.get("definition").into_iter().for_each(|definition| pinned(definition, &mut hosts));
    }
    hosts
}

/// `https://host:port` of a URL, with the port that its scheme has if it names none.
fn host(url: &str) -> Option<String> {
    let uri: http::Uri = url.split(['{', '#']).next()?.parse().ok()?;
    let scheme = uri.scheme_str()?;
    let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
    Some(format!("{scheme}://{}:{port}", uri.host()?))
}

/// The hosts of the URLs that a scheme's definition pins. A `*` in the middle of a name is none of Spin's, which takes one as the
/// first label: what is behind it is the provider's own.
fn pinned(definition: &Value, hosts: &mut BTreeSet<String>) {
    match definition {
        Value::String(text) => {
            let Some(rest) = text.strip_prefix("https://") else { return };
            let host = rest.split(['/', '?']).next().unwrap_or_default();
            let host = match host.rsplit_once('*') {
                Some((_, own)) => format!("*.{}", own.trim_start_matches(['.', '-'])),
                None => host.to_owned(),
            };
            hosts.insert(format!("https://{host}:443"));
        }
        Value::Array(items) => items.iter().for_each(|item| pinned(item, hosts)),
        Value::Object(members) => members.values().for_each(|member| pinned(member, hosts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::Directory;
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        json!({
            "source": [{ "name": "shop", "scheme": "none" }],
            "subscription": [{
                "id": "a", "filter": "event.type == \"x\"",
                "endpoint": { "url": "https://hooks.example.com/{event.id}" },
                "delivery": { "timeout": "5s" },
            }],
        })
    }

    #[test]
    fn what_is_kept_gives_back_what_was_written() {
        let kept = serde_json::to_vec(&Deployment::read(&document()).unwrap()).unwrap();
        let kept: Deployment = serde_json::from_slice(&kept).unwrap();
        let directory = Directory::of(&kept).unwrap();
        assert_eq!(directory.subscription("a").unwrap().delivery.timeout.as_secs(), 5);
        assert_eq!(directory.source("shop").unwrap().verification.scheme, "none");
        assert!(directory.subscription("b").is_none() && directory.source("a").is_none());
        assert!(crate::router::Router::load(kept.routing.get().as_bytes()).is_ok());
        assert!(kept.horizon >= 24 * 3_600_000);
    }

    #[test]
    fn a_subscription_names_plugins_that_there_are() {
        let mut document = document();
        document["subscription"][0]["plugins"] = json!([{ "name": "geo", "on_error": "hold" }]);
        document["plugin"] = json!([{ "name": "size", "path": "s.wasm" }]);
        let problems = Deployment::read(&document).unwrap_err();
        assert_eq!(problems[0].path, "subscription[0].plugins[0].name");
        document["plugin"][0]["name"] = json!("geo");
        let kept = serde_json::to_vec(&Deployment::read(&document).unwrap()).unwrap();
        let kept: Deployment = serde_json::from_slice(&kept).unwrap();
        let directory = Directory::of(&kept).unwrap();
        assert_eq!(directory.plugin("geo").map(|plugin| plugin.timeout_ms), Some(100));
        assert_eq!(directory.subscription("a").unwrap().plugins[0].name, "geo");
        // What is wrong with a plugin is told once, and not again of who names it.
        document["plugin"][0]["name"] = json!("Geo");
        let paths: Vec<String> =
            Deployment::read(&document).unwrap_err().into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["plugin[0].name"]);
    }

    #[test]
    fn what_has_nothing_of_a_configuration_is_none() {
        for document in [json!({}), json!({ "topic": [] })] {
            let problems = Deployment::read(&document).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].message.contains("source, resource, plugin, subscription"), "{problems:?}");
        }
        for document in [json!(null), json!([]), json!("source"), json!(1)] {
            assert!(Deployment::read(&document).is_err(), "{document}");
        }
        assert_eq!(Deployment::read(&json!({ "source": [] })).unwrap().sources().count(), 0);
        // What is misspelt is told as that, too.
        let problems = Deployment::read(&json!({ "sources": [] })).unwrap_err();
        assert!(problems.iter().any(|problem| problem.path == "sources"), "{problems:?}");
    }

    #[test]
    fn every_problem_is_told_at_once_and_none_twice() {
        let mut document = document();
        document["source"][0]["scheme"] = json!("no-such");
        document["topic"] = json!([{}]);
        document["subscription"][0]["delivery"]["timeout"] = json!("2m");
        document["subscription"][0]["endpoint"]["headers"] = json!({ "x-a": "env:KEY" });
        let paths: Vec<String> =
            Deployment::read(&document).unwrap_err().into_iter().map(|problem| problem.path).collect();
        assert_eq!(
            paths,
            [
                "subscription[0].endpoint.headers.x-a",
                "topic",
                "source[0].scheme",
                "subscription[0].delivery.timeout"
            ]
        );
    }

    #[test]
    fn hosts_are_those_that_are_called_and_no_others() {
        let document = json!({
            "source": [{ "name": "a", "scheme": "aws-sns" }, { "name": "b", "scheme": "github" }],
            "subscription": [
                { "endpoint": { "url": "https://hooks.example.com/{event.id}" } },
                { "endpoint": { "url": "http://10.0.0.1:8080/x" } },
                { "endpoint": { "url": "https://hooks.example.com/y" } },
            ],
            "plugin": [{ "name": "geo", "path": "geo.wasm" }],
        });
        let hosts: Vec<String> = outbound_hosts(&document).into_iter().collect();
        assert_eq!(
            hosts,
            [
                "http://10.0.0.1:8080",
                "http://plugin-geo.spin.internal",
                "https://*.amazonaws.com.cn:443",
                "https://*.amazonaws.com:443",
                "https://hooks.example.com:443"
            ]
        );
    }
}
