//! A configuration that is read again: other subscriptions in its file, other rules for those of the store.

use super::registry::{self, Shared};
use super::removal;
use super::{Declared, Origin, Reader, Subscription, SubscriptionError, Subscriptions};
use crate::store::{StoreError, StoredSubscription};
use anglerfish_core::config::{SubscriptionConfig, WhenRemoved};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// What a reload comes to, worked out and not yet done. While it lives no subscription can be written.
pub struct Reload {
    shared: Arc<Shared>,
    _writer: OwnedMutexGuard<()>,
    entries: BTreeMap<String, Arc<Subscription>>,
}

/// How the subscriptions changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionChanges {
    /// Those that there were not before.
    pub added: Vec<String>,
    /// Those that there are no longer.
    pub removed: Vec<String>,
    /// Those of the file that read otherwise.
    pub changed: Vec<String>,
    /// Those of the store that can be used no more: their source is gone from the file, say.
    pub invalid: Vec<String>,
}

impl Subscriptions {
    /// Works out which subscriptions there will be with these of the file, and with those of the store as `reader` and
    /// `check` see them now. Nothing is done yet, but no subscription can be written until the result is dropped.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn prepare_reload(
        &self,
        declared: Vec<Declared>,
        reader: &Reader,
        check: &(dyn Fn(&SubscriptionConfig) -> Vec<Problem> + Sync),
    ) -> Result<Reload, SubscriptionError> {
        let shared = Arc::clone(&self.shared);
        let writer = Arc::clone(&shared.writer).lock_owned().await;
        let stored = shared.store.subscriptions().await?;
        let mut entries: BTreeMap<String, Arc<Subscription>> = BTreeMap::new();
        for Declared { config, document } in declared {
            let entry = Subscription {
                id: config.id.clone(),
                origin: Origin::File,
                updated: None,
                problems: Vec::new(),
                text: String::new(),
                document,
                config: Some(config),
            };
            entries.insert(entry.id.clone(), Arc::new(entry));
        }
        for stored in stored {
            if !entries.contains_key(&stored.id) {
                let entry = read_again(stored, reader, check);
                entries.insert(entry.id.clone(), Arc::new(entry));
            }
        }
        Ok(Reload { shared, _writer: writer, entries })
    }
}

fn read_again(
    stored: StoredSubscription,
    reader: &Reader,
    check: &(dyn Fn(&SubscriptionConfig) -> Vec<Problem> + Sync),
) -> Subscription {
    let read = registry::read(&stored.id, &stored.document, reader);
    let (config, problems) = match read {
        Err(problems) => (None, problems),
        Ok(config) => match check(&config) {
            problems if problems.is_empty() => (Some(config), problems),
            problems => (None, problems),
        },
    };
    let StoredSubscription { id, document: text, updated } = stored;
    let document = serde_json::from_str(&text).unwrap_or(Value::Null);
    Subscription { id, origin: Origin::Api, updated: Some(updated), problems, document, text, config }
}

impl Reload {
    /// The subscriptions of the store that will run.
    pub fn of_store(&self) -> impl Iterator<Item = &SubscriptionConfig> {
        let stored = self.entries.values().filter(|entry| entry.origin == Origin::Api);
        stored.filter_map(|entry| entry.config())
    }

    /// Makes a queue for each of them that has none. One that is there gets its new settings and goes on; attempts
    /// under way end by the old ones.
    ///
    /// What cannot be done for one subscription is logged and holds up no other: all were checked before.
    pub async fn enlist(&self) {
        // Those that come back: what is committed for them from now on is to be delivered.
        if let Err(error) = self.declare().await {
            tracing::error!(%error, "the store could not be told which subscriptions the file has");
        }
        for entry in self.entries.values() {
            let Some(config) = entry.config() else { continue };
            if let Err(problems) = self.shared.dispatch.put(config).await {
                let problem = problems.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(subscription = entry.id, "a subscription cannot be delivered to: {problem}");
            }
        }
    }

    async fn declare(&self) -> Result<(), StoreError> {
        let store = &*self.shared.store;
        let declared = removal::declared(store, &self.entries, self.shared.clock.now()).await?;
        store.declare(declared).await.map(drop)
    }

    /// Lets go of those that are gone. The routing table of the others is in use when this is called.
    pub async fn apply(self, now: UnixMillis) -> SubscriptionChanges {
        let Self { shared, _writer, entries } = self;
        let old = {
            let mut current = shared.entries.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, entries.clone())
        };
        shared.written.fetch_add(1, Ordering::AcqRel);
        shared.begun.notify_one();
        let changes = changes(&old, &entries);
        let mut waiting = Vec::new();
        for (id, entry) in &old {
            let gone = entries.get(id).is_none_or(|entry| entry.config().is_none());
            if gone && entry.config().is_some() {
                shared.dispatch.remove(id).await;
            }
            if changes.invalid.contains(id) {
                let problem = entries.get(id).and_then(|entry| entry.problems.first());
                let problem = problem.map(ToString::to_string).unwrap_or_default();
                tracing::warn!(subscription = id, "a stored subscription cannot be used any more: {problem}");
            }
            if entries.contains_key(id) {
                continue;
            }
            if entry.when_removed() == WhenRemoved::Wait {
                waiting.push(id.as_str());
            } else if let Err(error) = removal::end(&*shared.store, &*shared.dispatch, id, now).await {
                tracing::error!(subscription = id, %error, "open deliveries could not be ended");
            }
        }
        if !waiting.is_empty() {
            let backlog = shared.store.backlog().await.unwrap_or_default();
            for (id, open) in backlog.iter().filter(|(id, _)| waiting.contains(&id.as_str())) {
                removal::warn_of_waiting(id, *open);
            }
        }
        changes
    }
}

fn changes(
    old: &BTreeMap<String, Arc<Subscription>>,
    new: &BTreeMap<String, Arc<Subscription>>,
) -> SubscriptionChanges {
    let mut changes = SubscriptionChanges::default();
    for (id, entry) in new {
        match old.get(id) {
            None => changes.added.push(id.clone()),
            Some(before) if entry.origin == Origin::File && before.config != entry.config => {
                changes.changed.push(id.clone());
            }
            Some(before) if before.config.is_some() && entry.config.is_none() => {
                changes.invalid.push(id.clone());
            }
            Some(_) => {}
        }
    }
    changes.removed = old.keys().filter(|id| !new.contains_key(*id)).cloned().collect();
    changes
}
