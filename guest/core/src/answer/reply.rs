//! One HTTP answer, as plain data.

use super::problem_json;
use crate::decision::Answer;
use serde::Serialize;
use std::borrow::Cow;

/// An HTTP answer: what a shell writes, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// Header fields, names in lower case; the length of the body is the HTTP library's to say.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Vec<u8>,
}

const CONTENT_TYPE: Cow<'static, str> = Cow::Borrowed("content-type");

#[derive(Serialize)]
struct Receipt<'a> {
    id: &'a str,
    status: &'a str,
    deliveries: usize,
}

#[derive(Serialize)]
struct BatchReceipt {
    status: &'static str,
    events: usize,
    duplicates: usize,
    deliveries: usize,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
}

impl Reply {
    /// An event that is on disk, with the number of its deliveries: 202, or what the provider wants to read.
    #[must_use]
    pub fn accepted(id: &str, deliveries: usize, answer: Option<Answer>) -> Self {
        answer.map_or_else(
            || Self::receipt(202, &Receipt { id, status: "accepted", deliveries }),
            Self::answered,
        )
    }

    /// An event that was accepted before: 200, or what the provider wants to read.
    #[must_use]
    pub fn duplicate(id: &str, answer: Option<Answer>) -> Self {
        answer.map_or_else(
            || Self::receipt(200, &Receipt { id, status: "duplicate", deliveries: 0 }),
            Self::answered,
        )
    }

    /// A batch that was split: how many of its parts are new events and on disk, and how many were accepted before. 202,
    /// or 200 if none is new, or what the provider wants to read. An empty batch is accepted.
    #[must_use]
    pub fn batch(events: usize, duplicates: usize, deliveries: usize, answer: Option<Answer>) -> Self {
        let (code, status) =
            if events == 0 && duplicates > 0 { (200, "duplicate") } else { (202, "accepted") };
        answer.map_or_else(
            || Self::receipt(code, &BatchReceipt { status, events, duplicates, deliveries }),
            Self::answered,
        )
    }

    /// A provider's handshake. A status that cannot end an exchange becomes a 500.
    #[must_use]
    pub fn answered(answer: Answer) -> Self {
        if !(200..=599).contains(&answer.status) {
            return Self::problem(500, "internal", "the decision's answer has no usable status");
        }
        // An empty body has no type.
        let mut headers = Vec::new();
        if !answer.content_type.is_empty() {
            headers.push((CONTENT_TYPE, answer.content_type));
        }
        headers.extend(answer.headers.into_iter().map(|(name, value)| (Cow::Owned(name), value)));
        Self { status: answer.status, headers, body: answer.body }
    }

    /// A refused request, as the decision gave it. A status that is no error becomes a 500: a refusal never looks
    /// like success. `methods` are those that the source takes, for a 405.
    #[must_use]
    pub fn rejected(status: u16, code: &str, reason: &str, methods: &[String]) -> Self {
        let status = if (400..=599).contains(&status) { status } else { 500 };
        let mut reply = Self::problem(status, code, reason);
        // RFC 9110, section 15.5.6: the answer names the methods that are taken.
        if status == 405 {
            let methods = if methods.is_empty() { "POST".to_owned() } else { methods.join(", ") };
            reply.headers.push((Cow::Borrowed("allow"), methods));
        }
        reply
    }

    /// A shell that can take requests in.
    #[must_use]
    pub fn ready() -> Self {
        Self::receipt(200, &Readiness { status: "ready" })
    }

    /// A shell that cannot take requests in now, with the part that holds it back.
    #[must_use]
    pub fn not_ready(reason: &str) -> Self {
        Self::problem(503, "not-ready", reason)
    }

    /// A problem (RFC 9457), with a stable word for programs and a sentence for people.
    #[must_use]
    pub fn problem(status: u16, code: &str, detail: &str) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, problem_json::MEDIA_TYPE.to_owned())],
            body: problem_json::body(status, code, detail),
        }
    }

    fn receipt(status: u16, receipt: &impl Serialize) -> Self {
        match serde_json::to_vec(receipt) {
            Ok(body) => Self { status, headers: vec![(CONTENT_TYPE, "application/json".to_owned())], body },
            Err(_) => Self::problem(500, "internal", "the receipt could not be written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: &Reply) -> &str {
        std::str::from_utf8(&reply.body).unwrap()
    }

    #[test]
    fn an_accepted_event_is_a_202_with_its_id_and_deliveries() {
        let reply = Reply::accepted("evt \"1\"", 3, None);
        assert_eq!(reply.status, 202);
        assert_eq!(reply.headers, [(CONTENT_TYPE, "application/json".to_owned())]);
        assert_eq!(text(&reply), r#"{"id":"evt \"1\"","status":"accepted","deliveries":3}"#);
    }

    #[test]
    fn a_duplicate_is_a_200_without_deliveries() {
        let reply = Reply::duplicate("evt_1", None);
        assert_eq!(reply.status, 200);
        assert_eq!(text(&reply), r#"{"id":"evt_1","status":"duplicate","deliveries":0}"#);
    }

    #[test]
    fn what_the_provider_insists_on_takes_the_receipts_place() {
        let answer = Answer {
            status: 200,
            content_type: "text/plain".into(),
            headers: vec![("x-echo".into(), "1".into())],
            body: b"ok".to_vec(),
        };
        for reply in [Reply::accepted("a", 1, Some(answer.clone())), Reply::duplicate("a", Some(answer))] {
            assert_eq!((reply.status, text(&reply)), (200, "ok"));
            assert_eq!(
                reply.headers,
                [(CONTENT_TYPE, "text/plain".to_owned()), (Cow::Borrowed("x-echo"), "1".to_owned())]
            );
        }
    }

    #[test]
    fn a_refusal_is_a_problem_document() {
        let reply =
            Reply::rejected(401, "verification-failed", "the header webhook-signature is missing", &[]);
        assert_eq!(reply.status, 401);
        assert_eq!(reply.headers, [(CONTENT_TYPE, "application/problem+json".to_owned())]);
        assert_eq!(
            text(&reply),
            concat!(
                r#"{"type":"about:blank","title":"Unauthorized","status":401,"#,
                r#""detail":"the header webhook-signature is missing","code":"verification-failed"}"#
            )
        );
    }

    #[test]
    fn a_refused_method_names_those_that_are_taken() {
        let reply = Reply::rejected(405, "method-not-allowed", "no", &["PUT".into(), "GET".into()]);
        assert_eq!(reply.headers[1], (Cow::Borrowed("allow"), "PUT, GET".to_owned()));
    }

    #[test]
    fn a_refusal_never_looks_like_success() {
        for status in [0, 100, 200, 302, 600] {
            assert_eq!(Reply::rejected(status, "odd", "odd", &[]).status, 500);
        }
    }

    #[test]
    fn an_answer_with_an_interim_status_is_an_error() {
        let answer = Answer { status: 101, content_type: "text/plain".into(), headers: vec![], body: vec![] };
        assert_eq!(Reply::answered(answer).status, 500);
    }
}
