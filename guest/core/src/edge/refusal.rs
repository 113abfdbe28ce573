//! What a configuration cannot ask for here.
//!
//! A key that would silently have no effect is refused where somebody relies on its effect. What only tunes is let through:
//! `docs/spin.md` lists both.

use crate::config::{item_path, key_path, refuse_references};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::time::Duration;

/// How long an attempt may last: what is sent is leased for little longer.
pub const LONGEST_ATTEMPT: Duration = Duration::from_mins(1);

/// Something that is refused unless it has one of these values.
struct Refusal {
    key: &'static str,
    but: &'static [&'static str],
    message: &'static str,
}

const fn refuse(key: &'static str, message: &'static str) -> Refusal {
    Refusal { key, but: &[], message }
}

const HINT: &str = "leave it out, or run the native gateway";

const TABLES: &[Refusal] = &[
    refuse("topic", "nobody can be connected here, so that there are no topics"),
    refuse("api", "no calls are made on behalf of others here"),
];

const SUBSCRIPTION: &[Refusal] = &[
    Refusal {
        key: "revisions",
        but: &["\"last\""],
        message: "deliveries do not wait for each other here, so that the newest revision is told and no other",
    },
    Refusal {
        key: "backfill",
        but: &["false"],
        message: "the documents that there are cannot be listed here, so that nobody can be told of them",
    },
    refuse("tokens", "there is no listener for subscribers who lease or read"),
    Refusal {
        key: "mode",
        but: &["\"push\""],
        message: "nothing is kept here for subscribers who lease or read, and there is no program to call",
    },
    refuse("flow", "there is no program here that has flows"),
    Refusal {
        key: "start",
        but: &["\"now\""],
        message: "what was accepted before is not looked through for a new subscription",
    },
    Refusal {
        key: "when_removed",
        but: &["\"end\""],
        message: "open deliveries of a subscription that is removed end here",
    },
];

const ENDPOINT: &[Refusal] = &[
    refuse("tls", "whom TLS is made with, and how, is the host's to say"),
    refuse("rotation_overlap", "keys do not sign along by themselves here; list both in `secrets`"),
];

const DELIVERY: &[Refusal] = &[
    Refusal { key: "ordering", but: &["\"none\""], message: "deliveries do not wait for each other here" },
    refuse("rate", "nobody sees all attempts here, so that none can be held back"),
    refuse("concurrency", "nobody sees all attempts here, so that their number cannot be kept"),
    refuse("batch", "each event is sent by itself here"),
    refuse("backlog", "open deliveries are not counted here, so that their number cannot be kept"),
    Refusal { key: "breaker", but: &["false"], message: "failures are not counted across deliveries here" },
    Refusal {
        key: "disable_after",
        but: &["false"],
        message: "failures are not counted across deliveries here",
    },
    Refusal {
        key: "forward_headers",
        but: &["[]"],
        message: "the fields of received requests are not kept here",
    },
];

/// Every problem that a document has here beside those that it has everywhere: references to secrets, which nothing resolves,
/// and what would have no effect.
#[must_use]
pub fn refusals(document: &Value) -> Vec<Problem> {
    let mut problems = refuse_references(document);
    refuse_keys(document, "", TABLES, &mut problems);
    let subscriptions = document.get("subscription").and_then(Value::as_array);
    for (index, subscription) in subscriptions.into_iter().flatten().enumerate() {
        let path = item_path("subscription", index);
        refuse_keys(subscription, &path, SUBSCRIPTION, &mut problems);
        for (key, refused) in [("endpoint", ENDPOINT), ("delivery", DELIVERY)] {
            if let Some(value) = subscription.get(key) {
                refuse_keys(value, &key_path(&path, key), refused, &mut problems);
            }
        }
        problems.extend(plain_http(subscription, &path));
    }
    problems
}

fn refuse_keys(value: &Value, path: &str, refused: &[Refusal], problems: &mut Vec<Problem>) {
    for Refusal { key, but, message } in refused {
        let Some(found) = value.get(*key) else { continue };
        let is_empty = path.is_empty() && *found == json!([]);
        if !is_empty && !but.contains(&found.to_string().as_str()) {
            problems.push(Problem::new(key_path(path, key), *message).with_hint(HINT));
        }
    }
}

