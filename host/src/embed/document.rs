//! Documents in code.

use crate::document::ChangeError;
use anglerfish_core::resource::DocumentUrl;

/// Why a document was not put or deleted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It cannot have this URL.
    #[error("the document's URL: {0}")]
    Url(String),
    /// It cannot be written as JSON.
    #[error("the document: {0}")]
    Json(#[from] serde_json::Error),
    /// It fits no resource, is no document of its resource, or cannot be written down.
    #[error(transparent)]
    Unchanged(#[from] ChangeError),
}

pub(super) fn url(text: &str) -> Result<DocumentUrl, DocumentError> {
    DocumentUrl::parse(text).map_err(|error| DocumentError::Url(error.to_string()))
}
