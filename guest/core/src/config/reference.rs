//! References to secrets, `env:NAME`, `file:PATH` and `${env:NAME}` inside a text, where no shell resolves them.

use crate::node::{item_path, key_path};
use crate::problem::Problem;
use serde_json::Value;

/// Whether a text refers to a secret instead of being one.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    text.starts_with("env:")
        || text.starts_with("file:")
        || text.contains("${env:")
        || text.contains("${file:")
}

/// A problem for each reference anywhere in a document, for a shell that has neither variables nor files to resolve
/// them against. Taken literally, a reference would be a secret that everybody can guess. Every text is looked at, not
/// only those that are known to be secrets, so that none is forgotten: no other text of a document begins like one.
#[must_use]
pub fn refuse_references(document: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    refuse("", document, &mut problems);
    problems
}

fn refuse(path: &str, value: &Value, problems: &mut Vec<Problem>) {
    match value {
        Value::String(text) if is_reference(text) => {
            let problem = Problem::new(path, "references to variables and files are not resolved here");
            problems.push(problem.with_hint("write the secret itself"));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                refuse(&item_path(path, index), item, problems);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                refuse(&key_path(path, key), member, problems);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reference_is_refused_wherever_it_stands_and_is_not_repeated() {
        let document = json!({
            "source": [{ "name": "hub", "secrets": ["env:GH", { "value": "file:/run/key", "label": "old" }] }],
            "subscription": [{
                "id": "a",
                "endpoint": { "url": "https://h/", "secret": "env:OUT", "headers": { "x-a": "Bearer ${env:B}" } },
            }],
        });
        let problems = refuse_references(&document);
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "source[0].secrets[0]",
                "source[0].secrets[1].value",
                "subscription[0].endpoint.headers.x-a",
                "subscription[0].endpoint.secret",
            ]
        );
        assert!(problems.iter().all(|problem| !problem.to_string().contains("GH")));
        assert_eq!(
            refuse_references(&json!({ "source": [{ "name": "env", "secrets": ["environment"] }] })),
            []
        );
    }
}
