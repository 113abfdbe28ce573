//! Which sources were written at run time.

use crate::store::{StoreError, StoredSource};
use async_trait::async_trait;

/// Which sources were written at run time.
#[async_trait]
pub trait SourceStore: Send + Sync + 'static {
    /// All of them, by name.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn sources(&self) -> Result<Vec<StoredSource>, StoreError>;

    /// Writes or replaces a source.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn put_source(&self, source: StoredSource) -> Result<(), StoreError>;

    /// Deletes a source; `false` if there is none. What came in through it stays.
    ///
    /// # Errors
    ///
    /// Nothing was deleted.
    async fn delete_source(&self, name: &str) -> Result<bool, StoreError>;
}
