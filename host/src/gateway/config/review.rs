//! What is wrong or odd in a configuration whose parts are valid each by itself.

use crate::config::{allow, forgotten_within, hide_url, window_key};
use crate::gateway::routing::source_facts;
use crate::outbound::{OutboundConfig, endpoint_problem, tls_problem};
use crate::passive::OutConfig;
use anglerfish_core::config::{
    Document, EndpointConfig, NotificationConfig, OrderingConfig, ResourceConfig, SourceConfig,
    SubscriptionConfig, TopicConfig, TopicPattern, item_path, key_path, read_endpoint,
};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::ResourcePattern;
use anglerfish_core::router::{
    RenderConfig, RoutingDocument, RoutingSource, RoutingSubscription, SourceFacts, check_document_filter,
    review_filter,
};
use anglerfish_filter::Expression;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// What is odd about the filters of a document that has no problems, of the sources that there are.
pub(super) fn filters(document: &Document) -> Vec<Problem> {
    let routing = RoutingDocument::from(document);
    let sources: Vec<SourceFacts<'_>> = routing.source.iter().map(source_facts).collect();
    let ordinary =
        document.subscriptions.iter().filter(|(_, subscription)| subscription.notification.is_none());
    let review = |(path, subscription): &(String, SubscriptionConfig)| {
        filter(path, &RoutingSubscription::from(subscription), &sources)
    };
    ordinary.flat_map(review).collect()
}

fn filter(path: &str, subscription: &RoutingSubscription, sources: &[SourceFacts<'_>]) -> Vec<Problem> {
    let found = review_filter(subscription, sources).into_iter();
    found.map(|problem| Problem { path: key_path(path, &problem.path), ..problem }).collect()
}

/// Where deliveries would be refused as things are.
pub(super) fn endpoint(path: &str, endpoint: &EndpointConfig, outbound: &OutboundConfig) -> Option<Problem> {
    endpoint_problem(endpoint, outbound.proxy_resolves())
        .map(|problem| Problem::new(format!("{path}.endpoint.url"), problem))
}

/// What of TLS with an endpoint cannot be used.
pub(super) fn tls(path: &str, subscription: &SubscriptionConfig) -> Option<Problem> {
    let endpoint = subscription.endpoint.as_ref()?;
    let (key, problem) = tls_problem(endpoint)?;
    Some(Problem::new(format!("{path}.endpoint.{key}"), problem))
}

/// What is wrong with a subscription of a resource that its table alone does not say. Which resources were made at run time
/// is not known here.
pub(super) fn notification(
    path: &str,
    subscription: &SubscriptionConfig,
    resources: &[(String, ResourceConfig)],
) -> Vec<Problem> {
    let Some(notification) = &subscription.notification else { return Vec::new() };
    let below = |problem: Problem| Problem { path: key_path(path, &problem.path), ..problem };
    let filter = subscription.filter.as_deref().map(check_document_filter);
    let mut problems: Vec<Problem> = filter.and_then(Result::err).into_iter().flatten().map(below).collect();
    let resource = resources.iter().find(|(_, resource)| resource.id == notification.resource);
    if let (Some((_, resource)), Some(endpoint)) = (resource, &subscription.endpoint) {
        problems.extend(unknown_wildcards(notification, endpoint, &resource.pattern).map(below));
    }
    problems
}

/// Wildcards of an endpoint that its resource has not.
pub(in crate::gateway) fn unknown_wildcards(
    notification: &NotificationConfig,
    endpoint: &EndpointConfig,
    pattern: &ResourcePattern,
) -> impl Iterator<Item = Problem> {
    let names = notification.unknown_wildcards(endpoint, pattern).into_iter();
    names.map(|(path, name)| {
        Problem::new(path, format!("has a wildcard '{name}' that is not at the resource"))
    })
}

/// What is odd about the subscriptions of a document that has problems: each filter and each endpoint by itself, whatever is
/// wrong around it. `routed` has references resolved, `written` has the subscriptions as they are written.
pub(super) fn subscriptions(
    routed: &Value,
    written: &[Value],
    sources: &[(String, SourceConfig)],
    networks: &[String],
    outbound: &OutboundConfig,
) -> Vec<Problem> {
    let sources = sources.iter().map(|(_, source)| RoutingSource {
        name: source.name.clone(),
        verification: source.verification.clone(),
    });
    let sources: Vec<RoutingSource> = sources.collect();
    let facts: Vec<SourceFacts<'_>> = sources.iter().map(source_facts).collect();
    let resolved = routed.get("subscription").and_then(Value::as_array).into_iter().flatten();
    let mut odd = Vec::new();
    for (index, (resolved, written)) in resolved.zip(written).enumerate() {
        let path = item_path("subscription", index);
        let names = resolved.get("sources").and_then(Value::as_array).into_iter().flatten();
        let subscription = RoutingSubscription {
            id: String::new(),
            sources: names.filter_map(Value::as_str).map(str::to_owned).collect(),
            filter: resolved.get("filter").and_then(Value::as_str).map(str::to_owned),
            // It says nothing of which events are wanted.
            ordering: OrderingConfig::None,
            render: RenderConfig::default(),
            interest: None,
        };
        odd.extend(filter(&path, &subscription, &facts));
        if let Some(Ok(mut read)) = resolved.get("endpoint").map(|value| read_endpoint(value, "")) {
            allow(&mut read, networks);
            hide_url(&mut read, written);
            odd.extend(endpoint(&path, &read, outbound));
        }
    }
    odd
}

/// What is wrong with the filters. When all else is well the component says that, and once is enough at start.
pub(super) fn filter_problems(subscriptions: &[Value]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, subscription) in subscriptions.iter().enumerate() {
        let Some(filter) = subscription.get("filter").and_then(Value::as_str) else { continue };
        // That one is empty is said where it is read.
        let compile = match subscription.get("resource") {
            None => Expression::compile,
            Some(_) => Expression::compile_for_documents,
        };
        let Err(error) = compile(filter) else { continue };
        let path = key_path(&item_path("subscription", index), "filter");
        problems.extend(error.problems.into_iter().filter(|_| !filter.trim().is_empty()).map(|problem| {
            Problem {
                line: u32::try_from(problem.line).ok(),
                column: u32::try_from(problem.column).ok(),
                ..Problem::new(path.clone(), problem.message)
            }
        }));
    }
    problems
}

