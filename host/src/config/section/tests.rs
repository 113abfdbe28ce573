//! Keys, defaults and their documentation agree.

use super::*;
use anglerfish_core::config::Problems;
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
    for (path, default) in rows() {
        let (table, key) = path.split_once('.').unwrap();
        // What is not a value: no token, no network, as many workers as there are processors.
        if ["none", "processors"].contains(&default.as_str()) {
            continue;
        }
        let value = match kind(table, key).unwrap() {
            Kind::Integer => json!(default.parse::<u64>().unwrap()),
            Kind::Text | Kind::List => json!(default),
            Kind::Boolean => json!(default.parse::<bool>().unwrap()),
        };
        let (value, problems) = (json!({(key): value}), Problems::default());
        let node = Node::root(&value, table, &problems);
        let same = match table {
            "server" => server(&node) == ServerConfig::default(),
            "admin" => admin(&node) == AdminConfig::default(),
            "outbound" => outbound(&node) == OutboundConfig::default(),
            "store" => store(&node) == StoreConfig::default(),
            "log" => log(&node) == LogConfig::default(),
            _ => panic!("nothing reads {table}"),
        };
        assert!(same, "{path} is not {default} by default");
        let problems: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{path}: {problems:?}");
    }
}
