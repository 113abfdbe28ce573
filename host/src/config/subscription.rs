//! Subscriptions that are written at run time.

use super::network::NetworkList;
use super::reference::ReferenceList;
use super::secret::{Resolver, has_reference};
use anglerfish_core::config::{EndpointConfig, SubscriptionConfig, read_endpoint, read_subscription};
use anglerfish_core::problem::Problem;
use serde_json::Value;

/// Reads subscriptions that are written at run time as the configuration's file is read.
#[derive(Debug, Clone)]
pub struct SubscriptionReader {
    resolver: Resolver,
    allow_networks: Vec<String>,
    allow_for_documents: Vec<String>,
    references: ReferenceList,
    networks: NetworkList,
}

impl SubscriptionReader {
    /// `references` and `networks` say what may be used at run time; `allow_networks` are open to all subscriptions,
    /// `allow_for_documents` to those of resources.
    pub(crate) fn new(
        resolver: Resolver,
        allow_networks: Vec<String>,
        allow_for_documents: Vec<String>,
        references: ReferenceList,
        networks: NetworkList,
    ) -> Self {
        Self { resolver, allow_networks, allow_for_documents, references, networks }
    }

    /// Reads a subscription's document (JSON) and resolves its references to secrets.
    ///
    /// Only the references that `admin.references` names are taken.
    ///
    /// # Errors
    ///
    /// With every problem that it has.
    pub fn read(&self, document: &[u8]) -> Result<SubscriptionConfig, Vec<Problem>> {
        let mut value: Value = serde_json::from_slice(document)
            .map_err(|error| vec![Problem::new("", format!("the document is not JSON: {error}"))])?;
        let written = value.clone();
        let permitted = |reference: &str| self.references.permits(reference);
        let mut problems = self.resolver.resolve_subscription(&mut value, "", &permitted);
        let read = read_subscription(&value, "");
        // Judged by itself, so that what else is wrong does not hide it.
        let alone = match &read {
            Ok(subscription) => subscription.endpoint.clone(),
            Err(_) => value.get("endpoint").and_then(|value| read_endpoint(value, "endpoint").ok()),
        };
        if let Some(endpoint) = alone {
            problems.extend(self.networks.refuse(&endpoint, "endpoint"));
        }
        match read {
            Ok(mut subscription) if problems.is_empty() => {
                if let Some(endpoint) = &mut subscription.endpoint {
                    allow(endpoint, &self.allow_networks);
                    if subscription.notification.is_some() {
                        allow(endpoint, &self.allow_for_documents);
                    }
                    hide_url(endpoint, &written);
                }
                return Ok(subscription);
            }
            Ok(_) => {}
            Err(found) => {
                let known: Vec<String> = problems.iter().map(|problem| problem.path.clone()).collect();
                problems.extend(found.into_iter().filter(|problem| !known.contains(&problem.path)));
            }
        }
        Err(problems)
    }
}

/// Opens the networks that are open to all subscriptions.
pub(crate) fn allow(endpoint: &mut EndpointConfig, networks: &[String]) {
    endpoint.allow_networks.extend_from_slice(networks);
}

/// A URL that a reference gives, as a whole or in a part, is a secret as a whole.
pub(crate) fn hide_url(endpoint: &mut EndpointConfig, written: &Value) {
    let url = written.pointer("/endpoint/url").and_then(Value::as_str);
    if url.is_some_and(has_reference) {
        endpoint.url.hide();
    }
}
