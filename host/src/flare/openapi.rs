//! `/openapi.json`: this API as an `OpenAPI` 3.1 document, made of what stands beside the handlers.

use super::schema::ErrorShape;
use super::{document, resource, router, subscription};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi as _;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Anglerfish documents",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        description = "The HTTP API of Flare. It has a listener of its own (`[documents] listen`). With a token (`[documents] token`) \
            every address asks for it; without one the listener is on a loopback address and takes requests of local programs \
            only. Members of bodies that are not known are not looked at, nor is the media type of a request. Another method than \
            those described is answered 400."
    ),
    servers((url = "http://127.0.0.1:8083")),
    tags(
        (name = "resources", description = "Patterns of documents whose changes are told"),
        (name = "subscriptions", description = "Who is told, and how"),
        (name = "documents", description = "The real things, put by their producers"),
    ),
    security(("token" = []), ()),
    paths(
        router::service, resource::list, resource::create, resource::show, resource::delete, document::list,
        subscription::list, subscription::create, subscription::show, subscription::delete,
        subscription::resync, subscription::explain, document::show, document::put, document::delete
    ),
    components(schemas(ErrorShape))
)]
struct Description;

/// Errors that every address can answer with.
const COMMON: [(&str, &str); 5] = [
    ("400", "The request is malformed; the error's title and detail say how."),
    ("401", "The token is missing or wrong."),
    ("403", "Without a token only programs of this machine are served."),
    ("500", "A fault of the gateway itself."),
    ("503", "Something is out of reach for now; `Retry-After` says when to come again."),
];

static TEXT: LazyLock<String> = LazyLock::new(|| description().to_string());

/// The document, as text.
pub(super) fn text() -> &'static str {
    &TEXT
}

fn description() -> Value {
    let mut document = json!(Description::openapi());
    let error = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
    let paths =
        document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let with_body = operation.get("requestBody").is_some();
        let Some(Value::Object(responses)) = operation.get_mut("responses") else { continue };
        for (status, description) in COMMON {
            responses.entry(status).or_insert_with(|| json!({"description": description}));
        }
        if with_body {
            let description = "The body is longer than `documents.body_limit`.";
            responses.entry("413").or_insert_with(|| json!({"description": description}));
        }
        for (_, response) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
            if let Some(members) = response.as_object_mut() {
                members.insert("content".to_owned(), error.clone());
            }
        }
    }
    if let Some(Value::Object(components)) = document.get_mut("components") {
        let description = "The address or the method is none of these.";
        components
            .insert("responses".into(), json!({"Malformed": {"description": description, "content": error}}));
        let about = "The token of `[documents] token`; without one in the configuration none is asked for.";
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
    fn every_address_is_described_with_its_errors_and_every_reference_leads_somewhere() {
        let document = description();
        let paths = document["paths"].as_object().unwrap();
        let operations: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!((paths.len(), operations), (9, 15), "{:?}", paths.keys());
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert!(operation["responses"]["400"]["content"].is_object(), "{method} {path}");
            }
        }
        let text = document.to_string();
        for reference in text.split("\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
