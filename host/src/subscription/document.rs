//! A subscription's document: as it is written, and as it may be shown.

use super::strict;
use crate::config::secret::{self, HIDDEN};
use anglerfish_core::config::{
    AccessToken, SUBSCRIPTION_SECRETS, SecretKind, SecretPlace, for_each_secret, is_reference, is_token,
};
use anglerfish_core::problem::Problem;
use serde_json::Value;

/// The longest document, in bytes: more than the parts of a subscription can have together, white space and escapes
/// included, and ten times what a source with a dozen variants of its own takes.
const LONGEST: usize = 256 * 1024;

/// A document that is written under an address.
pub(crate) struct Addressed {
    /// The document, with the name of the address if it has none.
    pub(crate) document: Value,
    /// The same as text.
    pub(crate) text: String,
    /// It has a name of its own that is another one: a problem beside those that the rest of it has.
    pub(crate) misnamed: Option<Problem>,
}

/// Reads a document whose member `key` names what it is about, as its address does if it ends with a name.
pub(crate) fn addressed(key: &str, name: Option<&str>, text: String) -> Result<Addressed, Problem> {
    if text.len() > LONGEST {
        let message = format!("is {} bytes long; at most {LONGEST} are taken", text.len());
        return Err(Problem::new("", message));
    }
    let mut document = strict::parse(&text).map_err(|error| Problem::new("", error.to_string()))?;
    let (Some(name), Some(members)) = (name, document.as_object_mut()) else {
        return Ok(Addressed { document, text, misnamed: None });
    };
    match members.get(key) {
        Some(Value::String(own)) if own == name => Ok(Addressed { document, text, misnamed: None }),
        Some(_) => {
            let problem = Problem::new(key, format!("is not `{name}`, as the address says"));
            Ok(Addressed { document, text, misnamed: Some(problem) })
        }
        None => {
            members.insert(key.to_owned(), name.into());
            let text = document.to_string();
            Ok(Addressed { document, text, misnamed: None })
        }
    }
}

/// The document without what must not be shown: secrets and header values that are written out become `…`, references
/// (`env:NAME`, `Bearer ${env:NAME}`) stay as they are written, credentials and the query of the URL go: endpoints take
/// tokens there.
#[must_use]
pub fn shown(document: &Value) -> Value {
    shown_without(document, SUBSCRIPTION_SECRETS)
}

/// The document without what must not be shown at these places.
pub(crate) fn shown_without(document: &Value, places: &[SecretPlace]) -> Value {
    let mut document = document.clone();
    for_each_secret(&mut document, "", places, &mut |_, value, kind| match kind {
        SecretKind::Whole => hide(value),
        SecretKind::Url => hide_credentials(value),
    });
    document
}

/// Refuses `…` in place of a secret: someone sends back what [`shown`] gave them, and the secret would be lost.
pub(super) fn refuse_hidden(document: &Value) -> Vec<Problem> {
    refuse_hidden_at(document, SUBSCRIPTION_SECRETS)
}

/// The same for these places.
pub(crate) fn refuse_hidden_at(document: &Value, places: &[SecretPlace]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut document = document.clone();
    for_each_secret(&mut document, "", places, &mut |path, value, kind| {
        let Some(text) = value.as_str() else { return };
        let hidden = match kind {
            SecretKind::Whole => text == HIDDEN || (text.contains(HIDDEN) && secret::has_reference(text)),
            SecretKind::Url => {
                text.contains("//…@") || text.ends_with("?…") || text.split('/').any(|part| part == HIDDEN)
            }
        };
        if hidden {
            let message =
                "`…` stands for a value that is not shown; write the value or a reference such as `env:NAME`";
            problems.push(Problem::new(path, message));
        }
    });
    problems
}

/// The document, and its text, with the hashes of the subscriber's tokens in place of those that are written out.
pub(super) fn without_tokens(mut document: Value, text: String) -> (Value, String) {
    let mut is_other = false;
    for token in document.get_mut("tokens").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(text) = token.as_str().filter(|text| !is_reference(text) && !AccessToken::is_hash(text))
        else {
            continue;
        };
        *token = AccessToken::of(text).hash().into();
        is_other = true;
    }
    let text = if is_other { document.to_string() } else { text };
    (document, text)
}

fn hide(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::String(text) => *text = secret::shown(text),
        other => *other = HIDDEN.into(),
    }
}

fn hide_credentials(url: &mut Value) {
    let Some(text) = url.as_str() else { return };
    let mut shown = match text.split_once('?') {
        Some((before, _)) => format!("{before}?{HIDDEN}"),
        None => text.to_owned(),
    };
    if let Some((scheme, rest)) = shown.split_once("//")
        && let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest)
        && let Some(at) = authority.rfind('@')
    {
        shown = format!("{scheme}//{HIDDEN}{}", rest.get(at..).unwrap_or_default());
    }
    *url = without_path_tokens(&shown).into();
}

