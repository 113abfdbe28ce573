//! Errors as Flare writes them: `{"error": {"title": …, "detail": …}}`.

use crate::document::{ChangeError, ResourceError};
use crate::subscription::SubscriptionError;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use serde_json::{Map, Value, json};

/// An error.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    title: String,
    detail: String,
    shows_status: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, title: &str, detail: impl Into<String>) -> Self {
        let (title, detail) = (title.to_owned(), detail.into());
        Self { status, title, detail, shows_status: false, headers: Vec::new() }
    }

    pub(super) fn bad(title: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, title, detail)
    }

    pub(super) fn not_found(title: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, title, detail)
    }

    pub(super) fn conflict(title: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, title, detail)
    }

    /// Of the addresses themselves the status is said too.
    pub(super) fn of_address(status: StatusCode, title: &str) -> Self {
        Self { shows_status: true, ..Self::new(status, title, "") }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn unavailable(title: &str, detail: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, title, detail)
            .header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(super) fn of_change(error: ChangeError) -> Self {
        match error {
            ChangeError::Rejected(rejection) => {
                let status = StatusCode::from_u16(rejection.status).unwrap_or(StatusCode::BAD_REQUEST);
                Self::new(status, &rejection.title, rejection.detail)
            }
            other => Self::unavailable("error during document update", other.to_string()),
        }
    }

    pub(super) fn of_resource(title: &str, error: &ResourceError) -> Self {
        let detail = error.to_string();
        match error {
            ResourceError::Taken(_)
            | ResourceError::Exists(_)
            | ResourceError::Followed(_)
            | ResourceError::Inhabited(_)
            | ResourceError::Declared(_) => Self::conflict(title, detail),
            ResourceError::Unknown(_) => Self::not_found(title, detail),
            ResourceError::Invalid(_) => Self::bad("invalid body content", detail),
            ResourceError::Full(_) | ResourceError::Unavailable(_) => Self::unavailable(title, detail),
        }
    }

    pub(super) fn of_subscription(title: &str, error: &SubscriptionError) -> Self {
        match error {
            SubscriptionError::Invalid(problems) => {
                let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Self::bad("invalid subscription", told.join("; "))
            }
            SubscriptionError::Unknown(_) => Self::not_found(title, error.to_string()),
            SubscriptionError::Exists(_)
            | SubscriptionError::FromFile(_)
            | SubscriptionError::Unusable(_) => Self::conflict(title, error.to_string()),
            SubscriptionError::Full(_)
            | SubscriptionError::Unavailable(_)
            | SubscriptionError::Internal(_) => Self::unavailable(title, error.to_string()),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut error = Map::new();
        error.insert("title".to_owned(), Value::String(self.title));
        if self.shows_status {
            error.insert("status".to_owned(), self.status.as_u16().into());
        }
        if !self.detail.is_empty() {
            error.insert("detail".to_owned(), Value::String(self.detail));
        }
        let mut response = (self.status, json!({"error": error}).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}
