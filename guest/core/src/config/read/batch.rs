//! Reading how many events go to an endpoint in one request.

use crate::config::{BatchConfig, ContentMode, DeliveryConfig, EndpointConfig};
use crate::node::{Node, Table};
use serde_json::Value;
use std::ops::RangeInclusive;
use std::time::Duration;

const MAX: RangeInclusive<u64> = 2..=1000;
const WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
const BYTES: RangeInclusive<u64> = 1024..=(16 << 20);

/// `{ max = 100, wait = "2s", max_bytes = "1MiB" }`, or `true`.
pub(super) fn read(node: &Node<'_>) -> Option<BatchConfig> {
    match node.value() {
        Value::Bool(false) => return None,
        Value::Bool(true) => return Some(BatchConfig::default()),
        _ => {}
    }
    let table = node.table(&["max", "wait", "max_bytes"])?;
    let mut config = BatchConfig::default();
    if let Some(max) = table.get("max") {
        config.max = usize::try_from(max.integer(MAX)?).ok()?;
    }
    if let Some(wait) = table.get("wait") {
        config.wait = wait.duration(WAIT)?;
    }
    if let Some(bytes) = table.get("max_bytes") {
        config.max_bytes = bytes.size(BYTES)?;
    }
    Some(config)
}

/// Reports what cannot be said of each event where several share a request: of the policy.
pub(super) fn review(policy: &Table<'_>, config: &DeliveryConfig) {
    if config.batch.is_none() {
        return;
    }
    if let Some(node) = policy.get("ordering").filter(|_| !config.ordering.is_none()) {
        let hint = "leave out one of the two: in order each delivery waits until the one before is settled";
        node.report_with_hint("events in order are sent one by one, and a batch has several", hint);
    }
    if let Some(node) = policy.get("forward_headers").filter(|_| !config.forward_headers.is_empty()) {
        let hint = "leave the key out, or the batch";
        node.report_with_hint("the events of a batch came with header fields of their own each", hint);
    }
    if let Some(node) = policy.get("content").filter(|_| config.content == ContentMode::CloudEventBinary) {
        let hint = "leave the key out for CloudEvents' batched mode, or write \"raw\" or \"envelope\" for a list of these";
        node.report_with_hint(
            "CloudEvents' binary mode has one event in a request, and a batch has several",
            hint,
        );
    }
}

/// The same of the endpoint.
pub(super) fn review_endpoint(subscription: &Table<'_>, config: &DeliveryConfig, endpoint: &EndpointConfig) {
    let depends = endpoint.templates.target.is_some() || !endpoint.templates.headers.is_empty();
    if config.batch.is_some()
        && depends
        && let Some(node) = subscription.get("endpoint")
    {
        let hint = "leave out what depends on the event, or `delivery.batch`";
        node.report_with_hint("all events of a batch share one URL and one set of header fields", hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_subscription;
    use serde_json::json;

    fn subscription(delivery: &Value, endpoint: &Value) -> Result<Option<BatchConfig>, Vec<String>> {
        let document = json!({"id": "a", "endpoint": endpoint, "delivery": delivery});
        let read = read_subscription(&document, "");
        read.map(|read| read.delivery.batch)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_batches() {
        let endpoint = json!({"url": "https://example.com/hook"});
        let batch = |max, millis, max_bytes| {
            Ok(Some(BatchConfig { max, wait: Duration::from_millis(millis), max_bytes }))
        };
        for (value, expected) in [
            (json!({}), batch(100, 1000, 1 << 20)),
            (json!(true), batch(100, 1000, 1 << 20)),
            (json!(false), Ok(None)),
            (json!({"max": 1000, "wait": "10ms", "max_bytes": "64KiB"}), batch(1000, 10, 64 << 10)),
        ] {
            assert_eq!(subscription(&json!({"batch": value}), &endpoint), expected, "{value}");
        }
        for (value, path) in [
            (json!({"max": 1}), "delivery.batch.max"),
            (json!({"wait": "2m"}), "delivery.batch.wait"),
            (json!({"wait": 2}), "delivery.batch.wait"),
            (json!({"max_bytes": 10}), "delivery.batch.max_bytes"),
            (json!({"size": 10}), "delivery.batch.size"),
            (json!(7), "delivery.batch"),
        ] {
            let problems = subscription(&json!({"batch": value}), &endpoint).unwrap_err();
            assert!(
                problems.len() == 1 && problems[0].starts_with(&format!("{path}: ")),
                "{value}: {problems:?}"
            );
        }
    }

    #[test]
    fn refuses_what_is_said_of_each_event_alone() {
        let endpoint = json!({"url": "https://example.com/hook"});
        for (delivery, endpoint, path) in [
            (json!({"batch": true, "ordering": "subscription"}), endpoint.clone(), "delivery.ordering"),
            (
                json!({"batch": true, "forward_headers": ["x-a"]}),
                endpoint.clone(),
                "delivery.forward_headers",
            ),
            (json!({"batch": true, "content": "cloudevent-binary"}), endpoint, "delivery.content"),
            (json!({"batch": true}), json!({"url": "https://example.com/{{ event.id }}"}), "endpoint"),
            (
                json!({"batch": true}),
                json!({"url": "https://example.com", "headers": {"x-type": "{{ event.type }}"}}),
                "endpoint",
            ),
        ] {
            let problems = subscription(&delivery, &endpoint).unwrap_err();
            assert!(
                problems.len() == 1 && problems[0].starts_with(&format!("{path}: ")),
                "{delivery}: {problems:?}"
            );
        }
    }
}
