//! The configuration document as a shell hands it to the component: read, checked and with its secrets resolved.
//!
//! What people write is read by [`crate::config`]; this is the part of it that decisions need.

use super::render::RenderConfig;
use super::resource::{RoutingInterest, RoutingResource};
use crate::config::{Document, OrderingConfig, ResourceConfig, SubscriptionConfig};
use crate::verify::VerificationConfig;
use serde::{Deserialize, Serialize};

/// Sources and subscriptions. Its JSON form is the argument of the contract's `load`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingDocument {
    /// Where requests come in.
    pub source: Vec<RoutingSource>,
    /// Whose documents are told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource: Vec<RoutingResource>,
    /// Who wants events.
    #[serde(default)]
    pub subscription: Vec<RoutingSubscription>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingSource {
    /// Its name.
    pub name: String,
    /// How its requests are verified.
    pub verification: VerificationConfig,
}

/// What decides whether a subscription wants an event. Its JSON form is the argument of the contract's
/// `put-subscription`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingSubscription {
    /// Its id.
    pub id: String,
    /// The sources that it listens to; empty means all of them.
    #[serde(default)]
    pub sources: Vec<String>,
    /// A CEL expression; without one every event of the sources matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Which of its deliveries wait for each other.
    #[serde(default, skip_serializing_if = "OrderingConfig::is_none")]
    pub ordering: OrderingConfig,
    /// What is made of its events when they are sent.
    #[serde(default, skip_serializing_if = "RenderConfig::is_empty")]
    pub render: RenderConfig,
    /// The resource whose documents it is told of; it gets no other events then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest: Option<RoutingInterest>,
}

impl From<&SubscriptionConfig> for RoutingSubscription {
    fn from(config: &SubscriptionConfig) -> Self {
        Self {
            id: config.id.clone(),
            sources: config.sources.clone(),
            filter: config.filter.clone(),
            ordering: config.delivery.ordering.clone(),
            render: RenderConfig {
                transform: config.delivery.transform.clone(),
                values: config
                    .endpoint
                    .iter()
                    .flat_map(|endpoint| endpoint.templates.expressions())
                    .collect(),
                data: { config.endpoint.iter() }
                    .filter_map(|endpoint| endpoint.templates.data.as_ref())
                    .flat_map(|data| data.pieces.iter().cloned())
                    .collect(),
            },
            // When it subscribed is known to the shell alone.
            interest: None,
        }
    }
}

impl From<&ResourceConfig> for RoutingResource {
    fn from(config: &ResourceConfig) -> Self {
        Self {
            id: config.id.clone(),
            endpoint: config.pattern.as_str().to_owned(),
            field: config.change.field.clone(),
            format: config.change.layout.as_ref().map(|layout| layout.as_str().to_owned()),
            tombstones: config.tombstones.map(|kept| u64::try_from(kept.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

impl From<&Document> for RoutingDocument {
    fn from(document: &Document) -> Self {
        let source = document.sources.iter().map(|(_, source)| RoutingSource {
            name: source.name.clone(),
            verification: source.verification.clone(),
        });
        // Those of resources are put once it is known since when they are.
        let ordinary =
            document.subscriptions.iter().filter(|(_, subscription)| subscription.notification.is_none());
        let subscription = ordinary.map(|(_, subscription)| RoutingSubscription::from(subscription));
        let resource = document.resources.iter().map(|(_, resource)| RoutingResource::from(resource));
        Self { source: source.collect(), resource: resource.collect(), subscription: subscription.collect() }
    }
}
