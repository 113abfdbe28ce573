//! Reads conditions and answers of a definition.

use super::builder::parsed;
use super::place::Place;
use super::scheme::{Condition, Reply, Test};
use super::template::{Body, IntegerJson, JsonPart, Template};
use crate::node::{Node, Table};
use serde_json::Value;

/// A table that describes an answer, with further keys of its owner's.
pub(super) fn reply<'a>(node: &'a Node<'a>, further: &[&'static str]) -> Option<(Table<'a>, Option<Reply>)> {
    let keys = [further, &["status", "content-type", "headers", "text", "json"]].concat();
    let table = node.table(&keys)?;
    let reply = read(node, &table);
    Some((table, reply))
}

fn read(node: &Node<'_>, table: &Table<'_>) -> Option<Reply> {
    let status = match table.get("status") {
        Some(node) => node.integer(100..=599).and_then(|status| u16::try_from(status).ok()),
        None => Some(200),
    };
    let mut headers = Vec::new();
    if let Some(node) = table.get("headers")
        && let Some(members) = node.members()
    {
        for (name, value) in members {
            headers.extend(parsed(&value, Template::parse).map(|value| (name.to_ascii_lowercase(), value)));
        }
    }
    let (body, default) = match (table.get("text"), table.get("json")) {
        (Some(_), Some(_)) => {
            node.report("`text` and `json` exclude each other");
            return None;
        }
        (Some(text), None) => (Body::Text(parsed(&text, Template::parse)?), "text/plain; charset=utf-8"),
        // What is empty has no type.
        (None, None) => (Body::Text(Template::default()), ""),
        (None, Some(json)) => {
            let mut parts = Vec::new();
            for (name, node) in json.members()? {
                let part = match node.value() {
                    Value::String(_) => JsonPart::Text(parsed(&node, Template::parse)?),
                    value => {
                        if let Err(error) = serde_json::to_string(&IntegerJson(value)) {
                            node.report(error.to_string());
                            return None;
                        }
                        JsonPart::Fixed(value.clone())
                    }
                };
                parts.push((name.to_owned(), part));
            }
            (Body::Json(parts), "application/json")
        }
    };
    let content_type = table.get("content-type").and_then(|node| node.text().map(str::to_owned));
    let content_type = content_type.unwrap_or_else(|| default.to_owned());
    Some(Reply { status: status?, content_type, headers, body })
}

/// A list of conditions.
pub(super) fn conditions(node: &Node<'_>) -> Vec<Condition> {
    match node.items() {
        Some(items) => items.filter_map(|item| condition(&item)).collect(),
        None => Vec::new(),
    }
}

fn condition(node: &Node<'_>) -> Option<Condition> {
    let table = node.table(&["at", "is", "present", "token"])?;
    let at = table.require("at").and_then(|node| parsed(&node, Place::parse));
    let test = match (table.get("is"), table.get("present"), table.get("token")) {
        (Some(is), None, None) => parsed(&is, Template::parse).map(Test::Is),
        (None, Some(present), None) => present.boolean().map(Test::Present),
        (None, None, Some(token)) => token.boolean().map(Test::Token),
        _ => {
            node.report("says one of `is = \"…\"`, `present = true` and `token = true`");
            None
        }
    };
    Some(Condition { at: at?, test: test? })
}
