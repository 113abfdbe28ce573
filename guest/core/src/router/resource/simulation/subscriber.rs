//! A subscriber as it sees itself: what it was told and has.

use crate::resource::Action;
use crate::router::Telling;
use std::collections::{BTreeMap, BTreeSet};

/// A document as subscribers see it: which of all that were put, and whether the filter wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) quantity: u64,
}

impl Seen {
    pub(super) fn read(document: &[u8]) -> Self {
        let value: serde_json::Value = serde_json::from_slice(document).unwrap();
        Self { number: value["n"].as_u64().unwrap(), quantity: value["q"].as_u64().unwrap() }
    }
}

#[derive(Debug, Default)]
pub(super) struct Subscriber {
    pub(super) held: BTreeMap<String, Seen>,
    /// The newest that it was told, by document.
    newest: BTreeMap<String, u64>,
    /// What it was told by which id: a delete, or the document. Whoever keeps them takes nothing twice.
    told: BTreeMap<String, Option<Seen>>,
    /// Documents of which an answer of it was lost, or of which it lost what it had.
    pub(super) doubtful: BTreeSet<String>,
}

impl Subscriber {
    /// Takes what it is told.
    ///
    /// # Errors
    ///
    /// That it should not have been told.
    pub(super) fn take(&mut self, url: &str, telling: &Telling) -> Result<(), String> {
        let doubtful = self.doubtful.contains(url);
        let had = self.held.get(url).copied();
        let wrong = |what: &str| Err(format!("{what} {url}: it has {had:?}, and is told {telling:?}"));
        let document =
            telling.document.as_deref().filter(|_| telling.action != Action::Delete).map(Seen::read);
        if self.told.insert(telling.id.clone(), document).is_some_and(|before| before != document) {
            return wrong("told something else by an id that it knows:");
        }
        if telling.action == Action::Delete {
            if had.is_none() && !doubtful {
                return wrong("told the end of what it has not:");
            }
            self.held.remove(url);
            return Ok(());
        }
        let new = Seen::read(telling.document.as_deref().unwrap());
        if had == Some(new) && !doubtful {
            return wrong("told what it has:");
        }
        if telling.action == Action::Update && had.is_none() && !doubtful {
            return wrong("told an update of what it has not:");
        }
        // That it had the newer one nobody knew, if its answer was lost.
        if !doubtful && self.newest.get(url).is_some_and(|newest| new.number < *newest) {
            return wrong("told an older one after a newer one:");
        }
        self.newest.insert(url.to_owned(), new.number);
        self.held.insert(url.to_owned(), new);
        Ok(())
    }

    /// It has nothing any more, and may be told anything.
    pub(super) fn lose(&mut self, urls: impl Iterator<Item = String>) {
        self.held.clear();
        self.newest.clear();
        self.doubtful.extend(urls);
    }
}
