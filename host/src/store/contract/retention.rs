//! Letting go of what is old.

use crate::store::StoreError;
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;

/// Letting go of what is old.
#[async_trait]
pub trait RetentionStore: Send + Sync + 'static {
    /// Deletes a bounded step of what is older than `before`: deliveries that ended before it with their attempts,
    /// events that were received before it and have no deliveries left, keys. Returns how many rows went; 0 means that
    /// nothing is left to delete.
    ///
    /// # Errors
    ///
    /// Nothing of this step was deleted.
    async fn expire(&self, before: UnixMillis, limit: usize) -> Result<usize, StoreError>;
}
