//! Answers as the table has them.

use anglerfish_tests::Answer;
use serde_json::Value;

/// An answer, byte for byte. In its texts `{}` stands for what nobody can know: letters and digits, one at least.
pub(crate) struct Expected {
    status: u16,
    /// All header fields but the date, the length and what is the connection's.
    pub(super) fields: Vec<(&'static str, String)>,
    body: String,
}

impl Expected {
    /// How many deliveries its receipt tells.
    pub(crate) fn deliveries(&self) -> usize {
        let told = serde_json::from_str::<Value>(&self.body).ok();
        told.and_then(|body| body["deliveries"].as_u64()).map_or(0, |count| usize::try_from(count).unwrap())
    }

    /// What an answer has that this one has not, or the other way round.
    pub(crate) fn difference(&self, answer: &Answer) -> Option<String> {
        const OTHERS: [&str; 3] = ["connection", "content-length", "date"];
        let mut fields: Vec<(&str, String)> = { answer.headers.iter() }
            .map(|(name, value)| (name.as_str(), value.clone()))
            .filter(|(name, _)| !OTHERS.contains(name))
            .collect();
        fields.sort();
        let mut expected = self.fields.clone();
        expected.sort();
        let is_same = answer.status == self.status
            && fields == expected
            && answer.header("date").is_some()
            // RFC 9110, section 8.6: only an answer that can have no body has no length.
            && answer.header("content-length").is_some() == (self.status != 204)
            && is_like(&answer.text(), &self.body);
        let Self { status, body, .. } = self;
        (!is_same)
            .then(|| format!("{answer:?}\n  {:?}\n  is not {status} {expected:?}\n  {body:?}", answer.text()))
    }
}

fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split("{}");
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    for part in parts {
        let known = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        let end = rest.find(|letter| !known(letter)).unwrap_or(rest.len());
        match rest[end..].strip_prefix(part) {
            Some(behind) if end > 0 => rest = behind,
            _ => return false,
        }
    }
    rest.is_empty()
}

pub(super) fn answered(status: u16, content_type: &str, body: impl Into<String>) -> Expected {
    let fields =
        if content_type.is_empty() { vec![] } else { vec![("content-type", content_type.to_owned())] };
    Expected { status, fields, body: body.into() }
}

pub(super) fn accepted(id: &str, deliveries: usize) -> Expected {
    let body = format!(r#"{{"id":"{id}","status":"accepted","deliveries":{deliveries}}}"#);
    answered(202, "application/json", body)
}

pub(super) fn duplicate(id: &str) -> Expected {
    answered(200, "application/json", format!(r#"{{"id":"{id}","status":"duplicate","deliveries":0}}"#))
}

pub(super) fn batch(
    status: u16,
    word: &str,
    events: usize,
    duplicates: usize,
    deliveries: usize,
) -> Expected {
    let body = format!(
        r#"{{"status":"{word}","events":{events},"duplicates":{duplicates},"deliveries":{deliveries}}}"#
    );
    answered(status, "application/json", body)
}

pub(super) fn problem(status: u16, title: &str, code: &str, detail: &str) -> Expected {
    let body = format!(
        r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}","code":"{code}"}}"#
    );
    answered(status, "application/problem+json", body)
}

pub(super) fn unverified(detail: &str) -> Expected {
    problem(401, "Unauthorized", "verification-failed", detail)
}

pub(super) fn nowhere() -> Expected {
    problem(404, "Not Found", "not-found", "events go to /in/{source}")
}

/// What is said of a source that there is not, with this beside it.
pub(super) fn unknown(hint: &str) -> Expected {
    problem(404, "Not Found", "unknown-source", &format!("there is no such source{hint}"))
}

pub(super) fn too_large() -> Expected {
    problem(413, "Content Too Large", "too-large", "the body is longer than 1048576 bytes")
}

pub(super) fn no_such_method(methods: &str, detail: &str) -> Expected {
    let mut expected = problem(405, "Method Not Allowed", "method-not-allowed", detail);
    expected.fields.push(("allow", methods.to_owned()));
    expected
}

pub(super) fn never_taken() -> Expected {
    no_such_method("GET, HEAD, POST", "events are sent with POST, handshakes with GET")
}

/// The answer to a HEAD: everything but the body.
pub(super) fn without_body(expected: Expected) -> Expected {
    Expected { body: String::new(), ..expected }
}
