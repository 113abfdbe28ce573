//! Literal texts in place of secrets that their writers hardly mean as they stand: `$TOKEN`, `{{ token }}`.

use super::place::for_each_in_configuration;
use super::text::{doubtful, pieces};
use anglerfish_core::config::{SecretPlace, for_each_secret};
use anglerfish_core::problem::Problem;
use serde_json::Value;

/// What is doubtful at these places of a document as it is written.
pub(crate) fn doubts(document: &Value, places: &[SecretPlace]) -> Vec<Problem> {
    let mut found = Vec::new();
    for_each_secret(&mut document.clone(), "", places, &mut |path, value, _| {
        found.extend(doubt(path, value))
    });
    found
}

/// What is doubtful in a whole configuration as it is written.
pub(crate) fn configuration_doubts(document: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    for_each_in_configuration(&mut document.clone(), &mut |path, value| found.extend(doubt(path, value)));
    found
}

fn doubt(path: &str, value: &Value) -> Option<Problem> {
    // What cannot be taken apart is refused, which says more.
    let text = value.as_str().filter(|text| pieces(text).is_ok())?;
    // There `{{ … }}` has a meaning.
    let is_filled = path.contains("endpoint.headers.") || path.ends_with("endpoint.url");
    if is_filled && text.contains("{{") {
        return None;
    }
    let (message, hint) = doubtful(text)?;
    Some(Problem::new(path, message).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::config::SUBSCRIPTION_SECRETS;
    use serde_json::json;

    #[test]
    fn a_variable_of_a_shell_is_doubtful_in_a_file_and_in_a_document() {
        let found = configuration_doubts(&json!({"source": [{"secrets": ["$GITHUB_SECRET"]}]}));
        assert_eq!(found[0].path, "source[0].secrets[0]");
        assert_eq!(found[0].hint.as_deref(), Some("write \"env:GITHUB_SECRET\""));
        let document = json!({"endpoint": {"headers": {"authorization": "Bearer $TOKEN", "x-a": "plain"}}});
        let found = doubts(&document, SUBSCRIPTION_SECRETS);
        let paths: Vec<&str> = found.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["endpoint.headers.authorization"]);
    }

    #[test]
    fn a_template_is_doubtful_where_nothing_fills_it() {
        let document = json!({"endpoint": {
            "url": "https://example.com/{{ event.id }}", "headers": {"x-a": "{{ event.id }}"}, "secret": "{{ secret }}"
        }});
        let found = doubts(&document, SUBSCRIPTION_SECRETS);
        let paths: Vec<&str> = found.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["endpoint.secret"]);
    }

    #[test]
    fn references_are_beyond_doubt() {
        let document = json!({"endpoint": {"url": "env:URL", "headers": {"a": "Bearer ${env:TOKEN}"}}});
        assert!(doubts(&document, SUBSCRIPTION_SECRETS).is_empty());
    }
}
