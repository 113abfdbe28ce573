//! Answers of the management API, held against its own description.

use crate::client::{Answer, header};
use boon::{Compiler, Schemas};
use serde_json::Value;

/// Where the description stands for its references.
const LOCATION: &str = "http://anglerfish.invalid/openapi.json";

/// The description of an API (`OpenAPI` 3.1).
pub struct Contract {
    document: Value,
}

impl Contract {
    /// Reads a description.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn new(document: Value) -> Self {
        assert!(
            document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
            "not a description: {document}"
        );
        Self { document }
    }

    /// Holds an answer against what is described: its status, header fields, media type and content.
    ///
    /// # Panics
    ///
    /// If it is not as described.
    #[track_caller]
    pub fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap_or(path);
        if let Err(difference) = self.compare(method, path, answer) {
            panic!("{method} {path}: {} is not as described: {difference}\n{}", answer.status, answer.text());
        }
    }

    fn compare(&self, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
        let status = answer.status.to_string();
        let pointer = match self.operation(method, path) {
            Some(operation) => {
                let pointer = format!("{operation}/responses/{status}");
                let Some(response) = self.document.pointer(&pointer) else {
                    return Err("there is no such status".into());
                };
                match response["$ref"].as_str() {
                    Some(reference) => reference.trim_start_matches('#').to_owned(),
                    None => pointer,
                }
            }
            // What no operation describes is refused like everything else.
            None if [400, 401, 403, 404, 405].contains(&answer.status) => {
                "/components/responses/Malformed".to_owned()
            }
            None => return Err("there is no such operation".into()),
        };
        let response = &self.document.pointer(&pointer).ok_or("a reference leads nowhere")?;
        for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            if header(&answer.headers, &name.to_ascii_lowercase()).is_none() {
                return Err(format!("there is no header field {name}"));
            }
        }
        if method == "HEAD" {
            return Ok(());
        }
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let Some(contents) = response["content"].as_object() else {
            return if answer.body.is_empty() { Ok(()) } else { Err("no content is described".into()) };
        };
        let Some(described) = [kind, "*/*"].into_iter().find(|kind| contents.contains_key(*kind)) else {
            return Err(format!("{kind:?} is not a described media type"));
        };
        if !kind.ends_with("json") || described == "*/*" {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        self.validate(&format!("{pointer}/content/{}/schema", escaped(described)), &body)
    }

    /// The pointer of the operation that serves an address.
    fn operation(&self, method: &str, path: &str) -> Option<String> {
        let method = if method == "HEAD" { "get".to_owned() } else { method.to_ascii_lowercase() };
        let paths = self.document["paths"].as_object()?;
        let fits = |template: &str| {
            let (wanted, given): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            let segment = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
            wanted.len() == given.len() && wanted.iter().zip(&given).all(segment)
        };
        let candidates =
            paths.iter().filter(|(template, item)| fits(template) && item.get(&method).is_some());
        let (template, _) = candidates.min_by_key(|(template, _)| template.matches('{').count())?;
        Some(format!("/paths/{}/{method}", escaped(template)))
    }

    fn validate(&self, pointer: &str, value: &Value) -> Result<(), String> {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource(LOCATION, self.document.clone()).map_err(|error| error.to_string())?;
        let location = format!("{LOCATION}#{}", pointer.replace('{', "%7B").replace('}', "%7D"));
        let schema = compiler.compile(&location, &mut schemas).map_err(|error| format!("{error:#}"))?;
        schemas.validate(value, schema).map_err(|error| format!("{error:#}"))
    }
}

/// A key as it stands in a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn contract() -> Contract {
        let problem =
            json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        Contract::new(json!({
            "openapi": "3.1.0",
            "paths": {"/v1/things/{id}": {"get": {"responses": {
                "200": {
                    "headers": {"X-Kind": {}},
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                },
                "400": {"$ref": "#/components/responses/Malformed"}
            }}}},
            "components": {
                "responses": {"Malformed": {"content": problem}},
                "schemas": {
                    "Problem": {"type": "object", "required": ["code"]},
                    "Thing": {
                        "type": "object", "required": ["at"], "additionalProperties": false,
                        "properties": {"at": {"type": ["string", "null"], "format": "date-time"}}
                    }
                }
            }
        }))
    }

    fn answer(status: u16, kind: &str, body: &Value) -> Answer {
        let headers = vec![("content-type".into(), kind.into()), ("x-kind".into(), "a".into())];
        Answer { status, headers, body: body.to_string().into_bytes() }
    }

    #[test]
    fn takes_what_is_described() {
        let (contract, json) = (contract(), "application/json; charset=utf-8");
        for (method, path, answer) in [
            ("GET", "/v1/things/1?x=y", answer(200, json, &json!({"at": "2026-01-31T00:00:00Z"}))),
            ("GET", "/v1/things/1", answer(200, json, &json!({"at": null}))),
            ("GET", "/v1/things/1", answer(400, "application/problem+json", &json!({"code": "x"}))),
            ("GET", "/v1/nothing", answer(404, "application/problem+json", &json!({"code": "x"}))),
        ] {
            contract.check(method, path, &answer);
        }
    }

    #[test]
    fn finds_every_difference() {
        let (contract, json) = (contract(), "application/json");
        for (path, answer) in [
            ("/v1/things/1", answer(200, json, &json!({"at": 1}))),
            ("/v1/things/1", answer(200, json, &json!({"at": "yesterday"}))),
            ("/v1/things/1", answer(200, json, &json!({}))),
            ("/v1/things/1", answer(200, json, &json!({"at": null, "more": 1}))),
            ("/v1/things/1", answer(200, "text/html", &json!({"at": null}))),
            ("/v1/things/1", answer(201, json, &json!({"at": null}))),
            ("/v1/things/1", answer(400, "application/problem+json", &json!({}))),
            ("/v1/things/1", answer(400, json, &json!({"code": "x"}))),
            ("/v1/nothing", answer(404, json, &json!({"code": "x"}))),
            ("/v1/nothing", answer(200, json, &json!({}))),
        ] {
            assert!(contract.compare("GET", path, &answer).is_err(), "{path} {answer:?}");
        }
        let mut bare = answer(200, json, &json!({"at": null}));
        bare.headers.truncate(1);
        assert!(contract.compare("GET", "/v1/things/1", &bare).is_err());
    }
}
