//! Bodies of requests: JSON, bounded, nothing else.

use super::ProblemDetails;
use anglerfish_core::problem::Problem;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::time::Duration;

/// The largest body, in bytes.
const LIMIT: usize = 1024 * 1024;

/// How much of a body that is too large is read all the same: a client that still sends when it is answered finds its
/// connection reset, and never sees the answer.
const DISCARDED: usize = 32 * 1024 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body that is JSON of a known form. Empty bodies are read as `{}` by [`OptionalJson`] only.
pub(crate) struct Json<T>(pub(crate) T);

/// A body that is JSON of a known form, or not there.
pub(crate) struct OptionalJson<T>(pub(crate) Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ProblemDetails;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        parse(&whole(request).await?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalJson<T> {
    type Rejection = ProblemDetails;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let kind = check_type(request.headers());
        let body = read(request.into_body()).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        kind?;
        parse(&text(body)?).map(|value| Self(Some(value)))
    }
}

/// A body that says it is JSON, as text.
pub(crate) async fn whole(request: Request) -> Result<String, ProblemDetails> {
    let kind = check_type(request.headers());
    let body = read(request.into_body()).await?;
    kind?;
    text(body)
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

/// A whole body, or why it is none. What is too large is read to its end where that is not far.
pub(crate) async fn read(mut body: Body) -> Result<Bytes, ProblemDetails> {
    let too_large = || {
        let detail = format!("the body is larger than {LIMIT} bytes");
        ProblemDetails::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
    };
    let broken = |detail| ProblemDetails::bad_request("unreadable-body", detail);
    if body.size_hint().lower() > DISCARDED as u64 {
        return Err(too_large());
    }
    let (mut bytes, mut length) = (BytesMut::new(), 0usize);
    let whole = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| broken("the body broke off"))?;
            let Ok(data) = frame.into_data() else { continue };
            length = length.saturating_add(data.len());
            if length <= LIMIT {
                bytes.extend_from_slice(&data);
            } else if length > DISCARDED {
                break;
            }
        }
        Ok::<(), ProblemDetails>(())
    };
    match tokio::time::timeout(PATIENCE, whole).await {
        Ok(read) => read?,
        Err(_) => return Err(broken("the body did not arrive in time")),
    }
    if length > LIMIT { Err(too_large()) } else { Ok(bytes.freeze()) }
}

fn text(body: Bytes) -> Result<String, ProblemDetails> {
    String::from_utf8(body.into())
        .map_err(|_| ProblemDetails::bad_request("invalid-json", "the body is not UTF-8"))
}

pub(crate) fn not_json(error: serde_json::Error) -> ProblemDetails {
    ProblemDetails::bad_request("invalid-json", format!("the body is not JSON: {error}"))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ProblemDetails> {
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
