//! `/openapi.json`: the API as an `OpenAPI` 3.1 document.

use super::ProblemDetails;
use super::query::{Nothing, Query};
use http::HeaderName;
use http::header::CONTENT_TYPE;

/// The document.
const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /openapi.json`
pub(super) async fn document(
    Query(Nothing {}): Query<Nothing>,
) -> Result<([(HeaderName, &'static str); 1], &'static str), ProblemDetails> {
    Ok(([(CONTENT_TYPE, "application/json")], DOCUMENT))
}

#[cfg(test)]
mod tests {
    use super::super::router::{guarded_routes, open_routes};
    use super::DOCUMENT;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn has_every_address_and_no_other() {
        let routes = open_routes().into_iter().chain(guarded_routes());
        let mut served = routes.map(|(path, _)| path.to_owned()).collect::<BTreeSet<_>>();
        served.insert("/v1/subscriptions/test".into());
        let document = document();
        let described = document["paths"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(described, served);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_part_is_used() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(members) => {
                    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                        found.insert(reference.trim_start_matches('#').to_owned());
                    }
                    members.values().for_each(|member| references(member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        let parts = ["schemas", "parameters", "responses"].into_iter().flat_map(|kind| {
            let parts = document["components"][kind].as_object().unwrap();
            parts.keys().map(move |name| format!("/components/{kind}/{name}"))
        });
        assert_eq!(found, parts.collect());
    }
}
