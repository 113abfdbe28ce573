//! The places of a configuration that hold secrets: one list, from which they are resolved, hidden and refused.

use crate::node::{item_path, key_path};
use serde_json::Value;

/// What can stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// A secret as a whole.
    Whole,
    /// A URL: a secret as a whole if it is a reference, else some parts of it are.
    Url,
}

/// A place of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretPlace {
    /// The keys that lead there.
    pub keys: &'static [&'static str],
    /// What stands there. Whatever is below (of a list, of a table) is of the same kind.
    pub kind: SecretKind,
    /// If elements of a list are tables, the one of their keys that holds the secret.
    pub member: Option<&'static str>,
}

const fn whole(keys: &'static [&'static str]) -> SecretPlace {
    SecretPlace { keys, kind: SecretKind::Whole, member: None }
}

const fn url(keys: &'static [&'static str]) -> SecretPlace {
    SecretPlace { keys, kind: SecretKind::Url, member: None }
}

/// Of the host's own tables.
pub const CONFIGURATION_SECRETS: &[SecretPlace] = &[
    whole(&["admin", "token"]),
    whole(&["documents", "token"]),
    whole(&["outbound", "proxy"]),
    whole(&["outbound", "roots"]),
];

/// Of a source.
pub const SOURCE_SECRETS: &[SecretPlace] = &[
    SecretPlace { keys: &["secrets"], kind: SecretKind::Whole, member: Some("value") },
    whole(&["parameters"]),
];

/// Of a subscription.
pub const SUBSCRIPTION_SECRETS: &[SecretPlace] = &[
    whole(&["tokens"]),
    whole(&["endpoint", "headers"]),
    whole(&["endpoint", "secret"]),
    whole(&["endpoint", "tls"]),
    whole(&["endpoint", "actions", "create", "headers"]),
    whole(&["endpoint", "actions", "update", "headers"]),
    whole(&["endpoint", "actions", "delete", "headers"]),
    url(&["endpoint", "actions", "create", "url"]),
    url(&["endpoint", "actions", "update", "url"]),
    url(&["endpoint", "actions", "delete", "url"]),
    SecretPlace { keys: &["endpoint", "secrets"], kind: SecretKind::Whole, member: Some("value") },
    url(&["endpoint", "url"]),
];

/// Of an API.
pub const API_SECRETS: &[SecretPlace] = &[
    whole(&["headers"]),
    whole(&["secret"]),
    whole(&["tls"]),
    SecretPlace { keys: &["secrets"], kind: SecretKind::Whole, member: Some("value") },
    url(&["url"]),
];

/// Of a topic.
pub const TOPIC_SECRETS: &[SecretPlace] =
    &[whole(&["tokens"]), whole(&["read_tokens"]), whole(&["publish_tokens"])];

/// Visits everything that stands at the places of a document, with its path below `path`. Whatever stands there counts,
/// of whatever type: a value in the wrong form is still a secret.
pub fn for_each_secret(
    document: &mut Value,
    path: &str,
    places: &[SecretPlace],
    visit: &mut dyn FnMut(&str, &mut Value, SecretKind),
) {
    'places: for place in places {
        let (mut value, mut path) = (&mut *document, path.to_owned());
        for key in place.keys {
            let Some(next) = value.get_mut(key) else { continue 'places };
            (value, path) = (next, key_path(&path, key));
        }
        for_each_leaf(&path, value, place, visit);
    }
}

fn for_each_leaf(
    path: &str,
    value: &mut Value,
    place: &SecretPlace,
    visit: &mut dyn FnMut(&str, &mut Value, SecretKind),
) {
    match (value, place.member) {
        (Value::Array(items), _) => {
            for (index, item) in items.iter_mut().enumerate() {
                for_each_leaf(&item_path(path, index), item, place, visit);
            }
        }
        (Value::Object(members), Some(member)) => {
            if let Some(value) = members.get_mut(member) {
                visit(&key_path(path, member), value, place.kind);
            }
        }
        (Value::Object(members), None) => {
            for (key, member) in members {
                for_each_leaf(&key_path(path, key), member, place, visit);
            }
        }
        (leaf, _) => visit(path, leaf, place.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(mut document: Value, places: &[SecretPlace]) -> Vec<String> {
        let mut paths = Vec::new();
        for_each_secret(&mut document, "", places, &mut |path, _, _| paths.push(path.to_owned()));
        paths.sort_unstable();
        paths
    }

    #[test]
    fn visits_every_secret_of_a_subscription_whatever_its_form() {
        let document = json!({"id": "a", "tokens": ["6"], "endpoint": {
            "url": "env:URL", "headers": {"x-a": "1", "x-b": ["2", {"c": 3}]}, "secret": 4, "secrets": ["5", null],
            "method": "POST"
        }});
        let expected = [
            "endpoint.headers.x-a",
            "endpoint.headers.x-b[0]",
            "endpoint.headers.x-b[1].c",
            "endpoint.secret",
            "endpoint.secrets[0]",
            "endpoint.secrets[1]",
            "endpoint.url",
            "tokens[0]",
        ];
        assert_eq!(paths(document, SUBSCRIPTION_SECRETS), expected);
        assert!(paths(json!({"endpoint": 3}), SUBSCRIPTION_SECRETS).is_empty());
    }

    #[test]
    fn of_a_secret_with_a_label_only_the_value_counts() {
        let document = json!({"secrets": ["a", {"value": "b", "label": "new"}], "parameters": {"x": "c"}});
        assert_eq!(paths(document, SOURCE_SECRETS), ["parameters.x", "secrets[0]", "secrets[1].value"]);
    }
}
