//! What of a subscription has no effect, though it is valid: whoever wrote it means something by it.

use crate::ingress::is_telling;
use anglerfish_core::config::{DeliveryConfig, DeliveryMode, EndpointTls, SubscriptionConfig};
use anglerfish_core::problem::Problem;

/// What has no effect, with its place below the subscription.
pub(in crate::gateway) fn inert(subscription: &SubscriptionConfig) -> Vec<Problem> {
    let mut odd = Vec::new();
    let delivery = &subscription.delivery;
    odd.extend(delivery.forward_headers.patterns().filter_map(forwarded));
    if delivery.mode == DeliveryMode::Passive && subscription.notification.is_none() {
        odd.extend(pushing(delivery));
    }
    if let Some(endpoint) = &subscription.endpoint
        && endpoint.tls != EndpointTls::default()
        && endpoint.url.reveal().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
    {
        odd.push(
            Problem::new("endpoint.tls", "has no effect: the endpoint is called without TLS")
                .with_hint("write https:// in its url, or leave the table out"),
        );
    }
    odd
}

/// A field that is never there to be sent along.
fn forwarded(pattern: &str) -> Option<Problem> {
    is_telling(pattern.strip_suffix('*').unwrap_or(pattern)).then(|| {
        let message = format!("{pattern:?} sends nothing along: fields that carry credentials are not kept");
        let hint = "give the endpoint a field of its own in `endpoint.headers`";
        Problem::new("delivery.forward_headers", message).with_hint(hint)
    })
}

/// What is about pushing alone, by its key.
fn pushing(delivery: &DeliveryConfig) -> impl Iterator<Item = Problem> {
    let usual = DeliveryConfig::default();
    let said = [
        ("concurrency", delivery.concurrency != usual.concurrency),
        ("rate", delivery.rate != usual.rate),
        ("breaker", delivery.breaker != usual.breaker),
        ("disable_after", delivery.disable_after != usual.disable_after),
    ];
    said.into_iter().filter(|(_, is_said)| *is_said).map(|(key, _)| {
        let message = "has no effect on a passive subscription: its subscriber leases when and what it wants";
        Problem::new(format!("delivery.{key}"), message)
            .with_hint("leave the key out, or choose another mode")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::config::read_subscription;
    use serde_json::{Value, json};

    fn paths(document: &Value) -> Vec<String> {
        let read = read_subscription(document, "").unwrap();
        inert(&read).into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn what_has_no_effect_is_told_and_what_has_some_is_not() {
        let token = "0123456789abcdef";
        let push = |delivery: Value| json!({"id": "a", "endpoint": {"url": "https://example.com/"}, "delivery": delivery});
        let passive =
            |delivery: Value| json!({"id": "a", "mode": "passive", "tokens": [token], "delivery": delivery});
        let all =
            json!({"rate": {"per_second": 1}, "breaker": false, "disable_after": false, "concurrency": 3});
        assert!(paths(&push(all.clone())).is_empty());
        let keys = ["delivery.concurrency", "delivery.rate", "delivery.breaker", "delivery.disable_after"];
        assert_eq!(paths(&passive(all)), keys);
        assert!(paths(&passive(json!({"retry": {"delays": ["1s"]}, "backlog": {"max": 3}}))).is_empty());

        for (field, is_told) in [
            ("authorization", true),
            ("Cookie", true),
            ("x-api-key", true),
            ("x-session-*", true),
            ("x-github-*", false),
            ("user-agent", false),
        ] {
            let told = paths(&push(json!({"forward_headers": [field]})));
            assert_eq!(told.len(), usize::from(is_told), "{field}: {told:?}");
        }

        let pem = "-----BEGIN X-----";
        for (url, is_told) in
            [("http://example.com/", true), ("HTTP://example.com/", true), ("https://example.com/", false)]
        {
            let document = json!({"id": "a", "endpoint": {"url": url, "tls": {"roots": pem}}});
            assert_eq!(paths(&document).len(), usize::from(is_told), "{url}");
        }
    }
}
