//! Reading a source.

use super::endpoint::url;
use super::source_event;
use crate::config::{OPERATIONAL_SOURCE, SourceConfig};
use crate::node::Node;
use crate::node::is_name;
use crate::request::UnixMillis;
use crate::resource::DOCUMENTS_SOURCE;
use crate::verify::{SecretConfig, VerificationConfig};
use serde_json::Value;
use std::time::Duration;

/// What a source has.
pub(super) const KEYS: &[&str] = &[
    "name",
    "scheme",
    "secrets",
    "tolerance",
    "variants",
    "public_url",
    "parameters",
    "definition",
    "event",
    "deduplicate",
    "answer",
    "split",
    "methods",
    "json_fields",
];

/// The widest window for a signed timestamp.
const WIDEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// A source, if it is a table. What has a problem is left out or empty, with its place kept, so that the rest can be judged:
/// such a source is of no other use.
pub(super) fn read(node: &Node<'_>) -> Option<SourceConfig> {
    let table = node.table(KEYS)?;
    let name = table.require("name").and_then(|node| {
        let name = name(&node)?;
        if name == OPERATIONAL_SOURCE || name == DOCUMENTS_SOURCE {
            let message = "is the source of what the gateway tells of itself";
            node.report_with_hint(message, "give it another name");
            return None;
        }
        Some(name)
    });
    let scheme = table.require("scheme").and_then(|node| node.text().map(str::to_owned));
    let mut verification = VerificationConfig::default();
    if let Some(secrets) = table.get("secrets")
        && let Some(items) = secrets.items()
    {
        verification.secrets = items.map(|item| secret(&item).unwrap_or_default()).collect();
    }
    if let Some(tolerance) = table.get("tolerance") {
        (verification.past_seconds, verification.future_seconds) = window(&tolerance);
    }
    if let Some(variants) = table.get("variants") {
        verification.variants = variants.texts_in_place().unwrap_or_default();
        if variants.value().as_array().is_some_and(Vec::is_empty) {
            variants.report("names no variant; leave the key out for the scheme's own choice");
        }
    }
    verification.public_url = table.get("public_url").and_then(|node| url(&node));
    if let Some(parameters) = table.get("parameters")
        && let Some(members) = parameters.members()
    {
        verification.parameters = members
            .filter_map(|(name, value)| value.text().map(|text| (name.to_owned(), text.to_owned())))
            .collect();
    }
    verification.definition = table.get("definition").and_then(|node| {
        let table = node.members().is_some();
        table.then(|| node.value().clone())
    });
    verification.event = table.get("event").and_then(|node| source_event::event(&node));
    verification.deduplicate = table.get("deduplicate").and_then(|node| source_event::deduplicate(&node));
    verification.answer = table.get("answer").and_then(|node| source_event::answer(&node));
    verification.split = table.get("split").and_then(|node| source_event::split(&node));
    if let Some(methods) = table.get("methods") {
        verification.methods = methods.texts_in_place().unwrap_or_default();
        if methods.value().as_array().is_some_and(Vec::is_empty) {
            methods.report("names no method; leave the key out for the scheme's own");
        }
    }
    if let Some(fields) = table.get("json_fields") {
        verification.json_fields = fields.texts().unwrap_or_default();
    }
    Some(SourceConfig {
        name: name.unwrap_or_default(),
        verification: VerificationConfig { scheme: scheme.unwrap_or_default(), ..verification },
    })
}

/// A name, if it follows the grammar.
pub(super) fn name(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    if !is_name(text) {
        node.report("must be 1 to 64 of a-z A-Z 0-9 . _ - and not begin with a dot");
        return None;
    }
    Some(text.to_owned())
}

/// `"whsec_…"` or `{ value = "whsec_…", label = "2026", not_before = …, not_after = … }`.
fn secret(node: &Node<'_>) -> Option<SecretConfig> {
    if matches!(node.value(), Value::String(_)) {
        return node.text().map(SecretConfig::new);
    }
    let table = node.table(&["value", "label", "not_before", "not_after"])?;
    let value = table.require("value").and_then(|node| node.text().map(str::to_owned));
    let label = table.get("label").and_then(|node| node.text().map(str::to_owned));
    let not_before = table.get("not_before").and_then(|node| instant(&node));
    let not_after = table.get("not_after").and_then(|node| instant(&node));
    if let (Some(from), Some(to)) = (not_before, not_after)
        && from >= to
    {
        node.report("not_before must lie before not_after");
    }
    Some(SecretConfig { value: value?, label, not_before, not_after })
}

/// An instant as RFC 3339 text.
pub(super) fn instant(node: &Node<'_>) -> Option<UnixMillis> {
    let instant = UnixMillis::from_rfc3339(node.string()?);
    if instant.is_none() {
        let hint = "write an instant with its offset, such as 2026-01-31T00:00:00Z";
        node.report_with_hint("not an instant", hint);
    }
    instant
}

/// `"10m"` for both directions, or `{ past = "10m", future = "30s" }`.
fn window(node: &Node<'_>) -> (Option<u64>, Option<u64>) {
    let seconds = |node: &Node<'_>| {
        let duration = node.duration(Duration::from_secs(1)..=WIDEST)?;
        if duration.subsec_nanos() != 0 {
            node.report("must be whole seconds");
        }
        Some(duration.as_secs())
    };
    if !matches!(node.value(), Value::Object(_)) {
        let both = seconds(node);
        return (both, both);
    }
    let Some(table) = node.table(&["past", "future"]) else { return (None, None) };
    (table.get("past").and_then(|node| seconds(&node)), table.get("future").and_then(|node| seconds(&node)))
}
