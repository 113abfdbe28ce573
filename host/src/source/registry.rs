//! Which sources there are.

use super::{SourceReader, SourceTable};
use crate::config::{secret, source_doubts};
use crate::store::{Store, StoreError, StoredSource};
use crate::subscription::{Origin, shown_without};
use anglerfish_core::config::{Document, SOURCE_SECRETS, SourceConfig};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// One source.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Where it was written.
    pub origin: Origin,
    /// When it was last written, if that was at run time.
    pub updated: Option<UnixMillis>,
    /// Why it takes no requests: it was valid when it was written and no longer is (a secret is gone, say).
    pub problems: Vec<Problem>,
    /// The document as it was written at run time.
    pub(super) document: Option<Value>,
    pub(super) text: String,
    pub(super) config: Option<SourceConfig>,
}

impl Source {
    /// Its document without what must not be shown; `None` if it stands in the configuration file.
    #[must_use]
    pub fn shown(&self) -> Option<Value> {
        self.document.as_ref().map(|document| shown_without(document, SOURCE_SECRETS))
    }

    /// What is odd about it, though it can be used: `$SECRET` in place of a secret, a parameter that its provider's
    /// handshake needs. Of one of the configuration file it is said when the file is read.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        let Some(document) = &self.document else { return Vec::new() };
        let mut warnings = secret::doubts(document, SOURCE_SECRETS);
        warnings.extend(self.config.iter().flat_map(source_doubts));
        warnings
    }

    /// The source as it runs; `None` if it has problems.
    #[must_use]
    pub fn config(&self) -> Option<&SourceConfig> {
        self.config.as_ref()
    }

    pub(super) fn stored(&self) -> StoredSource {
        StoredSource {
            name: self.name.clone(),
            document: self.text.clone(),
            updated: self.updated.unwrap_or_default(),
        }
    }
}

pub(super) type Entries = BTreeMap<String, Arc<Source>>;

/// The sources of the configuration file and of the store, read and not yet taken in by anybody.
pub struct StoredSources(pub(super) Entries);

impl StoredSources {
    /// Reads those of the store. One that cannot be used does not stop the gateway: it is kept with its problems. One
    /// that has the name of one of the file is left aside as long as the file names it.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn read(
        document: &Document,
        store: &dyn Store,
        reader: &SourceReader,
    ) -> Result<Self, StoreError> {
        let mut entries = Entries::new();
        for (_, config) in &document.sources {
            let entry = Source {
                name: config.name.clone(),
                origin: Origin::File,
                updated: None,
                problems: Vec::new(),
                document: None,
                text: String::new(),
                config: Some(config.clone()),
            };
            entries.insert(entry.name.clone(), Arc::new(entry));
        }
        for stored in store.sources().await? {
            if entries.contains_key(&stored.name) {
                tracing::warn!(
                    source = stored.name,
                    "the configuration file and the store both have this source; the file's is used"
                );
                continue;
            }
            let entry = read(stored, reader);
            if let Some(problem) = entry.problems.first() {
                tracing::error!(
                    source = entry.name,
                    problems = entry.problems.len(),
                    "a stored source cannot be used and takes no requests: {problem}"
                );
            }
            entries.insert(entry.name.clone(), Arc::new(entry));
        }
        Ok(Self(entries))
    }

    /// The document of the file with those of the store that can be used.
    #[must_use]
    pub fn added_to(&self, document: &Document) -> Document {
        added(&self.0, document)
    }
}

/// The document of the file with those of the store that can be used.
pub(super) fn added(entries: &Entries, document: &Document) -> Document {
    let mut document = document.clone();
    let stored = entries.values().filter(|entry| entry.origin == Origin::Api);
    let stored = stored.filter_map(|entry| Some((format!("source {}", entry.name), entry.config.clone()?)));
    document.sources.extend(stored);
    document
}

fn read(stored: StoredSource, reader: &SourceReader) -> Source {
    let StoredSource { name, document: text, updated } = stored;
    let (config, problems) = match reader(text.as_bytes()) {
        Ok(config) if config.name == name => (Some(config), Vec::new()),
        Ok(config) => {
            let message = format!("is `{}`, but it is stored as `{name}`", config.name);
            (None, vec![Problem::new("name", message)])
        }
        Err(problems) => (None, problems),
    };
    let document = Some(serde_json::from_str(&text).unwrap_or(Value::Null));
    Source { name, origin: Origin::Api, updated: Some(updated), problems, document, text, config }
}

/// The sources of a running gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Sources {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) entries: RwLock<Entries>,
    /// Held by the one who writes, and over a reload. Whoever needs the subscriptions' too takes this one first.
    pub(super) writer: Arc<tokio::sync::Mutex<()>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) table: Arc<dyn SourceTable>,
    pub(super) reader: SourceReader,
}

impl Sources {
    /// Those that were read, which are in the table already.
    #[must_use]
    pub fn new(
        read: StoredSources,
        reader: SourceReader,
        store: Arc<dyn Store>,
        table: Arc<dyn SourceTable>,
    ) -> Self {
        let entries = RwLock::new(read.0);
        Self { shared: Arc::new(Shared { entries, writer: Arc::default(), store, table, reader }) }
    }

    /// All of them, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Source>> {
        self.shared.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Source>> {
        self.shared.get(name)
    }
}

impl Shared {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Source>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}
