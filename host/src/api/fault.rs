//! Errors of the rooms behind the API, as answers.

use super::ProblemDetails;
use crate::document::{ChangeError, ResourceError};
use crate::source::SourceError;
use crate::subscription::{RoutingError, SubscriptionError};
use anglerfish_core::problem::Problem;
use http::StatusCode;

pub(super) use crate::web::fault::{internal, unavailable};

impl From<RoutingError> for ProblemDetails {
    fn from(error: RoutingError) -> Self {
        match error {
            RoutingError::Invalid(problems) => Self::invalid(&problems),
            RoutingError::Full(_) => full(error.to_string()),
            RoutingError::Unavailable(_) => unavailable(error.to_string()),
        }
    }
}

impl From<SubscriptionError> for ProblemDetails {
    fn from(error: SubscriptionError) -> Self {
        let detail = error.to_string();
        match error {
            SubscriptionError::Invalid(problems) => Self::invalid(&problems),
            SubscriptionError::Exists(_) => Self::conflict("subscription-exists", detail),
            SubscriptionError::Unknown(_) => Self::not_found("unknown-subscription", detail),
            SubscriptionError::FromFile(_) => Self::conflict("subscription-from-file", detail),
            SubscriptionError::Unusable(_) => Self::conflict("subscription-invalid", detail),
            SubscriptionError::Full(_) => full(detail),
            SubscriptionError::Unavailable(_) => unavailable(detail),
            SubscriptionError::Internal(_) => internal(detail),
        }
    }
}

impl From<SourceError> for ProblemDetails {
    fn from(error: SourceError) -> Self {
        let detail = error.to_string();
        match error {
            SourceError::Invalid(problems) => Self::invalid(&problems),
            SourceError::Unknown(_) => Self::not_found("unknown-source", detail),
            SourceError::FromFile(_) => Self::conflict("source-from-file", detail),
            SourceError::InUse(..) => Self::conflict("source-in-use", detail),
            SourceError::Full(_) => full(detail),
            SourceError::Unavailable(_) => unavailable(detail),
            SourceError::Internal(_) => internal(detail),
        }
    }
}

impl From<ResourceError> for ProblemDetails {
    fn from(error: ResourceError) -> Self {
        let detail = error.to_string();
        match error {
            ResourceError::Invalid(problems) => Self::invalid(&problems),
            ResourceError::Taken(_) => Self::conflict("endpoint-taken", detail),
            ResourceError::Exists(_) => Self::conflict("resource-exists", detail),
            ResourceError::Unknown(_) => Self::not_found("unknown-resource", detail),
            ResourceError::Followed(_) => Self::conflict("resource-in-use", detail),
            ResourceError::Declared(_) => Self::conflict("resource-from-file", detail),
            ResourceError::Inhabited(_) => Self::conflict("resource-has-documents", detail),
            ResourceError::Full(_) => full(detail),
            ResourceError::Unavailable(_) => unavailable(detail),
        }
    }
}

impl From<ChangeError> for ProblemDetails {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Rejected(rejection) if rejection.status == 404 => {
                Self::not_found("unknown-resource", rejection.detail)
            }
            ChangeError::Rejected(rejection) if rejection.status < 500 => {
                Self::invalid(&[Problem::new("", format!("{}: {}", rejection.title, rejection.detail))])
            }
            ChangeError::Store(error) => error.into(),
            error => unavailable(error.to_string()),
        }
    }
}

/// What does not fit now may fit when something else is deleted.
fn full(detail: impl Into<String>) -> ProblemDetails {
    ProblemDetails::new(StatusCode::INSUFFICIENT_STORAGE, "table-full", detail)
}
