//! The keys of sources, resources, subscriptions, topics and APIs, their defaults and their documentation agree.

use super::{api, endpoint, policy, read_subscription, resource, retry, source, subscription, topic};
use serde_json::{Value, json};

const DOCUMENTATION: &str = include_str!("../../../../../docs/configuration.md");

/// The rows of the table below a heading: its keys, and the other columns.
fn rows(heading: &str) -> Vec<(String, String)> {
    let (_, text) = DOCUMENTATION.split_once(&format!("## `[[{heading}]]`")).unwrap();
    let text = text.split("\n## ").next().unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    // One row can be about several keys: `endpoint.secret`, `endpoint.secrets`.
    rows.flat_map(|(keys, rest)| keys.split("`, `").map(|key| (key.to_owned(), rest.to_owned()))).collect()
}

fn documented(heading: &str) -> Vec<String> {
    let mut keys: Vec<String> = rows(heading).into_iter().map(|(key, _)| key).collect();
    keys.sort();
    keys
}

#[test]
fn the_documentation_has_every_key_of_a_source_and_no_other() {
    let mut known = source::KEYS.to_vec();
    known.sort_unstable();
    assert_eq!(documented("source"), known);
}

#[test]
fn the_documentation_has_every_key_of_a_resource_and_no_other() {
    let mut known = resource::KEYS.to_vec();
    known.sort_unstable();
    assert_eq!(documented("resource"), known);
}

#[test]
fn the_documentation_has_every_key_of_a_topic_and_no_other() {
    let mut known = topic::KEYS.to_vec();
    known.sort_unstable();
    assert_eq!(documented("topic"), known);
}

#[test]
fn the_documentation_has_every_key_of_a_subscription_and_no_other() {
    let below = |table: &str, keys: &[&str]| -> Vec<String> {
        keys.iter().map(|key| format!("{table}.{key}")).collect()
    };
    let mut known = [
        below("subscription", subscription::KEYS),
        below("subscription.endpoint", endpoint::KEYS),
        below("subscription.delivery", policy::KEYS),
        below("subscription.delivery.retry", retry::KEYS),
    ]
    .concat();
    // Those that are tables stand there with their own keys.
    for table in ["subscription.endpoint", "subscription.delivery", "subscription.delivery.retry"] {
        known.retain(|key| key != table);
    }
    let mut known: Vec<String> =
        known.iter().map(|key| key.strip_prefix("subscription.").unwrap().to_owned()).collect();
    known.sort();
    assert_eq!(documented("subscription"), known);
}

#[test]
fn the_documentation_has_every_key_of_an_api_and_no_other() {
    let mut known = api::keys();
    known.sort_unstable();
    assert_eq!(documented("api"), known);
}

/// A default as it is documented, as a document would say it: JSON in backticks, or a list of durations, or one.
fn value(default: &str) -> Value {
    let plain = default.trim_matches('`');
    serde_json::from_str(plain).unwrap_or_else(|_| match plain.contains(", ") {
        true => plain.split(", ").collect(),
        false => json!(plain),
    })
}

#[test]
fn the_documented_defaults_of_a_subscription_are_the_defaults() {
    let bare = json!({"id": "a", "endpoint": {"url": "https://example.com/"}});
    let expected = read_subscription(&bare, "").unwrap();
    let mut compared = 0;
    for (key, rest) in rows("subscription") {
        let default = rest.split(" | ").next().unwrap();
        // What is required has no default, and these words say that there is no value.
        if ["", "all", "every event", "none", "unsigned"].contains(&default.trim_start_matches("| "))
            || rest.starts_with('|')
        {
            continue;
        }
        let mut document = bare.clone();
        let mut place = &mut document;
        for part in key.split('.') {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[part];
        }
        *place = value(default);
        assert_eq!(
            read_subscription(&document, "").as_ref(),
            Ok(&expected),
            "{key} is not {default} by default"
        );
        compared += 1;
    }
    assert!(compared >= 8, "{compared} defaults");
}
