//! Errors as HTTP answers: `application/problem+json` of RFC 9457.

use anglerfish_core::answer::title;
use anglerfish_core::problem::Problem;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error answer.
///
/// Its `type` is `about:blank`, so the `title` is the status's own phrase (RFC 9457, section 4.2.1); programs tell the
/// problems apart by the extension member `code`. The detail is for people and never holds a secret.
#[derive(Debug, Clone)]
pub struct ProblemDetails {
    status: StatusCode,
    code: &'static str,
    detail: String,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One problem of a document.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentProblem {
    /// The place as keys and indexes, such as `endpoint.headers.x`; empty for the whole.
    path: String,
    /// What is wrong.
    message: String,
    /// The line within the value, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    /// The column within the line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl From<Problem> for DocumentProblem {
    fn from(problem: Problem) -> Self {
        let Problem { path, message, line, column, hint } = problem;
        Self { path, message, line, column, hint }
    }
}

impl ProblemDetails {
    /// A problem with a status, a stable word for programs, and a sentence for people.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), members: Map::new(), headers: Vec::new() }
    }

    /// 400: the request itself is malformed.
    #[must_use]
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404: there is no such thing.
    #[must_use]
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 409: the request does not fit the present state.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: a document with problems, all of them at once.
    #[must_use]
    pub fn invalid(problems: &[Problem]) -> Self {
        let detail = match problems {
            [only] => only.to_string(),
            many => format!("the document has {} problems", many.len()),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-document", detail).problems(problems)
    }

    /// Adds all that is wrong.
    #[must_use]
    pub(crate) fn problems(self, problems: &[Problem]) -> Self {
        let problems = problems.iter().cloned().map(DocumentProblem::from);
        let list = problems.filter_map(|problem| serde_json::to_value(problem).ok()).collect::<Vec<_>>();
        self.member("problems", list)
    }

    /// Adds an extension member.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header field to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says when to try again; rounded up to whole seconds, at least one.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    fn body(&self) -> Value {
        let mut body = self.members.clone();
        body.insert("type".into(), "about:blank".into());
        body.insert("title".into(), title(self.status.as_u16()).into());
        body.insert("status".into(), self.status.as_u16().into());
        body.insert("code".into(), self.code.into());
        body.insert("detail".into(), self.detail.clone().into());
        Value::Object(body)
    }
}

impl IntoResponse for ProblemDetails {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn answers_as_problem_json_with_title_status_code_and_detail() {
        let response =
            ProblemDetails::not_found("unknown-source", "no source is named `shop`").into_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "about:blank", "title": "Not Found", "status": 404,
                "code": "unknown-source", "detail": "no source is named `shop`"
            })
        );
    }

    #[test]
    fn titles_are_those_of_the_present_http() {
        for (status, title) in [
            (406, "Not Acceptable"),
            (410, "Gone"),
            (413, "Content Too Large"),
            (422, "Unprocessable Content"),
            (426, "Upgrade Required"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(ProblemDetails::new(status, "x", "y").body()["title"], title);
        }
    }

    #[test]
    fn rounds_the_wait_up_to_whole_seconds() {
        for (wait, seconds) in [(0, "1"), (1000, "1"), (1001, "2"), (2999, "3")] {
            let problem = ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "busy")
                .retry_after(Duration::from_millis(wait));
            assert_eq!(problem.into_response().headers()[RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn members_cannot_replace_the_standard_ones() {
        let problem = ProblemDetails::bad_request("x", "y").member("status", 200);
        assert_eq!(problem.body()["status"], 400);
    }

    #[test]
    fn lists_every_problem_of_a_document_with_its_place() {
        let mut second = Problem::new("filter", "unexpected token");
        second.line = Some(1);
        second.column = Some(7);
        let problem = ProblemDetails::invalid(&[Problem::new("id", "is missing"), second]);
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            problem.body()["problems"],
            serde_json::json!([
                {"path": "id", "message": "is missing"},
                {"path": "filter", "message": "unexpected token", "line": 1, "column": 7}
            ])
        );
    }
}