/// The URL without the parts of its path that look like tokens: some services know who sends by them.
fn without_path_tokens(url: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let (scheme, rest) = path.split_once("//").unwrap_or(("", path));
    // The first part is the host.
    let parts = rest.split('/').enumerate();
    let parts: Vec<&str> =
        parts.map(|(place, part)| if place > 0 && is_token(part) { HIDDEN } else { part }).collect();
    let mut shown = parts.join("/");
    if path.contains("//") {
        shown = format!("{scheme}//{shown}");
    }
    query.map_or(shown.clone(), |query| format!("{shown}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_has_the_name_of_its_address_and_another_one_is_a_problem_beside_others() {
        let read = |name, text: &str| addressed("id", name, text.to_owned());
        let added = read(Some("a"), "{\"filter\": \"true\"}").unwrap();
        assert_eq!((&added.document["id"], added.misnamed), (&json!("a"), None));
        assert_eq!(serde_json::from_str::<Value>(&added.text).unwrap(), added.document);
        for name in [Some("a"), None] {
            let own = read(name, "{ \"id\": \"a\" }").unwrap();
            assert_eq!(
                (own.text.as_str(), own.misnamed),
                ("{ \"id\": \"a\" }", None),
                "it stays as it is written"
            );
        }
        let other = read(Some("a"), "{\"id\": \"b\"}").unwrap();
        assert_eq!(other.misnamed.unwrap().path, "id");
        assert!(read(None, "{\"id\": \"a\", \"id\": \"b\"}").is_err());
        assert!(read(None, &" ".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn hides_literals_and_shows_references_as_written() {
        let document = json!({
            "id": "a",
            "endpoint": {
                "url": "https://user:hunter2@example.com/x?y=@z",
                "headers": {"authorization": "Bearer hunter2", "x-api-key": "env:KEY", "x-wrong": ["hunter2"]},
                "secret": "whsec_hunter2",
                "secrets": ["whsec_hunter2", "file:/run/secret", 42]
            }
        });
        let shown = shown(&document);
        assert_eq!(
            shown["endpoint"],
            json!({
                "url": "https://…@example.com/x?…",
                "headers": {"authorization": "…", "x-api-key": "env:KEY", "x-wrong": ["…"]},
                "secret": "…",
                "secrets": ["…", "file:/run/secret", "…"]
            })
        );
        assert!(!shown.to_string().contains("hunter2"));
    }

    #[test]
    fn of_a_text_with_references_the_rest_is_hidden_and_refused_when_it_is_sent_back() {
        let document = json!({"endpoint": {
            "url": "env:URL",
            "headers": {"a": "Bearer ${env:TOKEN}", "b": "hunter2:${env:TOKEN}", "c": "Bearer ${TOKEN}"}
        }});
        let shown = shown(&document);
        assert_eq!(shown["endpoint"]["url"], "env:URL");
        assert_eq!(
            shown["endpoint"]["headers"],
            json!({"a": "Bearer ${env:TOKEN}", "b": "…${env:TOKEN}", "c": "…"})
        );
        let paths = refuse_hidden(&shown).into_iter().map(|problem| problem.path).collect::<Vec<_>>();
        assert_eq!(paths, ["endpoint.headers.b", "endpoint.headers.c"]);
    }

    #[test]
    fn tokens_are_hidden_and_of_those_that_are_written_out_only_the_hash_is_kept() {
        let hash = AccessToken::of("a token of long ago").hash();
        let document = json!({"id": "a", "tokens": ["0123456789abcdef", "env:TOKEN", hash]});
        assert_eq!(shown(&document)["tokens"], json!(["…", "env:TOKEN", "…"]));
        let (kept, text) = without_tokens(document.clone(), document.to_string());
        assert_eq!(kept["tokens"], json!([AccessToken::of("0123456789abcdef").hash(), "env:TOKEN", hash]));
        assert!(!text.contains("0123456789abcdef"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), kept);
        // What has none stays as it was written.
        let spaced = "{ \"id\": \"a\" }".to_owned();
        assert_eq!(without_tokens(json!({"id": "a"}), spaced.clone()).1, spaced);
        let paths =
            refuse_hidden(&shown(&document)).into_iter().map(|problem| problem.path).collect::<Vec<_>>();
        assert_eq!(paths, ["tokens[0]", "tokens[2]"]);
    }

    #[test]
    fn leaves_a_url_without_credentials_alone() {
        for url in ["https://example.com/@me", "http://[::1]:9000/a@b", "nonsense", "https://example.com#@"] {
            let document = json!({"endpoint": {"url": url}});
            assert_eq!(shown(&document), document);
        }
    }

    #[test]
    fn a_token_in_the_path_is_hidden_and_refused_when_it_is_sent_back() {
        let url = "https://hooks.example.com/services/T0123ABCD/AbCdEfGh12345678?x=1";
        let shown = shown(&json!({"endpoint": {"url": url}}));
        assert_eq!(shown["endpoint"]["url"], "https://hooks.example.com/services/T0123ABCD/…?…");
        let shown = super::shown(&json!({"endpoint": {"url": url.split('?').next().unwrap()}}));
        assert_eq!(shown["endpoint"]["url"], "https://hooks.example.com/services/T0123ABCD/…");
        assert_eq!(refuse_hidden(&shown)[0].path, "endpoint.url");
    }

    #[test]
    fn a_token_in_the_query_is_hidden_and_refused_when_it_is_sent_back() {
        let document = json!({"endpoint": {"url": "https://example.com/hook?token=hunter2"}});
        let shown = shown(&document);
        assert_eq!(shown, json!({"endpoint": {"url": "https://example.com/hook?…"}}));
        assert_eq!(refuse_hidden(&shown)[0].path, "endpoint.url");
        assert!(refuse_hidden(&document).is_empty());
    }

    #[test]
    fn refuses_what_was_hidden_when_it_is_sent_back() {
        let document = json!({"endpoint": {
            "url": "https://u:p@h/", "headers": {"a": "x", "b": "env:B"}, "secrets": ["y"]
        }});
        let problems = refuse_hidden(&shown(&document));
        let paths = problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>();
        assert_eq!(paths, ["endpoint.headers.a", "endpoint.secrets[0]", "endpoint.url"]);
        assert!(refuse_hidden(&document).is_empty());
    }
}
