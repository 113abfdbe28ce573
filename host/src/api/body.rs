//! Bodies of requests, as the management API has them.

use super::ProblemDetails;
use crate::web::body::{not_json, whole};
use axum::extract::{FromRequest, Request};
use serde::de::IgnoredAny;

pub(super) use crate::web::{Json, OptionalJson, read_body as read};

/// A body that is JSON of any form, as text.
pub(super) struct JsonText(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = ProblemDetails;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let text = whole(request).await?;
        // Text that is no JSON at all is a malformed request, not a document with problems.
        serde_json::from_str::<IgnoredAny>(&text).map_err(not_json)?;
        Ok(Self(text))
    }
}
