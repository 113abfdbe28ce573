//! `/openapi.json`: the API as an `OpenAPI` 3.1 document, made of what the handlers and their types say.

use super::query::{NoParameters, Query};
use super::{ProblemDetails, router, trial};
use crate::web::{PROBLEM_JSON, ProblemBody};
use http::HeaderName;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi;

/// What no handler says: the API as a whole, and what is served at the address of another operation.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Anglerfish management API",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        description = "What a gateway holds and how it is. It has a listener of its own (`[admin] listen`). With a \
            token (`[admin] token`) everything but `/live` and `/ready` asks for it; without one the listener is on a \
            loopback address and takes requests of local programs only, not of web pages. Errors are problem details \
            (RFC 9457); programs tell them apart by `code`. Query parameters and members of bodies that are not known \
            are errors. Another method than those described is answered 405, and `Allow` says which ones there are."
    ),
    servers((url = "http://127.0.0.1:8081")),
    tags(
        (name = "health", description = "For those who watch the process"),
        (name = "configuration", description = "What the gateway goes by"),
        (name = "events", description = "The log"),
        (name = "deliveries", description = "What became of events"),
        (name = "jobs", description = "Work on many deliveries"),
        (name = "calls", description = "Requests to other systems' APIs"),
        (name = "callbacks", description = "Addresses that programs await"),
        (name = "flows", description = "Functions of the program that survive"),
        (name = "subscriptions", description = "Who wants what"),
        (name = "sources", description = "Where requests come in"),
        (name = "resources", description = "Patterns of documents whose changes are told, and the documents"),
        (name = "rejections", description = "What was refused lately"),
    ),
    security(("token" = []), ()),
    paths(trial::test),
    components(schemas(ProblemBody))
)]
struct Description;

/// The document, as text.
static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "health",
    responses((status = 200, description = "This document.", body = serde_json::Value))
)]
pub(super) async fn serve(
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<([(HeaderName, &'static str); 1], &'static str), ProblemDetails> {
    Ok(([(CONTENT_TYPE, "application/json")], text()))
}

/// The document as it is served.
pub(super) fn text() -> &'static str {
    &TEXT
}

fn document() -> Value {
    let mut described = Description::openapi();
    described.merge(router::open().into_openapi());
    described.merge(router::guarded().into_openapi());
    let mut document = json!(described);
    if let Some(Value::Object(paths)) = document.get_mut("paths") {
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            complete(operation);
        }
    }
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        name_items(schemas);
    }
    if let Some(Value::Object(components)) = document.get_mut("components") {
        let responses: Map<String, Value> =
            COMMON.iter().map(|answer| (answer.name.to_owned(), answer.response())).collect();
        components.insert("responses".into(), responses.into());
        let about = "The token of `[admin] token`; without one in the configuration none is asked for.";
        components.insert(
            "securitySchemes".into(),
            json!({"token": {"type": "http", "scheme": "bearer", "description": about}}),
        );
    }
    document
}

/// An error that many operations can answer with.
struct Common {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    /// A header field that comes with it, and what it says.
    header: Option<(&'static str, &'static str)>,
    given: AppliesTo,
}

/// Which operations give an answer.
#[derive(PartialEq, Eq)]
enum AppliesTo {
    Always,
    /// Those that not everybody may use.
    Guarded,
    /// Those that take a body.
    WithBody,
}

impl Common {
    const fn new(
        status: &'static str,
        name: &'static str,
        given: AppliesTo,
        description: &'static str,
    ) -> Self {
        Self { status, name, description, header: None, given }
    }

    const fn with(mut self, header: &'static str, about: &'static str) -> Self {
        self.header = Some((header, about));
        self
    }

    fn response(&self) -> Value {
        let mut response = json!({"description": self.description, "content": problem_content()});
        if let (Some((name, about)), Some(members)) = (self.header, response.as_object_mut()) {
            let header = json!({(name): {"description": about, "schema": {"type": "string"}}});
            members.insert("headers".into(), header);
        }
        response
    }
}

const COMMON: [Common; 8] = [
    Common::new(
        "400",
        "Malformed",
        AppliesTo::Always,
        "The request is malformed: `invalid-query`, `invalid-path`, `invalid-json`, `unreadable-body`.",
    ),
    Common::new("401", "Unauthorized", AppliesTo::Guarded, "The token is missing or wrong: `unauthorized`.")
        .with("WWW-Authenticate", "How to show the token."),
    Common::new(
        "403",
        "Foreign",
        AppliesTo::Guarded,
        "Without a token only programs of this machine are served: `foreign-host`, `foreign-origin`.",
    ),
    Common::new("405", "MethodNotAllowed", AppliesTo::Always, "Another method: `method-not-allowed`.")
        .with("Allow", "The methods that this address takes."),
    Common::new("413", "TooLarge", AppliesTo::WithBody, "The body is over 1 MiB: `body-too-large`."),
    Common::new(
        "415",
        "WrongType",
        AppliesTo::WithBody,
        "The body has another media type than the description names: `unsupported-media-type`.",
    ),
    Common::new("500", "Internal", AppliesTo::Guarded, "A fault of the gateway itself: `internal`."),
    Common::new(
        "503",
        "Unavailable",
        AppliesTo::Guarded,
        "Something is out of reach for now: `unavailable`.",
    )
    .with("Retry-After", "When to try again, in seconds."),
];

/// Names the schema of a listing's items where it is written out: clients that are generated have one type for it then.
fn name_items(schemas: &mut Map<String, Value>) {
    let named: Vec<(String, Value)> =
        schemas.iter().map(|(name, schema)| (name.clone(), schema.clone())).collect();
    for schema in schemas.values_mut() {
        let Some(items) = schema.pointer_mut("/properties/items/items") else { continue };
        if let Some((name, _)) = named.iter().find(|(_, schema)| schema == items) {
            *items = json!({"$ref": format!("#/components/schemas/{name}")});
        }
    }
}

/// Adds the errors that many operations give, and the form of those that the operation names itself.
fn complete(operation: &mut Value) {
    let guarded = operation.get("security").is_none();
    let with_body = operation.get("requestBody").is_some();
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (status, response) in responses.iter_mut() {
        if status.as_str() >= "400"
            && let Some(members) = response.as_object_mut()
        {
            members.entry("content").or_insert_with(problem_content);
        }
    }
    for answer in COMMON {
        let given = match answer.given {
            AppliesTo::Always => true,
            AppliesTo::Guarded => guarded,
            AppliesTo::WithBody => with_body,
        };
        if given {
            let reference = json!({"$ref": format!("#/components/responses/{}", answer.name)});
            responses.entry(answer.status).or_insert(reference);
        }
    }
}

fn problem_content() -> Value {
    json!({(PROBLEM_JSON): {"schema": {"$ref": "#/components/schemas/Problem"}}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn says_which_version_of_the_specification_it_follows() {
        let document = document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
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
        let parts = ["schemas", "responses"].into_iter().flat_map(|kind| {
            let parts = document["components"][kind].as_object().unwrap();
            parts.keys().map(move |name| format!("/components/{kind}/{name}"))
        });
        assert_eq!(found, parts.collect());
    }

    #[test]
    fn every_operation_and_every_parameter_says_what_it_is() {
        let document = document();
        let mut names = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert!(
                    names.insert(operation["operationId"].as_str().unwrap().to_owned()),
                    "{method} {path}"
                );
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(parameter["description"].is_string(), "{method} {path} {parameter}");
                }
            }
        }
    }
}