/// Tokens are asked for at a listener that there may not be.
pub(in crate::gateway) fn unserved(
    subscription: &SubscriptionConfig,
    listen: Option<SocketAddr>,
) -> Option<Problem> {
    (listen.is_none() && !subscription.tokens.is_empty()).then(|| {
        let message = "nobody can lease or read with them: there is no `out.listen`";
        let hint = "write [out] and listen = \"127.0.0.1:8082\"";
        Problem::new("tokens", message).with_hint(hint)
    })
}

/// The same of topics.
pub(super) fn unserved_topics(document: &Document, out: &OutConfig) -> Option<Problem> {
    let (path, _) = document.topics.first().filter(|_| out.listen.is_none() && out.stomp.is_none())?;
    let hint = "write [out] and listen = \"127.0.0.1:8082\"";
    Some(
        Problem::new(path.clone(), "nobody can read it or publish to it: there is no `out.listen`")
            .with_hint(hint),
    )
}

/// Topics that fit an earlier pattern, too: that one's tokens and limits count for them.
pub(super) fn shadowed_topics(document: &Document) -> Vec<Problem> {
    let shadow = |(place, (path, topic)): (usize, &(String, TopicConfig))| {
        let earlier = document.topics.get(..place)?;
        let by = |is_meant: &dyn Fn(&TopicPattern) -> bool| {
            let found = earlier.iter().find(|(_, other)| is_meant(&other.name));
            found.map(|(path, other)| format!("\"{}\" ({path}), which stands before it", other.name))
        };
        let name = key_path(path, "name");
        if let Some(by) = by(&|other| other.covers(&topic.name)) {
            let message = format!("it is of no use: all its topics are topics of {by}");
            return Some(Problem::new(name, message).with_hint("put the narrower pattern first"));
        }
        let by = by(&|other| other.overlaps(&topic.name) && !topic.name.covers(other))?;
        Some(Problem::new(
            name,
            format!("some of its topics are topics of {by}, and go by what that one says"),
        ))
    };
    document.topics.iter().enumerate().filter_map(shadow).collect()
}

/// A topic that is to be read further back than events are kept.
pub(super) fn long_history(path: &str, topic: &TopicConfig, retention: Duration) -> Option<Problem> {
    topic.history.filter(|history| *history > retention).map(|history| {
        let message = format!(
            "{} is longer than events are kept, which is {} (`store.retention`)",
            humantime::format_duration(history),
            humantime::format_duration(retention)
        );
        Problem::new(key_path(path, "history"), message)
            .with_hint("leave it out to read as far back as events are kept, or raise `store.retention`")
    })
}

/// Secrets of a source of which none counts at this moment: every request will be refused.
pub(super) fn inactive(path: &str, source: &SourceConfig, now: UnixMillis) -> Option<Problem> {
    let secrets = &source.verification.secrets;
    (!secrets.is_empty() && !secrets.iter().any(|secret| secret.counts_at(now))).then(|| {
        let message = "none of them counts now (`not_before`, `not_after`): every request will be refused";
        Problem::new(format!("{path}.secrets"), message)
    })
}

/// Secrets of an endpoint of which none signs at this moment: nothing will be sent.
pub(in crate::gateway) fn unsigned(subscription: &SubscriptionConfig, now: UnixMillis) -> Option<Problem> {
    let secrets = &subscription.endpoint.as_ref()?.secrets;
    (!secrets.is_empty() && !secrets.iter().any(|secret| secret.signs_at(now))).then(|| {
        let message = "none of them signs now (`not_before`, `not_after`): no delivery will be sent";
        Problem::new("endpoint.secrets", message)
    })
}

/// A source whose window is longer than what was accepted is remembered, told where one of the two is written.
pub(super) fn forgetful(
    path: &str,
    source: &SourceConfig,
    window: u64,
    retention: Duration,
    retention_is_written: bool,
) -> Option<Problem> {
    let (message, hint) = forgotten_within(&source.name, window, retention)?;
    let path = match retention_is_written {
        true => "store.retention".to_owned(),
        false => format!("{path}.{}", window_key(source)),
    };
    Some(Problem::new(path, message).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::config::read_subscription;
    use serde_json::json;

    #[test]
    fn keys_of_which_none_signs_now_are_told() {
        let key = |ends: &str| json!({"value": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "not_after": ends});
        let (past, later) = ("2023-11-14T22:13:19Z", "2023-11-14T22:13:21Z");
        for (keys, is_told) in
            [(json!([key(past), key(past)]), true), (json!([key(past), key(later)]), false)]
        {
            let endpoint = json!({"url": "https://example.com/", "secrets": keys});
            let read = read_subscription(&json!({"id": "a", "endpoint": endpoint}), "").unwrap();
            assert_eq!(unsigned(&read, UnixMillis(1_700_000_000_000)).is_some(), is_told, "{keys}");
        }
    }
}
