//! Reading how what is sent is signed.

use super::source;
use crate::config::{Secret, SignatureStyle, SigningKeyConfig};
use crate::node::{Node, Table};
use crate::problem::Problem;
use crate::sign::{Signer, SigningSecret};
use crate::verify::BASE64;
use base64::Engine;
use serde_json::Value;
use std::time::Duration;

/// Signing keys: one is in use, another takes its place.
pub const MOST_SECRETS: usize = 10;
/// How long an old key may sign along: whoever takes longer than this to hand out a key has two of them.
pub const LONGEST_OVERLAP: Duration = Duration::from_hours(90 * 24);

/// How an endpoint's requests are signed.
pub(super) struct Signed {
    pub(super) signature: SignatureStyle,
    pub(super) secrets: Vec<SigningKeyConfig>,
    pub(super) rotation_overlap: Duration,
}

/// What an endpoint's table says of it; what is wrong is reported.
pub(super) fn read(endpoint: &Table<'_>) -> Signed {
    let style = endpoint.get("signature");
    let signature = style.as_ref().map_or(Some(SignatureStyle::default()), word);
    let rotation_overlap = endpoint
        .get("rotation_overlap")
        .and_then(|node| node.duration(Duration::ZERO..=LONGEST_OVERLAP))
        .unwrap_or(SignatureStyle::OVERLAP);
    let is_standard = signature.as_ref().is_none_or(|style| *style == SignatureStyle::StandardWebhooks);
    let (one, several) = (endpoint.get("secret"), endpoint.get("secrets"));
    let secrets = match (&one, &several) {
        (Some(_), Some(several)) => {
            several.report("give either \"secret\" or \"secrets\"");
            None
        }
        (Some(one), None) => text(one, is_standard)
            .map(|value| vec![SigningKeyConfig { value, not_before: None, not_after: None }]),
        (None, Some(several)) => list(several, is_standard),
        (None, None) => Some(Vec::new()),
    };
    if let (Some(signature), Some(style), Some(keys)) = (&signature, &style, &secrets)
        && !is_standard
    {
        if keys.is_empty() {
            style.report_with_hint("signs nothing without a key", "give it as `secret` beside it");
        } else if let Err(problems) = Signer::try_new(signature, keys) {
            problems.into_iter().for_each(|problem| tell(style, one.as_ref(), several.as_ref(), problem));
        }
    }
    Signed {
        signature: signature.unwrap_or_default(),
        secrets: secrets.unwrap_or_default(),
        rotation_overlap,
    }
}

/// Reports what is wrong with a style or a key where that stands.
fn tell(style: &Node<'_>, one: Option<&Node<'_>>, several: Option<&Node<'_>>, problem: Problem) {
    let report = |node: &Node<'_>| match &problem.hint {
        Some(hint) => node.report_with_hint(&problem.message, hint),
        None => node.report(&problem.message),
    };
    let index =
        problem.path.split_once("secrets[").and_then(|(_, rest)| rest.split_once(']')?.0.parse().ok());
    match (index, one, several) {
        (Some(_), Some(one), _) => report(one),
        (Some(index), None, Some(several)) => match several.items().and_then(|mut items| items.nth(index)) {
            Some(item) => report(&item),
            None => report(several),
        },
        _ => report(style),
    }
}

fn word(node: &Node<'_>) -> Option<SignatureStyle> {
    match node.text()? {
        SignatureStyle::STANDARD => Some(SignatureStyle::StandardWebhooks),
        // They name no provider.
        "none" | "custom" => {
            let hint = "write \"standard-webhooks\", or a provider such as \"github\" or \"stripe\"";
            node.report_with_hint("is no way to sign what is sent", hint);
            None
        }
        name => Some(SignatureStyle::Provider(name.to_owned())),
    }
}

/// Several keys, or nothing if one of them is wrong.
fn list(several: &Node<'_>, is_standard: bool) -> Option<Vec<SigningKeyConfig>> {
    let items = several.items_up_to(MOST_SECRETS)?;
    let count = items.len();
    if count == 0 {
        several.report("names no secret; leave the key out to send unsigned requests");
    }
    let keys: Vec<SigningKeyConfig> = items.filter_map(|item| key(&item, is_standard)).collect();
    (keys.len() == count).then_some(keys)
}

/// `"whsec_…"` or `{ value = "whsec_…", not_before = …, not_after = … }`.
fn key(node: &Node<'_>, is_standard: bool) -> Option<SigningKeyConfig> {
    if !matches!(node.value(), Value::Object(_)) {
        let value = text(node, is_standard)?;
        return Some(SigningKeyConfig { value, not_before: None, not_after: None });
    }
    let table = node.table(&["value", "not_before", "not_after"])?;
    let before = node.problem_count();
    let value = table.require("value").and_then(|node| text(&node, is_standard));
    let not_before = table.get("not_before").and_then(|node| source::instant(&node));
    let not_after = table.get("not_after").and_then(|node| source::instant(&node));
    if let (Some(from), Some(to)) = (not_before, not_after)
        && from >= to
    {
        node.report("not_before must lie before not_after");
    }
    if node.problem_count() != before {
        return None;
    }
    Some(SigningKeyConfig { value: value?, not_before, not_after })
}

/// A key of Standard Webhooks, which asks for 24 to 64 bytes of a symmetric one. What a provider's is like, its scheme says.
fn text(node: &Node<'_>, is_standard: bool) -> Option<Secret> {
    let text = node.text()?;
    if !is_standard {
        return Some(Secret::new(text));
    }
    if let Err(error) = SigningSecret::parse(text) {
        let hint = "make one with: echo whsec_$(openssl rand -base64 32)";
        node.report_with_hint(error.to_string(), hint);
        return None;
    }
    let key = text.strip_prefix("whsec_").and_then(|encoded| BASE64.decode(encoded).ok());
    if let Some(key) = key.filter(|key| !(24..=64).contains(&key.len())) {
        node.report(format!("holds a key of {} bytes; 24 to 64 are taken", key.len()));
        return None;
    }
    Some(Secret::new(text))
}
