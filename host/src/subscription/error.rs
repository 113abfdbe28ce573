//! Why a subscription could not be written.

use super::RoutingError;
use crate::config::listed;
use crate::store::StoreError;
use anglerfish_core::problem::Problem;

/// Why a subscription could not be written. Nothing was changed, except where [`SubscriptionError::Internal`] says so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubscriptionError {
    /// The document has problems.
    #[error("the document has {} problem(s): {}", .0.len(), listed(.0))]
    Invalid(Vec<Problem>),
    /// There is one with this id.
    #[error("a subscription `{0}` exists; replace it with PUT")]
    Exists(String),
    /// There is none with this id.
    #[error("there is no subscription `{0}`")]
    Unknown(String),
    /// It stands in the configuration file.
    #[error("subscription `{0}` comes from the configuration file, or from the program; change it there")]
    FromFile(String),
    /// It cannot be used as it is stored.
    #[error("subscription `{0}` is invalid and gets no events; replace it first")]
    Unusable(String),
    /// The routing table has no room for it.
    #[error("{0}")]
    Full(String),
    /// The store or the component cannot be reached now.
    #[error("{0}")]
    Unavailable(String),
    /// Something is wrong inside.
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for SubscriptionError {
    fn from(error: StoreError) -> Self {
        let reason = error.to_string();
        if error.is_unreachable() { Self::Unavailable(reason) } else { Self::Internal(reason) }
    }
}

impl From<RoutingError> for SubscriptionError {
    fn from(error: RoutingError) -> Self {
        match error {
            RoutingError::Invalid(problems) => Self::Invalid(problems),
            RoutingError::Full(reason) => Self::Full(reason),
            RoutingError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}
