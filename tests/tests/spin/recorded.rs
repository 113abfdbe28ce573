//! The recorded requests of all providers, as far as a shell can be sent them: those whose decision fetches nothing.

use anglerfish_tests::{Answer, Request};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The recorded cases with their sources' configurations, in the order of their files.
fn cases() -> Vec<(String, Map<String, Value>, Request)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/verify");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let groups: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let provider = file.file_stem().unwrap().to_string_lossy();
        for group in groups.as_array().unwrap() {
            for case in group["cases"].as_array().unwrap() {
                let fetches = |table: &Value| table["fetched"].as_array().is_some_and(|all| !all.is_empty());
                if fetches(group) || fetches(case) || case["expect"]["outcome"] == "fetch" {
                    continue;
                }
                let name = format!("{provider}: {}", case["name"].as_str().unwrap());
                let config = case.get("config").unwrap_or(&group["config"]);
                found.push((name, source(config), request(&group["request"], case)));
            }
        }
    }
    found
}

/// A recorded configuration as a source's.
fn source(config: &Value) -> Map<String, Value> {
    let mut source = config.as_object().unwrap().clone();
    if let Some(past) = source.remove("past_seconds") {
        source.insert("tolerance".to_owned(), json!({ "past": format!("{past}s") }));
    }
    for secret in source.get_mut("secrets").and_then(Value::as_array_mut).into_iter().flatten() {
        // Times are written another way there, and long past.
        let secret = secret.as_object_mut().unwrap();
        secret.retain(|key, _| ["value", "label"].contains(&key.as_str()));
    }
    source
}

/// The group's request with what the case changes.
fn request(group: &Value, case: &Value) -> Request {
    let text = |key: &str| case.get(key).unwrap_or(&group[key]).as_str().unwrap().to_owned();
    let mut headers = group["headers"].as_object().unwrap().clone();
    headers.extend(case["headers"].as_object().cloned().unwrap_or_default());
    let pair = |value: &Value| (value[0].as_str().unwrap().to_owned(), value[1].as_str().unwrap().to_owned());
    let repeated = case["repeat"].as_array().into_iter().flatten().map(pair);
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
    let url = text("url");
    Request {
        method: text("method"),
        path: url.split_once('?').map_or_else(String::new, |(_, query)| format!("?{query}")),
        headers: headers.chain(repeated).collect(),
        body: text("body").into_bytes(),
        chunked: false,
    }
}

/// The sources, each once.
fn sources() -> Vec<Map<String, Value>> {
    let mut sources = Vec::new();
    for (_, source, _) in cases() {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// A source for each configuration that was recorded; nobody subscribes to any.
pub(crate) fn configuration() -> Value {
    let named = sources().into_iter().enumerate().map(|(number, mut source)| {
        source.insert("name".to_owned(), json!(format!("s{number}")));
        Value::Object(source)
    });
    json!({ "source": named.collect::<Vec<_>>() })
}

/// The recorded requests, each to the source of its configuration.
pub(crate) fn requests() -> Vec<(String, Request)> {
    let sources = sources();
    let to = |source: &Map<String, Value>| sources.iter().position(|known| known == source).unwrap();
    let at = |(name, source, request): (String, Map<String, Value>, Request)| {
        let path = format!("/in/s{}{}", to(&source), request.path);
        (name, Request { path, ..request })
    };
    cases().into_iter().map(at).collect()
}

/// Whether an event's id is one that its request gave it: a UUID of version 7.
pub(crate) fn is_of_request(id: &str) -> bool {
    id.len() == 36 && id.split('-').count() == 5 && id.as_bytes()[14] == b'7'
}

/// An answer without what nobody can know: its date, the id that a request gave its event, and the digits of a refusal, which may tell
/// the moment.
pub(crate) fn comparable(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    const ID: &str = r#"{"id":""#;
    let mut fields = answer.headers.clone();
    fields.retain(|(name, _)| name != "date");
    fields.sort();
    let mut body = answer.text();
    if answer.status == 401 {
        body.retain(|letter| !letter.is_ascii_digit());
    }
    if let Some((id, rest)) = body.strip_prefix(ID).and_then(|rest| rest.split_once('"'))
        && is_of_request(id)
    {
        body = format!("{ID}\"{rest}");
    }
    (answer.status, fields, body)
}
