//! A configuration that is read again: other sources in its file, other secrets for those of the store.

use super::registry::{self, Entries, Shared};
use super::{SourceReader, Sources, StoredSources};
use crate::store::StoreError;
use anglerfish_core::config::Document;
use std::sync::{Arc, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// What a reload comes to, worked out and not yet done. While it lives no source can be written.
pub struct SourceReload {
    shared: Arc<Shared>,
    _writer: OwnedMutexGuard<()>,
    entries: Entries,
}

impl Sources {
    /// Works out which sources there will be with these of the file, and with those of the store as `reader` sees them
    /// now. Nothing is done yet.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn prepare_reload(
        &self,
        document: &Document,
        reader: &SourceReader,
    ) -> Result<SourceReload, StoreError> {
        let shared = Arc::clone(&self.shared);
        let writer = Arc::clone(&shared.writer).lock_owned().await;
        let StoredSources(entries) = StoredSources::read(document, &*shared.store, reader).await?;
        Ok(SourceReload { shared, _writer: writer, entries })
    }
}

impl SourceReload {
    /// The document of the file with those of the store that can be used.
    #[must_use]
    pub fn added_to(&self, document: &Document) -> Document {
        registry::added(&self.entries, document)
    }

    /// Shows them from now on, and names those that took requests before and do not any more. The table with them is in
    /// use when this is called.
    #[must_use]
    pub fn apply(self) -> Vec<String> {
        let Self { shared, _writer, entries } = self;
        let runs = |entries: &Entries, name: &str| entries.get(name).is_some_and(|one| one.config.is_some());
        let mut current = shared.entries.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, entries);
        let gone = old.keys().filter(|name| runs(&old, name) && !runs(&current, name));
        gone.cloned().collect()
    }
}
