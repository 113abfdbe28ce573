//! Requests that carry several events: where they are in the body, and what each of them says of itself.

use super::builder;
use super::config::{SplitConfig, VerificationConfig};
use super::freshness::Unit;
use super::identity::{Identifier, IdentityKind};
use super::place::Place;
use super::scheme::{BodyForm, Scheme};
use super::template::Template;
use crate::node::Node;
use crate::problem::Problem;

/// The form field that holds JSON whatever the scheme says.
const PAYLOAD: &str = "payload";

/// Where a provider puts several events into one body, and what each of them says of itself. Places of the body are places of
/// the part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    /// The array, as a JSON pointer; empty for the whole body.
    at: String,
    identity: IdentityKind,
    lifetime: Option<u64>,
    id: Vec<Identifier>,
    kind: Vec<Template>,
    subject: Vec<Template>,
    time: Vec<(Place, Unit)>,
}

/// Reads a definition's `[batch]`.
pub(super) fn batch(node: &Node<'_>) -> Option<Batch> {
    let table = node.table(&["at", "event"])?;
    let at = table.require("at")?;
    let at = match array(at.string()?) {
        Ok(at) => at.to_owned(),
        Err((message, hint)) => {
            at.report_with_hint(message, hint);
            return None;
        }
    };
    let mut scheme = Scheme::default();
    if let Some(node) = table.get("event") {
        builder::event(&node, &mut scheme);
    }
    let Scheme { identity, lifetime, id, kind, subject, time, .. } = scheme;
    Some(Batch { at, identity, lifetime, id, kind, subject, time })
}

impl Batch {
    /// Every place that its parts are read at.
    pub(super) fn places(&self) -> Vec<&Place> {
        let identifiers = self.id.iter().flat_map(Identifier::places);
        let templates = [&self.kind, &self.subject].into_iter().flatten().flat_map(Template::places);
        identifiers.chain(templates).chain(self.time.iter().map(|(place, _)| place)).collect()
    }
}

/// The array that a text names: `json:/events`, or `json:` for the whole body. An error has its hint beside it.
fn array(text: &str) -> Result<&str, (String, String)> {
    let Some(pointer) = text.strip_prefix("json:") else {
        let hint = "write \"json:/path/to/array\", or \"json:\" for an array that is the whole body";
        return Err((
            format!("`{text}` is no place in a JSON body, where alone arrays are"),
            hint.to_owned(),
        ));
    };
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let path = pointer.trim_start_matches("$.").replace('.', "/");
        let message = format!("`{text}` has no JSON pointer, which begins with `/`");
        return Err((message, format!("write \"json:/{path}\"")));
    }
    Ok(pointer)
}

/// Applies what the source says of splitting. What the definition says of the whole body's attributes gives way to what it says
/// of a part's; what the source says of them comes after.
pub(super) fn apply(
    path: &str,
    config: &VerificationConfig,
    scheme: &mut Scheme,
    problems: &mut Vec<Problem>,
) {
    let mut report = |message: String, hint: &str| {
        let hint = Some(hint.to_owned());
        problems.push(Problem { hint, ..Problem::new(format!("{path}.split"), message) });
    };
    let at = match &config.split {
        None => return,
        Some(SplitConfig::Documented) => match &scheme.batch {
            Some(batch) => batch.at.clone(),
            None => {
                let message = "the scheme knows no batches".to_owned();
                return report(message, "name the array: \"json:/path/to/array\", or \"json:\"");
            }
        },
        Some(SplitConfig::At(text)) => match array(text) {
            Ok(at) => at.to_owned(),
            Err((message, hint)) => return report(message, &hint),
        },
    };
    if scheme.body == BodyForm::Other {
        report(
            "bodies of this source are no JSON, so that there is no array to split".to_owned(),
            "leave the key out",
        );
    }
    let field = at.split('/').nth(1).unwrap_or_default();
    let holds_json = |name: &String| name == field;
    if scheme.body == BodyForm::Form
        && field != PAYLOAD
        && !scheme.json_fields.iter().chain(&config.json_fields).any(holds_json)
    {
        report(
            "bodies of this source are forms, whose fields are texts and no arrays".to_owned(),
            "name a field that holds JSON, and list it in `json_fields`",
        );
    }
    let methods = if config.methods.is_empty() { &scheme.methods } else { &config.methods };
    if methods.iter().all(|method| method == "GET") {
        report("a GET has no body to split".to_owned(), "leave the key out, or take another method");
    }
    if let Some(batch) = scheme.batch.clone().filter(|batch| batch.at == at) {
        scheme.identity = batch.identity;
        scheme.lifetime = batch.lifetime;
        scheme.id = batch.id;
        scheme.kind = batch.kind;
        scheme.subject = batch.subject;
        scheme.time = batch.time;
    }
    scheme.split = Some(at);
}
