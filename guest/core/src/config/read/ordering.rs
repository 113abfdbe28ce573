//! Reading in which order deliveries are made.

use super::expression;
use crate::config::OrderingConfig;
use crate::node::Node;
use serde_json::Value;

/// `"none"`, `"subscription"`, or `{ by = "key", key = "message.customer.id" }`.
pub(super) fn read(node: &Node<'_>) -> Option<OrderingConfig> {
    if let Value::String(word) = node.value() {
        return by(node, word, None);
    }
    let table = node.table(&["by", "key"])?;
    let word = table.require("by").and_then(|by| by.string());
    by(node, word?, table.get("key"))
}

fn by(node: &Node<'_>, word: &str, key: Option<Node<'_>>) -> Option<OrderingConfig> {
    let ordering = match (word, key) {
        ("none", None) => OrderingConfig::None,
        ("subscription", None) => OrderingConfig::Subscription,
        ("key", Some(key)) => OrderingConfig::Key(expression::read(&key)?),
        ("key", None) => {
            node.report_with_hint("needs a key", "write { by = \"key\", key = \"message.customer.id\" }");
            return None;
        }
        ("none" | "subscription", Some(key)) => {
            key.report("has a meaning with by = \"key\" only");
            return None;
        }
        _ => {
            node.report("must be \"none\", \"subscription\" or { by = \"key\", key = \"…\" }");
            return None;
        }
    };
    Some(ordering)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;
    use serde_json::json;

    fn ordering(value: &Value) -> Result<OrderingConfig, Vec<String>> {
        let problems = Problems::default();
        let read = read(&Node::root(value, "x", &problems));
        let problems: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
        read.filter(|_| problems.is_empty()).ok_or(problems)
    }

    #[test]
    fn reads_orders() {
        let key = |key: &str| OrderingConfig::Key(key.to_owned());
        for (value, expected) in [
            (json!("none"), OrderingConfig::None),
            (json!("subscription"), OrderingConfig::Subscription),
            (json!({"by": "subscription"}), OrderingConfig::Subscription),
            (json!({"by": "key", "key": "message.customer.id"}), key("message.customer.id")),
            (json!({"by": "key", "key": "event.subject"}), key("event.subject")),
        ] {
            assert_eq!(ordering(&value), Ok(expected), "{value}");
        }
        for (value, path) in [
            (json!("key"), "x"),
            (json!("log"), "x"),
            (json!({"by": "none", "key": "message.a"}), "x.key"),
            (json!({"key": "message.a"}), "x.by"),
            (json!({"by": "key", "key": "message."}), "x.key"),
            (json!({"by": "key", "key": "massage.a"}), "x.key"),
        ] {
            let problems = ordering(&value).unwrap_err();
            assert!(
                problems.len() == 1 && problems[0].starts_with(&format!("{path}: ")),
                "{value}: {problems:?}"
            );
        }
    }
}
