//! `/out/openapi.json`: the addresses below `/out` as an `OpenAPI` 3.1 document.

use super::handler;
use crate::web::{NoParameters, PROBLEM_JSON, ProblemBody, ProblemDetails, Query};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Anglerfish subscriptions, for their subscribers",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        description = "Where the subscribers of passive subscriptions get what is kept for them, and where streams are read. It has \
            a listener of its own (`[out] listen`). Whoever asks shows a token of the subscription as `Authorization: Bearer`. Errors are problem \
            details (RFC 9457); programs tell them apart by `code`. Members of bodies that are not known are errors."
    ),
    servers((url = "/", description = "The listener that this document comes from.")),
    tags((name = "out", description = "Messages of passive subscriptions, and streams")),
    security(("token" = [])),
    paths(handler::lease, handler::ack, handler::nack, handler::extend, serve),
    components(schemas(ProblemBody))
)]
struct Description;

/// This document. It needs no token.
#[utoipa::path(
    get, path = "/out/openapi.json", operation_id = "openapi", tag = "out", security(()),
    responses((status = 200, description = "This document.", body = serde_json::Value))
)]
async fn serve(
    State(text): State<Arc<str>>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<([(HeaderName, &'static str); 1], String), ProblemDetails> {
    Ok(([(CONTENT_TYPE, "application/json")], text.to_string()))
}

/// The address of the document, with what is described beside the addresses of this room.
pub(crate) fn description(others: OpenApi) -> Router {
    let text: Arc<str> = document(others).to_string().into();
    Router::new().route("/out/openapi.json", get(serve)).with_state(text)
}

/// Errors that every address with a subscription answers with.
const COMMON: [(&str, &str); 10] = [
    ("400", "The request is malformed: `invalid-query`, `invalid-path`, `invalid-json`, `unreadable-body`."),
    (
        "401",
        "No token is shown, or none of the subscription's; also where there is no such subscription: `unauthorized`.",
    ),
    ("403", "A page of another site asks that `out.allowed_origins` does not list: `foreign-origin`."),
    ("405", "Another method: `method-not-allowed`."),
    ("413", "The body is over 1 MiB: `body-too-large`."),
    ("415", "The body has another media type: `unsupported-media-type`."),
    ("422", "The body has problems, all of them in `problems`: `invalid-document`."),
    (
        "429",
        "Too many tokens that are not right came from this address, and this one was not looked at: `too-many-wrong-tokens`. \
         `Retry-After` says when to come again.",
    ),
    ("500", "A fault of the gateway itself: `internal`."),
    ("503", "The store is out of reach for now: `unavailable`. Leases stand as they did."),
];

/// The whole document.
fn document(others: OpenApi) -> Value {
    let mut described = Description::openapi();
    described.merge(others);
    let mut document = json!(described);
    let problem = json!({(PROBLEM_JSON): {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let operations = paths
        .into_iter()
        .flat_map(Map::values_mut)
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    for operation in operations.filter(|operation| operation.get("security").is_none()) {
        let Some(Value::Object(responses)) = operation.get_mut("responses") else { continue };
        for (status, description) in COMMON {
            responses.entry(status).or_insert_with(|| json!({"description": description}));
        }
        for (_, response) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
            if let Some(members) = response.as_object_mut() {
                members.insert("content".to_owned(), problem.clone());
            }
        }
    }
    if let Some(Value::Object(components)) = document.get_mut("components") {
        let about = "A token of the subscription (`tokens`).";
        components.insert(
            "securitySchemes".into(),
            json!({"token": {"type": "http", "scheme": "bearer", "description": about}}),
        );
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_every_address_with_its_errors_and_every_reference_leads_somewhere() {
        let document = document(OpenApi::default());
        let paths = document["paths"].as_object().unwrap();
        let names: Vec<&str> = paths.keys().map(String::as_str).collect();
        let expected = ["ack", "extend", "lease", "nack"].map(|name| format!("/out/{{subscription}}/{name}"));
        assert!(expected.iter().all(|path| names.contains(&path.as_str())) && names.len() == 5, "{names:?}");
        for path in &expected {
            let responses = document["paths"][path]["post"]["responses"].as_object().unwrap();
            assert!(
                responses.contains_key("401")
                    && responses.contains_key("429")
                    && responses.contains_key("422"),
                "{path}"
            );
        }
        let text = document.to_string();
        for reference in text.split("\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
