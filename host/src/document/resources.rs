//! Which resources there are: those of the configuration file, and those that were made through an API.

use super::port::DocumentDecider;
use crate::clock::WallClock;
use crate::engine::TableError;
use crate::store::{Store, StoreError, StoredResource};
use anglerfish_core::config::{ResourceConfig, read_resource};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::{DOCUMENT_KEY, DocumentUrl, ResourcePattern, ResourceTree};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::Mutex;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceEntry {
    /// What it is.
    pub config: ResourceConfig,
    /// When it was first there.
    pub created: UnixMillis,
    /// Whether it is one of the configuration file, and cannot be changed at run time.
    pub declared: bool,
}

/// Why a resource could not be made, changed or deleted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResourceError {
    /// Another one has the same documents.
    #[error("endpoint already associated to another resource '{0}'")]
    Taken(String),
    /// There is one of this id.
    #[error("there is a resource '{0}' already")]
    Exists(String),
    /// There is none of this id.
    #[error("resource '{0}' not found")]
    Unknown(String),
    /// It has subscriptions.
    #[error("there are subscriptions associated with this resource '{0}'")]
    Followed(String),
    /// It stands in the configuration file.
    #[error("resource '{0}' comes from the configuration file, or from the program; change it there")]
    Declared(String),
    /// It has documents that another endpoint would not have.
    #[error(
        "resource '{0}' has documents under its endpoint, which therefore stays: another endpoint needs a resource of its own"
    )]
    Inhabited(String),
    /// It is none, or the component takes it not.
    #[error("{}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Invalid(Vec<Problem>),
    /// The routing table has no room for it.
    #[error("{0}")]
    Full(String),
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
            TableError::Full(reason) => Self::Full(reason),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// The resources of a running gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Resources {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    known: RwLock<Known>,
    /// Held by the one who writes.
    pub(super) writer: Arc<Mutex<()>>,
    clock: WallClock,
}

/// The resources, and the ways to find them.
#[derive(Default, Clone)]
pub(super) struct Known {
    /// In the order in which they were made; of those that were made in the same millisecond in that of their coming here.
    entries: BTreeMap<(UnixMillis, u64), Arc<ResourceEntry>>,
    places: BTreeMap<String, (UnixMillis, u64)>,
    tree: ResourceTree,
    count: u64,
}

