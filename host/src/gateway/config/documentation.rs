//! Keys, defaults and their documentation agree.

use super::section::TABLES;
use crate::config::section::{Kind, Section};
use crate::ingress::ServerConfig;
use crate::outbound::OutboundConfig;
use crate::store::StoreConfig;
use crate::telemetry::LogConfig;
use crate::web::AdminConfig;
use anglerfish_core::config::{Node, Problems};
use serde_json::json;

const DOCUMENTATION: &str = include_str!("../../../../docs/configuration.md");

/// The rows of the tables about the host's own keys: `table.key` and the default as it is written.
fn rows() -> Vec<(String, String)> {
    let (mut rows, mut table) = (Vec::new(), None);
    for line in DOCUMENTATION.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            // `[server]: …` has keys of one table, `[store] and [log]` says the table with each key.
            table = title.strip_prefix("`[").and_then(|rest| rest.split(']').next()).map(str::to_owned);
            if title.starts_with("`[[") {
                table = None;
            }
        }
        let (Some(table), Some(row)) = (&table, line.strip_prefix("| `")) else { continue };
        let (key, rest) = row.split_once("` | ").unwrap();
        let default = rest.split(" | ").next().unwrap().trim_matches('`').to_owned();
        let key = if key.contains('.') { key.to_owned() } else { format!("{table}.{key}") };
        rows.push((key, default));
    }
    rows
}

#[test]
fn the_documentation_has_every_key_and_no_other() {
    let mut documented: Vec<String> = rows().into_iter().map(|(key, _)| key).collect();
    let known =
        TABLES.iter().flat_map(|(table, keys)| keys.iter().map(move |(key, _)| format!("{table}.{key}")));
    let mut known: Vec<String> = known.collect();
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let documented = defaults::<ServerConfig>()
        + defaults::<AdminConfig>()
        + defaults::<OutboundConfig>()
        + defaults::<StoreConfig>()
        + defaults::<LogConfig>();
    assert!(documented > 15, "{documented} values");
}

/// Reads each documented default of a table; what comes of it must be the default. Says how many there are.
fn defaults<T: Section + PartialEq>() -> usize {
    let mut count = 0;
    for (path, default) in rows() {
        // What is not a value: no token, no network, as many workers as there are processors.
        let Some(key) = path.strip_prefix(T::TABLE).and_then(|rest| rest.strip_prefix('.')) else { continue };
        if ["none", "processors"].contains(&default.as_str()) {
            continue;
        }
        let (_, kind) = T::KEYS.iter().find(|(known, _)| *known == key).unwrap();
        let value = match kind {
            Kind::Integer => json!(default.parse::<u64>().unwrap()),
            Kind::Text | Kind::List => json!(default),
            Kind::Boolean => json!(default.parse::<bool>().unwrap()),
        };
        let (value, problems) = (json!({(key): value}), Problems::default());
        let node = Node::root(&value, T::TABLE, &problems);
        assert!(T::of(&node) == T::default(), "{path} is not {default} by default");
        let problems: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{path}: {problems:?}");
        count += 1;
    }
    count
}
