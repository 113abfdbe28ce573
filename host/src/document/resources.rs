//! Which resources there are: those of the configuration file, and those that were made through the API.

use super::port::DocumentDecider;
use crate::clock;
use crate::engine::TableError;
use crate::store::{Store, StoreError, StoredResource};
use anglerfish_core::config::{ResourceConfig, read_resource};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::{DocumentUrl, ResourceTree};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError, RwLock};

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceEntry {
    /// What it is.
    pub config: ResourceConfig,
    /// When it was first there.
    pub created: UnixMillis,
    /// Whether it is one of the configuration file, and cannot be deleted at run time.
    pub declared: bool,
}

/// Why a resource could not be made or deleted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResourceError {
    /// Another one has the same documents.
    #[error("endpoint already associated to another resource '{0}'")]
    Taken(String),
    /// There is none of this id.
    #[error("resource '{0}' not found")]
    Unknown(String),
    /// It has subscriptions.
    #[error("there are subscriptions associated with this resource '{0}'")]
    Followed(String),
    /// It stands in the configuration file.
    #[error("resource '{0}' comes from the configuration file; change it there")]
    Declared(String),
    /// The component takes it not.
    #[error("{}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Invalid(Vec<Problem>),
    /// The store or the component cannot be reached now.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for ResourceError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<TableError> for ResourceError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Problems(problems) => Self::Invalid(problems),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// The resources of a running gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Resources {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    /// In the order in which they were made, and the way to find them.
    known: RwLock<Known>,
    /// Held by the one who writes.
    writer: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    entries: Vec<ResourceEntry>,
    tree: ResourceTree,
}

impl Known {
    fn insert(&mut self, entry: ResourceEntry) -> Result<(), ResourceError> {
        self.tree.insert(&entry.config.pattern, &entry.config.id).map_err(ResourceError::Taken)?;
        self.entries.push(entry);
        Ok(())
    }
}

impl Resources {
    /// Takes those of the configuration file, and those of the store that are none of it.
    ///
    /// One that was in the file and is no more stays with its documents, until it is deleted.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written.
    pub async fn open(declared: &[ResourceConfig], store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut known = Known::default();
        let stored = store.resources().await?;
        for config in declared {
            let before = stored.iter().find(|stored| stored.id == config.id);
            let created = before.map_or_else(clock::now, |before| before.created);
            let entry = ResourceEntry { config: config.clone(), created, declared: true };
            store.put_resource(entry.stored()).await?;
            // That no two have the same documents was seen when the file was read.
            let _ = known.insert(entry);
        }
        for stored in stored {
            if declared.iter().any(|config| config.id == stored.id) {
                continue;
            }
            let document: Value = serde_json::from_str(&stored.document).unwrap_or_default();
            let config = match read_resource(&document, "") {
                Ok(config) => config,
                Err(problems) => {
                    let problem = problems.first().map(ToString::to_string).unwrap_or_default();
                    tracing::error!(resource = stored.id, "a stored resource cannot be used: {problem}");
                    continue;
                }
            };
            let entry = ResourceEntry { config, created: stored.created, declared: false };
            if stored.declared {
                store.put_resource(entry.stored()).await?;
            }
            if let Err(error) = known.insert(entry) {
                tracing::error!(resource = stored.id, "a stored resource cannot be used: {error}");
            }
        }
        known.entries.sort_by_key(|entry| entry.created);
        let shared = Shared { store, known: RwLock::new(known), writer: tokio::sync::Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.shared.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, in the order in which they were made.
    #[must_use]
    pub fn list(&self) -> Vec<ResourceEntry> {
        self.known().entries.clone()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<ResourceEntry> {
        self.known().entries.iter().find(|entry| entry.config.id == id).cloned()
    }

    /// Those that a document can belong to, the most specific first.
    #[must_use]
    pub fn of(&self, url: &DocumentUrl) -> Vec<String> {
        self.known().tree.find(url).into_iter().map(str::to_owned).collect()
    }

    /// Makes a resource.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    pub async fn create(
        &self,
        config: ResourceConfig,
        decider: &dyn DocumentDecider,
    ) -> Result<ResourceEntry, ResourceError> {
        let _writer = self.shared.writer.lock().await;
        let shape = config.pattern.shape();
        if let Some(other) = self.known().entries.iter().find(|entry| entry.config.pattern.shape() == shape) {
            return Err(ResourceError::Taken(other.config.id.clone()));
        }
        let entry = ResourceEntry { config, created: clock::now(), declared: false };
        decider.put_resource(&entry.config).await?;
        if let Err(error) = self.shared.store.put_resource(entry.stored()).await {
            decider.delete_resource(&entry.config.id).await?;
            return Err(error.into());
        }
        let mut known = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(entry.clone())?;
        Ok(entry)
    }

    /// Deletes a resource and its documents.
    ///
    /// # Errors
    ///
    /// It is there as before.
    pub async fn delete(&self, id: &str, decider: &dyn DocumentDecider) -> Result<(), ResourceError> {
        let _writer = self.shared.writer.lock().await;
        let Some(entry) = self.get(id) else { return Err(ResourceError::Unknown(id.to_owned())) };
        if entry.declared {
            return Err(ResourceError::Declared(id.to_owned()));
        }
        match decider.delete_resource(id).await {
            Ok(()) => {}
            Err(TableError::Problems(_)) => return Err(ResourceError::Followed(id.to_owned())),
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = self.shared.store.delete_resource(id).await {
            decider.put_resource(&entry.config).await?;
            return Err(error.into());
        }
        let mut known = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        known.tree.remove(&entry.config.pattern, id);
        known.entries.retain(|entry| entry.config.id != id);
        Ok(())
    }
}

impl ResourceEntry {
    fn stored(&self) -> StoredResource {
        StoredResource {
            id: self.config.id.clone(),
            document: self.document().to_string(),
            created: self.created,
            declared: self.declared,
        }
    }

    /// The resource as a document of the configuration.
    #[must_use]
    pub fn document(&self) -> Value {
        let ResourceConfig { id, pattern, change, tombstones } = &self.config;
        let format = change.layout.as_ref().map(|layout| layout.as_str());
        let kept = tombstones.map(|kept| format!("{}ms", kept.as_millis()));
        let members = [
            ("id", Some(Value::from(id.as_str()))),
            ("endpoint", Some(pattern.as_str().into())),
            (
                "change",
                Some(match format {
                    Some(format) => json!({"field": change.field, "format": format}),
                    None => json!({"field": change.field}),
                }),
            ),
            ("tombstones", kept.map(Value::from)),
        ];
        let members = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Value::Object(members.collect())
    }
}