/// Where a subscription's deliveries go, each URL with its place: the endpoint's, and those of a document's actions.
pub(super) fn urls(subscription: &Value) -> impl Iterator<Item = (String, &str)> {
    let endpoint = subscription.get("endpoint");
    let own = endpoint.and_then(|endpoint| endpoint.get("url")).and_then(Value::as_str);
    let own = own.map(|url| ("endpoint.url".to_owned(), url));
    let actions = endpoint.and_then(|endpoint| endpoint.get("actions")).and_then(Value::as_object);
    let actions = actions.into_iter().flatten().filter_map(|(action, value)| {
        Some((format!("endpoint.actions.{action}.url"), value.get("url")?.as_str()?))
    });
    own.into_iter().chain(actions)
}

/// The native gateway looks at the address that is called. Here nobody sees it, so that the word has to be given for all.
fn plain_http(subscription: &Value, path: &str) -> Vec<Problem> {
    let endpoint = subscription.get("endpoint");
    let is_allowed = |key: &str| endpoint.and_then(|endpoint| endpoint.get(key)) == Some(&Value::Bool(true));
    if is_allowed("allow_http") || is_allowed("allow_private") {
        return Vec::new();
    }
    let is_plain = |url: &str| url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let plain = urls(subscription).filter(|(_, url)| is_plain(url));
    plain
        .map(|(place, _)| {
            let message = "anybody on the way could read and change what is sent without TLS";
            Problem::new(format!("{path}.{place}"), message).with_hint(
                "write https://, or set `allow_http`, or `allow_private` for an address of your own",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(document: &Value) -> Vec<String> {
        refusals(document).into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn what_would_have_no_effect_is_refused_where_it_stands() {
        let document = json!({
            "topic": [{}], "api": [{}],
            "subscription": [
                { "id": "a", "endpoint": { "url": "https://h/", "tls": {}, "rotation_overlap": "1h" } },
                { "mode": "passive", "flow": "order", "tokens": ["x"], "start": "earliest", "when_removed": "wait" },
                { "delivery": {
                    "ordering": "subscription", "rate": {}, "concurrency": 1, "backlog": {}, "breaker": {},
                    "disable_after": "1d", "forward_headers": ["x-*"],
                } },
                { "resource": "users", "revisions": "all", "backfill": true },
            ],
        });
        let expected = [
            "topic",
            "api",
            "subscription[0].endpoint.tls",
            "subscription[0].endpoint.rotation_overlap",
            "subscription[1].tokens",
            "subscription[1].mode",
            "subscription[1].flow",
            "subscription[1].start",
            "subscription[1].when_removed",
            "subscription[2].delivery.ordering",
            "subscription[2].delivery.rate",
            "subscription[2].delivery.concurrency",
            "subscription[2].delivery.backlog",
            "subscription[2].delivery.breaker",
            "subscription[2].delivery.disable_after",
            "subscription[2].delivery.forward_headers",
            "subscription[3].revisions",
            "subscription[3].backfill",
        ];
        assert_eq!(paths(&document), expected);
    }

    #[test]
    fn what_says_what_holds_here_anyway_is_taken() {
        let document = json!({
            "resource": [], "topic": [],
            "subscription": [{
                "mode": "push", "start": "now", "revisions": "last", "backfill": false, "when_removed": "end",
                "endpoint": { "url": "https://h/", "allow_private": true },
                "delivery": {
                    "ordering": "none", "breaker": false, "disable_after": false, "forward_headers": [],
                    "success": ["2xx"], "timeout": "5s", "retry": { "delays": ["5s"] },
                },
            }],
        });
        assert_eq!(refusals(&document), []);
    }

    #[test]
    fn a_url_of_one_action_needs_the_word_too() {
        let document = json!({ "subscription": [{ "resource": "users", "endpoint": {
            "url": "https://h/", "actions": { "delete": { "url": "http://h/gone" } },
        } }] });
        assert_eq!(paths(&document), ["subscription[0].endpoint.actions.delete.url"]);
    }

    #[test]
    fn a_url_without_tls_needs_a_word() {
        let with = |more: Value| {
            let mut endpoint = json!({ "url": "HTTP://hooks.example.com/" });
            endpoint.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            paths(&json!({ "subscription": [{ "endpoint": endpoint }] }))
        };
        assert_eq!(with(json!({})), ["subscription[0].endpoint.url"]);
        assert!(with(json!({ "allow_http": true })).is_empty());
        assert!(with(json!({ "allow_private": true })).is_empty());
    }
}
