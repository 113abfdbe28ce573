//! A configuration that is read again: other resources in its file.

use super::resources::{Known, ResourceEntry, ResourceError, Resources, has_documents};
use crate::store::{StoreError, StoredResource};
use anglerfish_core::config::ResourceConfig;
use anglerfish_core::problem::Problem;
use futures_util::future::try_join_all;
use tokio::sync::OwnedMutexGuard;

/// What a reload comes to, worked out and not yet done. While it lives no resource can be written.
pub struct ResourceReload {
    resources: Resources,
    _writer: OwnedMutexGuard<()>,
    known: Known,
    writes: Vec<StoredResource>,
}

impl Resources {
    /// Works out which resources there will be with these of the file, each with its path in it. One that is no more in the
    /// file stays with its documents, and can be deleted from now on.
    ///
    /// # Errors
    ///
    /// Everything that stands against it: another resource, made at run time, has the same documents; or documents are there
    /// that another endpoint would not have.
    pub async fn prepare_reload(
        &self,
        declared: &[(String, ResourceConfig)],
    ) -> Result<Result<ResourceReload, Vec<Problem>>, StoreError> {
        let writer = self.shared.writer.clone().lock_owned().await;
        let (mut known, mut writes, mut problems) = (self.known().clone(), Vec::new(), Vec::new());
        let mut before = Vec::with_capacity(declared.len());
        for (path, config) in declared {
            let old = known.get(&config.id).cloned();
            if let Some(old) = &old
                && old.config.pattern.shape() != config.pattern.shape()
                && has_documents(&*self.shared.store, &config.id).await?
            {
                let message = ResourceError::Inhabited(config.id.clone()).to_string();
                problems.push(Problem::new(format!("{path}.endpoint"), message));
            }
            // All go before any comes: two may change places.
            known.remove(&config.id);
            before.push(old);
        }
        let gone: Vec<ResourceEntry> =
            known.entries().filter(|entry| entry.declared).map(|entry| ResourceEntry::clone(entry)).collect();
        for entry in gone {
            let entry = ResourceEntry { declared: false, ..entry };
            writes.push(entry.stored());
            // It takes the place that it had.
            let _ = known.put(entry);
        }
        for ((path, config), old) in declared.iter().zip(before) {
            let created = old.as_ref().map_or_else(|| self.now(), |old| old.created);
            let entry = ResourceEntry { config: config.clone(), created, declared: true };
            if old.as_deref() != Some(&entry) {
                writes.push(entry.stored());
            }
            if let Err(error) = known.put(entry) {
                problems.push(Problem::new(format!("{path}.endpoint"), error.to_string()));
            }
        }
        if !problems.is_empty() {
            return Ok(Err(problems));
        }
        Ok(Ok(ResourceReload { resources: self.clone(), _writer: writer, known, writes }))
    }
}

impl ResourceReload {
    /// The resources that there will be.
    pub fn configs(&self) -> impl Iterator<Item = &ResourceConfig> {
        self.known.entries().map(|entry| &entry.config)
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&ResourceConfig> {
        self.known.get(id).map(|entry| &entry.config)
    }

    /// Writes them down.
    ///
    /// # Errors
    ///
    /// Some may not be written. The next start writes what the file says.
    pub async fn write(&mut self) -> Result<(), StoreError> {
        let store = &self.resources.shared.store;
        let writes = std::mem::take(&mut self.writes);
        try_join_all(writes.into_iter().map(|write| store.put_resource(write))).await.map(drop)
    }

    /// From now on these are shown. The routing table with them is in use when this is called.
    pub fn apply(self) {
        *self.resources.known_mut() = self.known;
    }
}
