//! Why a source could not be written.

use crate::config::listed;
use crate::store::StoreError;
use crate::subscription::RoutingError;
use anglerfish_core::problem::Problem;

/// Why a source could not be written. Nothing was changed, except where [`SourceError::Internal`] says so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// The document has problems.
    #[error("the document has {} problem(s): {}", .0.len(), listed(.0))]
    Invalid(Vec<Problem>),
    /// There is none of this name.
    #[error("there is no source `{0}`")]
    Unknown(String),
    /// It stands in the configuration file.
    #[error("source `{0}` comes from the configuration file, or from the program; change it there")]
    FromFile(String),
    /// Subscriptions name it.
    #[error("source `{0}` cannot go: {1}")]
    InUse(String, String),
    /// The table has no room for it.
    #[error("{0}")]
    Full(String),
    /// The store or the component cannot be reached now.
    #[error("{0}")]
    Unavailable(String),
    /// Something is wrong inside.
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        let reason = error.to_string();
        if error.is_unreachable() { Self::Unavailable(reason) } else { Self::Internal(reason) }
    }
}

impl From<RoutingError> for SourceError {
    fn from(error: RoutingError) -> Self {
        match error {
            RoutingError::Invalid(problems) => Self::Invalid(problems),
            RoutingError::Full(reason) => Self::Full(reason),
            RoutingError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}
