//! What a shell looks up of a configuration while it works: packed, so that an instance which has just started reads the sources and
//! subscriptions of the one event, and not all of them.

use super::deployment::{Deployment, read_kept_source, read_kept_subscription};
use super::enrolment::Enrolled;
use super::plugin::EdgePlugin;
use crate::config::{SourceConfig, SubscriptionConfig};
use crate::resource::{ResourcePattern, ResourceTree};
use crate::router::RoutingResource;
use anglerfish_filter::pack::{Catalogue, Reader, Section, Writer, open, seal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is packed: another number where it is read in another way, or means something else.
const NAME: &str = concat!("anglerfish directory 1 ", env!("CARGO_PKG_VERSION"));

/// A configuration, as a shell looks things up in it.
#[derive(Debug, Clone)]
pub struct Directory {
    head: Head,
    sources: Section,
    subscriptions: Section,
}

/// What is read at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Head {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    plugins: BTreeMap<String, EdgePlugin>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resources: Vec<RoutingResource>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    followers: BTreeMap<String, Enrolled>,
    horizon: u64,
}

impl Directory {
    /// Packs what is looked up of a configuration.
    ///
    /// # Errors
    ///
    /// It cannot be written as JSON.
    pub fn pack(deployment: &Deployment) -> serde_json::Result<Vec<u8>> {
        let Deployment { plugins, resources, followers, horizon, sources, subscriptions, .. } = deployment;
        let head = Head {
            plugins: plugins.clone(),
            resources: resources.clone(),
            followers: followers.clone(),
            horizon: *horizon,
        };
        let mut all = Writer::default();
        all.bytes(&serde_json::to_vec(&head)?);
        for named in [sources, subscriptions] {
            let items = named.iter().map(|(name, text)| (name.as_str(), text.get().as_bytes()));
            all.bytes(&Catalogue::write(items));
        }
        Ok(seal(NAME, &all.finish()))
    }

    /// Reads what [`Directory::pack`] of the same version packed.
    ///
    /// # Errors
    ///
    /// It is of another version, or damaged.
    pub fn read(packed: Vec<u8>) -> Result<Self, String> {
        let content = open(NAME, &packed)?;
        let section = Section::new(packed).part(content);
        let read = || {
            let section = section?;
            let mut reader = Reader::new(section.bytes());
            let head = serde_json::from_slice(reader.bytes()?).ok()?;
            let (sources, subscriptions) = (section.part(reader.range()?)?, section.part(reader.range()?)?);
            Some(Self { head, sources, subscriptions })
        };
        read().ok_or_else(|| "it cannot be read".to_owned())
    }

    /// What a shell looks up of a configuration that was read.
    ///
    /// # Errors
    ///
    /// It cannot be written as JSON, or read again.
    pub fn of(deployment: &Deployment) -> Result<Self, String> {
        Self::read(Self::pack(deployment).map_err(|error| error.to_string())?)
    }

    /// The longest that anything can be put off, in milliseconds.
    #[must_use]
    pub const fn horizon(&self) -> u64 {
        self.head.horizon
    }

    /// What the component knows a subscription of a resource by; `None` if it is none.
    #[must_use]
    pub fn follower(&self, id: &str) -> Option<String> {
        Some(self.head.followers.get(id)?.name(id))
    }

    /// The resources by their patterns.
    #[must_use]
    pub fn tree(&self) -> ResourceTree {
        let mut tree = ResourceTree::default();
        for resource in &self.head.resources {
            if let Ok(pattern) = ResourcePattern::parse(&resource.endpoint) {
                // The document that they were read from has no two of one shape.
                let _ = tree.insert(&pattern, &resource.id);
            }
        }
        tree
    }

    /// How many sources there are.
    #[must_use]
    pub fn sources(&self) -> usize {
        Catalogue::read(self.sources.bytes()).map_or(0, |sources| sources.len())
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        Catalogue::read(self.subscriptions.bytes()).map_or(0, |subscriptions| subscriptions.len())
    }

    /// A plugin, if there is one of this name.
    #[must_use]
    pub fn plugin(&self, name: &str) -> Option<&EdgePlugin> {
        self.head.plugins.get(name)
    }

    /// A source, if there is one of this name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<SourceConfig> {
        read_kept_source(Catalogue::read(self.sources.bytes())?.find(name)?)
    }

    /// A subscription, if there is one of this id.
    #[must_use]
    pub fn subscription(&self, id: &str) -> Option<SubscriptionConfig> {
        read_kept_subscription(Catalogue::read(self.subscriptions.bytes())?.find(id)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_looked_up_is_what_was_written() {
        let subscription = |number: u64| {
            json!({
                "id": format!("s{number}"), "filter": "event.type == \"x\"", "plugins": [{ "name": "geo" }],
                "endpoint": { "url": format!("https://hooks.example.com/{number}") },
                "delivery": { "timeout": format!("{}s", number + 1) },
            })
        };
        let document = json!({
            "source": [{ "name": "shop", "scheme": "none" }, { "name": "forge", "scheme": "github", "secrets": ["abc"] }],
            "plugin": [{ "name": "geo", "path": "geo.wasm" }],
            "resource": [{ "id": "users", "endpoint": "https://api.example.com/users/{id}", "change": { "field": "n" } }],
            "subscription": (0..50).map(subscription).collect::<Vec<_>>(),
        });
        let deployment = Deployment::read(&document).unwrap();
        let packed = Directory::pack(&deployment).unwrap();
        let directory = Directory::read(packed.clone()).unwrap();
        assert_eq!((directory.sources(), directory.subscriptions()), (2, 50));
        assert_eq!(directory.source("forge").unwrap().verification.scheme, "github");
        for number in 0..50 {
            let found = directory.subscription(&format!("s{number}")).unwrap();
            assert_eq!((found.id, found.delivery.timeout.as_secs()), (format!("s{number}"), number + 1));
        }
        assert!(directory.subscription("s").is_none() && directory.source("s0").is_none());
        assert!(directory.plugin("geo").is_some() && directory.plugin("s0").is_none());
        assert_eq!(directory.horizon(), deployment.horizon);
        assert!(directory.follower("s0").is_none());
        assert!(Directory::read(packed[..packed.len() - 1].to_vec()).unwrap_err().contains("damaged"));
        assert!(Directory::read(b"{}".to_vec()).is_err());
    }
}
