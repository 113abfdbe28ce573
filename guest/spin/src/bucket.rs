//! The key-value store that the app shares with the gateway component.

use crate::binding::{atomics, batch, store};
use anglerfish_core::edge;
use std::collections::HashMap;

/// The store's name: the one that the gateway component keeps its state in.
const BUCKET: &str = "default";

/// The open store. It is opened for each request: what one handle has read, a host may give it again.
pub(crate) struct Bucket(store::Bucket);

/// Why something was not kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    #[error("there is no key-value store named {BUCKET:?}")]
    NoSuchStore,
    #[error("access to the key-value store {BUCKET:?} is denied")]
    AccessDenied,
    #[error("the key-value store failed: {0}")]
    Store(String),
}

impl From<store::Error> for BucketError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::NoSuchStore,
            store::Error::AccessDenied => Self::AccessDenied,
            store::Error::Other(reason) => Self::Store(reason),
        }
    }
}

impl Bucket {
    /// Opens the store.
    pub(crate) fn open() -> Result<Self, String> {
        store::open(BUCKET).map(Self).map_err(text)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.get(key).map_err(text)
    }

    /// Sets the value of a key.
    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
        self.0.set(key, value).map_err(text)
    }
}

impl edge::Bucket for Bucket {
    fn get_many(&self, keys: Vec<String>) -> Result<HashMap<String, Vec<u8>>, String> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        // Some stores leave out what they do not have, and none says in which order it answers.
        let found = batch::get_many(&self.0, &keys).map_err(text)?;
        Ok(found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }

    fn set_many(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), String> {
        if entries.is_empty() { Ok(()) } else { batch::set_many(&self.0, &entries).map_err(text) }
    }

    fn delete_many(&self, keys: Vec<String>) -> Result<(), String> {
        if keys.is_empty() { Ok(()) } else { batch::delete_many(&self.0, &keys).map_err(text) }
    }

    fn increment(&self, key: &str, by: i64) -> Result<i64, String> {
        atomics::increment(&self.0, key, by).map_err(text)
    }
}

fn text(error: store::Error) -> String {
    BucketError::from(error).to_string()
}
