//! Bodies of requests: JSON, bounded, nothing else.

use super::ProblemDetails;
use anglerfish_core::problem::Problem;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};

/// The largest body, in bytes.
pub(super) const LIMIT: usize = 1024 * 1024;

/// A body that says it is JSON, as text.
pub(super) struct JsonText(pub(super) String);

/// A body that is JSON of a known form. Empty bodies are read as `{}` by [`OptionalJson`] only.
pub(super) struct Json<T>(pub(super) T);

/// A body that is JSON of a known form, or not there.
pub(super) struct OptionalJson<T>(pub(super) Option<T>);

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = ProblemDetails;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        check_type(request.headers())?;
        text(read(request, state).await?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ProblemDetails;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let JsonText(text) = JsonText::from_request(request, state).await?;
        parse(&text).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalJson<T> {
    type Rejection = ProblemDetails;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let headers = request.headers().clone();
        let body = read(request, state).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        check_type(&headers)?;
        parse(&text(body)?).map(|value| Self(Some(value)))
    }
}

/// A browser sends other types across origins without asking first; JSON it does not.
fn check_type(headers: &HeaderMap) -> Result<(), ProblemDetails> {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or(value).trim());
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    Err(ProblemDetails::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "the body must be sent as `content-type: application/json`",
    ))
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ProblemDetails> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let detail = format!("the body is larger than {LIMIT} bytes");
            ProblemDetails::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
        } else {
            ProblemDetails::bad_request("unreadable-body", "the body broke off")
        }
    })
}

fn text(body: Bytes) -> Result<String, ProblemDetails> {
    String::from_utf8(body.into())
        .map_err(|_| ProblemDetails::bad_request("invalid-json", "the body is not UTF-8"))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ProblemDetails> {
    let not_json =
        |error| ProblemDetails::bad_request("invalid-json", format!("the body is not JSON: {error}"));
    if text.trim().is_empty() {
        return Err(ProblemDetails::bad_request(
            "invalid-json",
            "the body is empty; it must be a JSON object",
        ));
    }
    // Serde would take an array for an object, member by member.
    if !text.trim_start().starts_with('{') {
        serde_json::from_str::<IgnoredAny>(text).map_err(not_json)?;
        return Err(ProblemDetails::invalid(&[Problem::new("", "the body must be a JSON object")]));
    }
    serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            // What serde says of a value of the wrong form has the value in it at times; there are no secrets here.
            let said = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let mut problem = Problem::new("", said.strip_suffix(&place).unwrap_or(&said));
            problem.line = u32::try_from(error.line()).ok();
            problem.column = u32::try_from(error.column()).ok();
            ProblemDetails::invalid(&[problem])
        } else {
            not_json(error)
        }
    })
}
