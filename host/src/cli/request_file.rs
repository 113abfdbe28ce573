//! A request written as JSON: `{"method", "url", "headers": {…}, "body" or "body_base64"}`.

use crate::engine::InboundRequest;
use anglerfish_core::config::{Node, Problems};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use std::str::FromStr;

const KEYS: &[&str] = &["method", "url", "headers", "body", "body_base64"];

/// What a line of many requests may name besides.
const LINE_KEYS: &[&str] = &["method", "url", "headers", "body", "body_base64", "source", "now"];

/// What the command line says of every request.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    /// The source, if one is named.
    pub(super) source: Option<String>,
    /// When the requests were received.
    pub(super) now: UnixMillis,
}

/// Reads one request; `line` says whether it may name its source and time.
///
/// # Errors
///
/// All that is wrong with it.
pub(super) fn read(text: &str, line: bool, defaults: &Defaults) -> Result<InboundRequest, Vec<Problem>> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| vec![Problem::new("", format!("not JSON: {error}"))])?;
    let problems = Problems::default();
    let root = Node::root(&value, "", &problems);
    let request = request(&root, line, defaults);
    let problems = problems.into_vec();
    match request {
        Some(request) if problems.is_empty() => Ok(request),
        _ => Err(problems),
    }
}

/// One problem in words.
pub(super) fn say(problem: &Problem) -> String {
    let said = problem.to_string();
    let said = said.trim_start_matches(": ");
    match &problem.hint {
        Some(hint) => format!("{said} ({hint})"),
        None => said.to_owned(),
    }
}

fn request(root: &Node<'_>, line: bool, defaults: &Defaults) -> Option<InboundRequest> {
    let table = root.table(if line { LINE_KEYS } else { KEYS })?;
    let source = match table.get("source") {
        Some(node) => Some(node.text()?.to_owned()),
        None => defaults.source.clone(),
    };
    let Some(source) = source else {
        root.report("names no source, and there is no --source");
        return None;
    };
    let received = match table.get("now") {
        Some(node) => UnixMillis::from_seconds(node.integer(0..=u64::MAX / 1000)?),
        None => defaults.now,
    };
    let method = match table.get("method") {
        None => Method::POST,
        Some(node) => {
            let method = Method::from_str(&node.text()?.to_ascii_uppercase());
            method.map_err(|_| node.report("not a method")).ok()?
        }
    };
    let url = match table.get("url") {
        Some(node) => node.text()?.to_owned(),
        None => format!("http://localhost/in/{source}"),
    };
    let headers = table.get("headers").map_or_else(|| Some(HeaderMap::new()), |node| headers(&node))?;
    let body = match (table.get("body"), table.get("body_base64")) {
        (Some(_), Some(both)) => {
            both.report("give either \"body\" or \"body_base64\"");
            return None;
        }
        (Some(text), None) => Bytes::from(text.string()?.to_owned()),
        (None, Some(encoded)) => {
            Bytes::from(STANDARD.decode(encoded.string()?).map_err(|_| encoded.report("not base64")).ok()?)
        }
        (None, None) => Bytes::new(),
    };
    let id = crate::clock::request_id(received);
    Some(InboundRequest {
        id,
        source,
        method,
        url,
        headers,
        body,
        received,
        added_prefix: String::new(),
        fetched: Vec::new(),
    })
}

/// A value is one string, or a list of strings for a field that occurs several times.
fn headers(node: &Node<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in node.members()? {
        let Ok(name) = HeaderName::from_str(name) else {
            value.report("not the name of a header field");
            continue;
        };
        let mut add = |value: &Node<'_>| {
            let Some(text) = value.string() else { return };
            match HeaderValue::from_bytes(text.as_bytes()) {
                Ok(field) => {
                    headers.append(name.clone(), field);
                }
                Err(_) => value.report("not the value of a header field"),
            }
        };
        if matches!(value.value(), Value::Array(_)) {
            value.items()?.for_each(|item| add(&item));
        } else {
            add(&value);
        }
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults(source: Option<&str>) -> Defaults {
        Defaults { source: source.map(str::to_owned), now: UnixMillis::from_seconds(7) }
    }

    fn error(read: Result<InboundRequest, Vec<Problem>>) -> String {
        read.unwrap_err().iter().map(say).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn reads_a_request_with_text_and_with_base64() {
        let text =
            r#"{"method":"put","url":"https://h/x","headers":{"X-A":"1","x-b":["2","3"]},"body":"hé"}"#;
        let request = read(text, false, &defaults(Some("shop"))).unwrap();
        assert_eq!((request.source.as_str(), request.method.as_str()), ("shop", "PUT"));
        assert_eq!(request.headers.get_all("x-b").iter().count(), 2);
        assert_eq!(request.body, "hé".as_bytes());
        assert_eq!(request.received, UnixMillis::from_seconds(7));
        let request =
            read(r#"{"url":"https://h/","body_base64":"/wA="}"#, false, &defaults(Some("shop"))).unwrap();
        assert_eq!(&*request.body, [0xff, 0]);
    }

    #[test]
    fn a_line_may_name_its_source_and_time() {
        let text = r#"{"source":"hub","now":1700000000,"url":"https://h/"}"#;
        let request = read(text, true, &defaults(Some("shop"))).unwrap();
        assert_eq!((request.source.as_str(), request.received.seconds()), ("hub", 1_700_000_000));
        assert!(error(read(text, false, &defaults(Some("shop")))).contains("source: unknown key"));
        assert!(error(read(r#"{"url":"https://h/"}"#, true, &defaults(None))).contains("source"));
    }

    #[test]
    fn says_everything_that_is_wrong() {
        for (text, words) in [
            ("{", &["not JSON"][..]),
            ("[]", &["expected a table"]),
            (r#"{"bodi":"","headers":{"a b":"x"}}"#, &["bodi: unknown key", "did you mean \"body\"?", "a b"]),
            (r#"{"body":"a","body_base64":"YQ=="}"#, &["either"]),
            (r#"{"body_base64":"%"}"#, &["not base64"]),
            (r#"{"method":"a b"}"#, &["not a method"]),
            ("{\"headers\":{\"a\":\"x\\ny\"}}", &["not the value"]),
        ] {
            let error = error(read(text, true, &defaults(Some("shop"))));
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
    }
}
