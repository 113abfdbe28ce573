//! Resources: whose documents are told of, and how their subscribers are told.

use super::{EndpointConfig, EndpointUrl, Secret, Template};
use crate::resource::{Action, Change, Part, REVISION, ResourcePattern, parts};
use serde_json::{Map, Value};
use std::time::Duration;

/// A resource, valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceConfig {
    /// Its id: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub id: String,
    /// Which documents are its.
    pub pattern: ResourcePattern,
    /// Which field of them says how new they are.
    pub change: Change,
    /// How long the revision of a deleted document is remembered, so that an older one is no news.
    pub tombstones: Option<Duration>,
}

/// How the subscriber of a resource is told of its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationConfig {
    /// The resource.
    pub resource: String,
    /// Whether every revision is told, rather than the last one when the delivery runs.
    pub every: bool,
    /// Whether it is told of everything that exists when it subscribes.
    pub backfill: bool,
    /// Whether the document stands in an envelope.
    pub envelope: bool,
    /// Whether the document is sent.
    pub document: bool,
    /// Whether it is sent as an event in CloudEvents' JSON format instead.
    pub cloudevent: bool,
    /// What stands in the envelope besides.
    pub data: Map<String, Value>,
    /// Whether the endpoint has a URL of its own, rather than one for each action.
    pub has_url: bool,
    /// What is another for an action.
    pub actions: Vec<(Action, ActionConfig)>,
}

/// Header fields, by lower-case name: those that are always the same, and those that depend on the document.
pub type ActionHeaders = (Vec<(String, Secret)>, Vec<(String, Template)>);

/// What of an endpoint is another for one action. What is not said is as it is for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActionConfig {
    /// Where requests go, and what of the path and the query depends on the document.
    pub url: Option<(EndpointUrl, Option<Template>)>,
    /// The method.
    pub method: Option<String>,
    /// The header fields, all of them, and those that depend on the document.
    pub headers: Option<ActionHeaders>,
}

impl NotificationConfig {
    /// Where an action is told.
    #[must_use]
    pub fn endpoint(&self, main: &EndpointConfig, action: Action) -> EndpointConfig {
        let mut endpoint = main.clone();
        let Some((_, own)) = self.actions.iter().find(|(known, _)| *known == action) else { return endpoint };
        if let Some((url, target)) = &own.url {
            endpoint.url = url.clone();
            endpoint.templates.target.clone_from(target);
        }
        if let Some(method) = &own.method {
            endpoint.method.clone_from(method);
        }
        if let Some((headers, templates)) = &own.headers {
            endpoint.headers.clone_from(headers);
            endpoint.templates.headers.clone_from(templates);
        }
        endpoint
    }

    /// The wildcards that stand anywhere and that a resource of this pattern has not, each with its place; `{revision}` is one of
    /// none.
    #[must_use]
    pub fn unknown_wildcards(
        &self,
        main: &EndpointConfig,
        pattern: &ResourcePattern,
    ) -> Vec<(String, String)> {
        let of_endpoint = self.wildcards(main).into_iter().map(|name| ("endpoint".to_owned(), name));
        let of_data = self.data.iter().flat_map(|(key, value)| {
            let found = value.as_str().map(parts).and_then(Result::ok).unwrap_or_default();
            let names = found.into_iter().filter_map(|part| match part {
                Part::Wildcard(name) => Some(name.to_owned()),
                Part::Text(_) => None,
            });
            names.map(|name| (format!("notification.data.{key}"), name)).collect::<Vec<_>>()
        });
        let is_known = |name: &str| name == REVISION || pattern.wildcards().any(|known| known == name);
        of_endpoint.chain(of_data).filter(|(_, name)| !is_known(name)).collect()
    }

    /// The wildcards that stand in the URLs and the header fields, those of the actions included.
    #[must_use]
    pub fn wildcards(&self, main: &EndpointConfig) -> Vec<String> {
        let actions = Action::ALL.into_iter().map(|action| self.endpoint(main, action));
        let mut names: Vec<String> =
            actions.flat_map(|endpoint| endpoint.templates.expressions().collect::<Vec<_>>()).collect();
        names.sort();
        names.dedup();
        names
    }
}
