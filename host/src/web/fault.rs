//! What is answered where the gateway itself is at fault.

use super::ProblemDetails;
use crate::store::StoreError;
use http::StatusCode;
use std::time::Duration;

/// When to try again what is out of reach for now.
const RETRY: Duration = Duration::from_secs(1);

impl From<StoreError> for ProblemDetails {
    fn from(error: StoreError) -> Self {
        tracing::warn!("a request could not use the store: {error}");
        if error.is_unreachable() {
            unavailable(error.to_string())
        } else {
            internal("the store failed; see the log")
        }
    }
}

pub(crate) fn unavailable(detail: impl Into<String>) -> ProblemDetails {
    ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(RETRY)
}

pub(crate) fn internal(detail: impl Into<String>) -> ProblemDetails {
    ProblemDetails::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}