impl Known {
    /// Adds or replaces one.
    ///
    /// # Errors
    ///
    /// Another one has the same documents; all is as it was.
    pub(super) fn put(&mut self, entry: ResourceEntry) -> Result<(), ResourceError> {
        let id = entry.config.id.clone();
        if let Some(other) = self.tree.of_shape(&entry.config.pattern).filter(|other| **other != *id) {
            return Err(ResourceError::Taken(other.to_owned()));
        }
        if let Some(old) = self.get(&id).cloned() {
            self.tree.remove(&old.config.pattern, &id);
        }
        self.tree.insert(&entry.config.pattern, &id).map_err(ResourceError::Taken)?;
        let place = *self.places.entry(id).or_insert_with(|| {
            self.count += 1;
            (entry.created, self.count)
        });
        self.entries.insert(place, Arc::new(entry));
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some(entry) = self.places.remove(id).and_then(|place| self.entries.remove(&place)) else {
            return;
        };
        self.tree.remove(&entry.config.pattern, id);
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<ResourceEntry>> {
        self.entries.get(self.places.get(id)?)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<ResourceEntry>> {
        self.entries.values()
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
    pub async fn open(
        declared: &[ResourceConfig],
        store: Arc<dyn Store>,
        clock: WallClock,
    ) -> Result<Self, StoreError> {
        let mut known = Known::default();
        let stored: HashMap<String, StoredResource> =
            store.resources().await?.into_iter().map(|stored| (stored.id.clone(), stored)).collect();
        let mut writes = Vec::new();
        for config in declared {
            let before = stored.get(&config.id);
            let created = before.map_or_else(|| clock.now(), |before| before.created);
            let entry = ResourceEntry { config: config.clone(), created, declared: true };
            let (new, id) = (entry.stored(), &config.id);
            if before != Some(&new) {
                writes.push(store.put_resource(new));
            }
            // That no two have the same documents was seen when the file was read.
            if let Err(error) = known.put(entry) {
                tracing::error!(resource = id, "a resource cannot be used: {error}");
            }
        }
        let mut others: Vec<&StoredResource> =
            stored.values().filter(|stored| known.get(&stored.id).is_none()).collect();
        others.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        for stored in others {
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
                writes.push(store.put_resource(entry.stored()));
            }
            if let Err(error) = known.put(entry) {
                tracing::error!(resource = stored.id, "a stored resource cannot be used: {error}");
            }
        }
        // At once, so that many share a commit.
        drop(try_join_all(writes).await?);
        let shared = Shared { store, known: RwLock::new(known), writer: Arc::default(), clock };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.shared.clock.now()
    }

    pub(super) fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.shared.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.shared.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, in the order in which they were made.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<ResourceEntry>> {
        self.known().entries().cloned().collect()
    }

    /// Up to `limit` of them behind the first `offset`, and how many there are in all.
    #[must_use]
    pub fn page(&self, offset: usize, limit: usize) -> (Vec<Arc<ResourceEntry>>, usize) {
        let known = self.known();
        (known.entries().skip(offset).take(limit).cloned().collect(), known.entries.len())
    }

    /// Up to `limit` of them by id, those behind `after`, and whether there are more.
    #[must_use]
    pub fn by_id(&self, after: Option<&str>, limit: usize) -> (Vec<Arc<ResourceEntry>>, bool) {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let known = self.known();
        let mut rest = known.places.range::<str, _>((start, Bound::Unbounded));
        let places = rest.by_ref().take(limit);
        let items = places.filter_map(|(_, place)| known.entries.get(place).cloned()).collect();
        (items, rest.next().is_some())
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<ResourceEntry>> {
        self.known().get(id).cloned()
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
    ) -> Result<Arc<ResourceEntry>, ResourceError> {
        let _writer = self.shared.writer.lock().await;
        match self.get(&config.id) {
            Some(known) if known.declared => Err(ResourceError::Declared(config.id)),
            Some(_) => Err(ResourceError::Exists(config.id)),
            None => self.write(config, None, decider).await,
        }
    }

    /// Makes or replaces a resource. Says whether it is new.
    ///
    /// The endpoint of one that has documents stays. Whether its subscriptions go with the new one, `check` says.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    pub async fn put(
        &self,
        config: ResourceConfig,
        decider: &dyn DocumentDecider,
        check: impl AsyncFnOnce(&ResourceConfig) -> Result<Vec<Problem>, StoreError>,
    ) -> Result<(Arc<ResourceEntry>, bool), ResourceError> {
        let _writer = self.shared.writer.lock().await;
        let before = self.get(&config.id);
        if let Some(before) = &before {
            if before.declared {
                return Err(ResourceError::Declared(config.id));
            }
            if before.config.pattern != config.pattern {
                if before.config.pattern.shape() != config.pattern.shape()
                    && has_documents(&*self.shared.store, &config.id).await?
                {
                    return Err(ResourceError::Inhabited(config.id));
                }
                let problems = check(&config).await?;
                if !problems.is_empty() {
                    return Err(ResourceError::Invalid(problems));
                }
            }
        }
        let is_new = before.is_none();
        Ok((self.write(config, before, decider).await?, is_new))
    }

    async fn write(
        &self,
        config: ResourceConfig,
        before: Option<Arc<ResourceEntry>>,
        decider: &dyn DocumentDecider,
    ) -> Result<Arc<ResourceEntry>, ResourceError> {
        let id = config.id.clone();
        let taken = self.known().tree.of_shape(&config.pattern).map(str::to_owned);
        if let Some(other) = taken.filter(|other| *other != id) {
            return Err(ResourceError::Taken(other));
        }
        let created = before.as_ref().map_or_else(|| self.now(), |before| before.created);
        let entry = ResourceEntry { config, created, declared: false };
        decider.put_resource(&entry.config).await?;
        if let Err(error) = self.shared.store.put_resource(entry.stored()).await {
            match before {
                Some(before) => decider.put_resource(&before.config).await?,
                None => decider.delete_resource(&id).await?,
            }
            return Err(error.into());
        }
        let mut known = self.known_mut();
        known.put(entry)?;
        known.get(&id).cloned().ok_or(ResourceError::Unknown(id))
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
        self.known_mut().remove(id);
        Ok(())
    }
}

/// Whether a resource has documents, or remembers some.
pub(super) async fn has_documents(store: &dyn Store, id: &str) -> Result<bool, StoreError> {
    Ok(!store.keys_behind(&format!("{DOCUMENT_KEY}/{id}/"), "", 1).await?.is_empty())
}

/// A problem for each resource of the file, with its path there, that has documents under another endpoint.
///
/// # Errors
///
/// If the store cannot be read.
pub(crate) async fn moved_from_documents(
    declared: &[(String, ResourceConfig)],
    store: &dyn Store,
) -> Result<Vec<Problem>, StoreError> {
    let stored = store.resources().await?;
    let mut problems = Vec::new();
    for (path, config) in declared {
        let before = stored.iter().find(|stored| stored.id == config.id).and_then(endpoint_of);
        if let Some(before) = before
            && before.shape() != config.pattern.shape()
            && has_documents(store, &config.id).await?
        {
            let error = ResourceError::Inhabited(config.id.clone());
            let message = format!("{error}; it was {:?}", before.as_str());
            let hint = "give the new endpoint another id; or leave the resource and its subscriptions out of the file, start, \
                        and delete it with its documents (`anglerfish resources delete`)";
            problems.push(Problem::new(format!("{path}.endpoint"), message).with_hint(hint));
        }
    }
    Ok(problems)
}

fn endpoint_of(stored: &StoredResource) -> Option<ResourcePattern> {
    let document: Value = serde_json::from_str(&stored.document).ok()?;
    Some(read_resource(&document, "").ok()?.pattern)
}

impl ResourceEntry {
    pub(super) fn stored(&self) -> StoredResource {
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
        let kept = tombstones.map(|kept| humantime::format_duration(kept).to_string());
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
