//! The keys of decisions.

use crate::store::StoreError;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// Reads the keys that decisions wrote. Called from the threads that run the component, so it blocks.
pub trait KeyReader: Send + Sync {
    /// The value of a key as of the newest commit, or `None`.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError>;
}

/// The keys of decisions. They are written by [`super::LogStore::commit`].
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// A reader of keys for one thread.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn key_reader(&self) -> Result<Arc<dyn KeyReader>, StoreError>;

    /// Up to `limit` keys that begin like this, in their order, with their values.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<(String, Bytes)>, StoreError>;
}
