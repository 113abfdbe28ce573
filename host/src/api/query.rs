//! Parameters of a request's address, as the management API has them.

use super::ProblemDetails;
use anglerfish_core::config::{Node, Problems};
use anglerfish_core::request::UnixMillis;
use axum::extract::{FromRequestParts, Path as AxumPath};
use http::request::Parts;
use serde_json::Value;
use std::str::FromStr;
use std::time::Duration;

pub(super) use crate::web::{NoParameters, Query, Segment};

/// How many items a page has if the request does not say.
const DEFAULT_LIMIT: usize = 50;

/// How many items a page can have.
pub(super) const MAX_LIMIT: usize = 500;

/// The two variable segments of a path, percent-decoded.
pub(crate) struct Segments(pub(crate) String, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let AxumPath((one, other)) = AxumPath::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ProblemDetails::bad_request("invalid-path", rejection.body_text()))?;
        Ok(Self(one, other))
    }
}

/// The number of items that a request asks for.
pub(super) fn limit(limit: Option<usize>) -> Result<usize, ProblemDetails> {
    match limit {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(limit) => Err(ProblemDetails::bad_request(
            "invalid-query",
            format!("`limit` is {limit}; it must be from 1 to {MAX_LIMIT}"),
        )),
    }
}

/// A time that a request names to wait for, such as `10s`, no longer than `longest`.
pub(super) fn duration(
    name: &str,
    text: Option<&str>,
    longest: Duration,
) -> Result<Option<Duration>, ProblemDetails> {
    let Some(text) = text else { return Ok(None) };
    let (value, problems) = (Value::from(text), Problems::default());
    match Node::root(&value, name, &problems).duration(Duration::ZERO..=longest) {
        Some(duration) => Ok(Some(duration)),
        None => Err(ProblemDetails::bad_request(
            "invalid-query",
            format!("`{name}` must be a time up to {} s, such as `10s`", longest.as_secs()),
        )),
    }
}

/// A number in a path, as it is written out only: no sign, no leading zero.
pub(super) fn number<T: FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

/// A time that a request names.
pub(super) fn instant(name: &str, text: Option<&str>) -> Result<Option<UnixMillis>, ProblemDetails> {
    let Some(text) = text else { return Ok(None) };
    match UnixMillis::from_rfc3339(text) {
        Some(instant) => Ok(Some(instant)),
        None => Err(ProblemDetails::bad_request(
            "invalid-query",
            format!("`{name}` is not a time since 1970 such as `2026-01-31T12:00:00Z`"),
        )),
    }
}
