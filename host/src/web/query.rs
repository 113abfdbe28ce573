//! Parameters of a request's address.

use super::ProblemDetails;
use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The query. Parameters that `T` does not know, or that occur twice, are errors.
pub(crate) struct Query<T>(pub(crate) T);

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

/// The one variable segment of a path, percent-decoded.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let AxumQuery(query) =
            AxumQuery::<T>::from_request_parts(parts, state).await.map_err(|rejection| {
                let text = rejection.body_text();
                // What the library says of itself in front of it tells a client nothing.
                let told = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                ProblemDetails::bad_request("invalid-query", format!("the query cannot be read: {told}"))
            })?;
        Ok(Self(query))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let AxumPath(segment) = AxumPath::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ProblemDetails::bad_request("invalid-path", rejection.body_text()))?;
        Ok(Self(segment))
    }
}
