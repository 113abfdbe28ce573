//! The routing table's document and the changes made to it at run time.

use anglerfish_core::config::{OrderingConfig, is_built_in};
use anglerfish_core::problem::Problem;
use anglerfish_core::router::{
    RoutingDocument, RoutingResource, RoutingSource, RoutingSubscription, named_by,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// One change of the routing table.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Add or replace a subscription.
    Put(Box<RoutingSubscription>),
    /// Remove a subscription.
    Delete(String),
    /// Add or replace a source.
    PutSource(Box<RoutingSource>),
    /// Remove a source that no subscription names.
    DeleteSource(String),
    /// Add or replace a resource.
    PutResource(Box<RoutingResource>),
    /// Remove a resource that has no subscription.
    DeleteResource(String),
}

impl Change {
    /// What it is about, by name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Put(subscription) => &subscription.id,
            Self::PutSource(source) => &source.name,
            Self::PutResource(resource) => &resource.id,
            Self::Delete(name) | Self::DeleteSource(name) | Self::DeleteResource(name) => name,
        }
    }

    /// About how many bytes of text it brings into the table.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Put(subscription) => length(subscription),
            Self::PutSource(source) => source.name.len(),
            Self::PutResource(resource) => resource.id.len() + resource.endpoint.len(),
            Self::Delete(_) | Self::DeleteSource(_) | Self::DeleteResource(_) => 0,
        }
    }
}

/// About how many bytes of text a subscription brings into the table.
pub(super) fn length(subscription: &RoutingSubscription) -> usize {
    let RoutingSubscription { id, sources, filter, ordering, render, .. } = subscription;
    let key = if let OrderingConfig::Key(key) = ordering { Some(key) } else { None };
    let texts = sources.iter().chain(filter).chain(key).chain(&render.transform).chain(&render.values);
    id.len() + texts.map(String::len).sum::<usize>()
}

/// How many changes are kept for instances that are behind; one further behind is built anew.
const KEPT_CHANGES: usize = 1024;

/// What instances are loaded from, kept up to date, and the newest changes for those already loaded.
#[derive(Debug)]
pub(super) struct Table {
    version: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    sources: Vec<RoutingSource>,
    resources: BTreeMap<String, RoutingResource>,
    subscriptions: BTreeMap<String, RoutingSubscription>,
    /// The newest changes; the last one made the current version.
    changes: VecDeque<Change>,
}

impl Table {
    /// Takes a document whose subscriptions have different ids, as the configuration's reader has checked.
    pub(super) fn new(document: RoutingDocument) -> Self {
        let subscriptions = document
            .subscription
            .into_iter()
            .map(|subscription| (subscription.id.clone(), subscription))
            .collect();
        let resources =
            document.resource.into_iter().map(|resource| (resource.id.clone(), resource)).collect();
        let inner = Inner { sources: document.source, resources, subscriptions, changes: VecDeque::new() };
        Self { version: AtomicU64::new(0), inner: Mutex::new(inner) }
    }

    /// The current version; grows by one with each change.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The whole document as it stands, with its version.
    pub(super) fn document(&self) -> (RoutingDocument, u64) {
        let inner = self.lock();
        let document = RoutingDocument {
            source: inner.sources.clone(),
            resource: inner.resources.values().cloned().collect(),
            subscription: inner.subscriptions.values().cloned().collect(),
        };
        (document, self.version())
    }

    /// The changes after a version, or `None` if they are no longer all kept.
    pub(super) fn changes_since(&self, version: u64) -> Option<(Vec<Change>, u64)> {
        let inner = self.lock();
        let current = self.version();
        let behind = usize::try_from(current.checked_sub(version)?).ok()?;
        let skip = inner.changes.len().checked_sub(behind)?;
        Some((inner.changes.iter().skip(skip).cloned().collect(), current))
    }

    /// Whether a change takes the place of something.
    pub(super) fn has(&self, change: &Change) -> bool {
        let inner = self.lock();
        match change {
            Change::Put(subscription) => inner.subscriptions.contains_key(&subscription.id),
            Change::PutSource(source) => inner.has_source(&source.name),
            Change::PutResource(resource) => inner.resources.contains_key(&resource.id),
            Change::Delete(_) | Change::DeleteSource(_) | Change::DeleteResource(_) => true,
        }
    }

    /// What stands against a change.
    pub(super) fn problems(&self, change: &Change) -> Vec<Problem> {
        self.lock().problems(change)
    }

    /// The sources that there are.
    pub(super) fn sources(&self) -> Vec<RoutingSource> {
        self.lock().sources.to_vec()
    }

    /// The resources that there are.
    pub(super) fn resources(&self) -> Vec<RoutingResource> {
        self.lock().resources.values().cloned().collect()
    }

    /// A resource.
    pub(super) fn resource(&self, id: &str) -> Option<RoutingResource> {
        self.lock().resources.get(id).cloned()
    }

    /// A subscription.
    pub(super) fn subscription(&self, id: &str) -> Option<RoutingSubscription> {
        self.lock().subscriptions.get(id).cloned()
    }

    /// Whether there is a source of this name.
    pub(super) fn has_source(&self, name: &str) -> bool {
        self.lock().has_source(name)
    }

    /// Makes one change, for every instance; the version that it makes.
    ///
    /// # Errors
    ///
    /// If a subscription would name a source that there is not: it could never be loaded again. That is looked at
    /// under the lock, because a source may go while a subscription for it is written.
    pub(super) fn apply(&self, change: Change) -> Result<u64, Vec<Problem>> {
        let mut inner = self.lock();
        let problems = inner.problems(&change);
        if !problems.is_empty() {
            return Err(problems);
        }
        match &change {
            Change::Put(subscription) => {
                inner.subscriptions.insert(subscription.id.clone(), subscription.as_ref().clone());
            }
            Change::Delete(id) => {
                inner.subscriptions.remove(id);
            }
            Change::PutSource(source) => {
                inner.sources.retain(|known| known.name != source.name);
                inner.sources.push(RoutingSource::clone(source));
            }
            Change::DeleteSource(name) => inner.sources.retain(|known| known.name != *name),
            Change::PutResource(resource) => {
                inner.resources.insert(resource.id.clone(), RoutingResource::clone(resource));
            }
            Change::DeleteResource(id) => {
                inner.resources.remove(id);
            }
        }
        inner.changes.push_back(change);
        if inner.changes.len() > KEPT_CHANGES {
            inner.changes.pop_front();
        }
        Ok(self.version.fetch_add(1, Ordering::AcqRel) + 1)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn has_source(&self, name: &str) -> bool {
        is_built_in(name) || self.sources.iter().any(|source| source.name == name)
    }

    /// What stands against a change.
    fn problems(&self, change: &Change) -> Vec<Problem> {
        match change {
            Change::Put(subscription) => match &subscription.interest {
                Some(interest) => {
                    let is_known = self.resources.contains_key(&interest.resource);
                    let message = || format!("there is no resource {:?}", interest.resource);
                    (!is_known).then(|| Problem::new("resource", message())).into_iter().collect()
                }
                None => { subscription.sources.iter().enumerate() }
                    .filter(|(_, name)| !self.has_source(name))
                    .map(|(index, name)| {
                        Problem::new(format!("sources[{index}]"), format!("there is no source {name:?}"))
                    })
                    .collect(),
            },
            Change::DeleteSource(name) => self
                .subscriptions
                .values()
                .filter(|subscription| subscription.sources.contains(name))
                .map(|subscription| named_by(name, &subscription.id))
                .collect(),
            Change::DeleteResource(id) => {
                let names = |known: &&RoutingSubscription| {
                    known.interest.as_ref().is_some_and(|interest| interest.resource == *id)
                };
                let is_followed = self.subscriptions.values().any(|known| names(&known));
                let message = || format!("there are subscriptions associated with this resource '{id}'");
                is_followed.then(|| Problem::new("", message())).into_iter().collect()
            }
            Change::Delete(_) | Change::PutSource(_) | Change::PutResource(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::router::RenderConfig;

    fn subscription(id: &str) -> RoutingSubscription {
        RoutingSubscription {
            id: id.to_owned(),
            sources: Vec::new(),
            filter: None,
            ordering: OrderingConfig::None,
            render: RenderConfig::default(),
            interest: None,
        }
    }

    #[test]
    fn an_instance_that_is_behind_gets_the_changes_it_missed() {
        let document =
            RoutingDocument { subscription: vec![subscription("a")], ..RoutingDocument::default() };
        let table = Table::new(document);
        table.apply(Change::Put(Box::new(subscription("b")))).unwrap();
        table.apply(Change::Delete("a".into())).unwrap();
        let (changes, version) = table.changes_since(1).unwrap();
        assert_eq!(version, 2);
        assert!(matches!(changes.as_slice(), [Change::Delete(id)] if id == "a"));
        let (document, version) = table.document();
        assert_eq!((document.subscription, version), (vec![subscription("b")], 2));
    }

    #[test]
    fn an_instance_that_is_too_far_behind_is_told_to_start_anew() {
        let table = Table::new(RoutingDocument::default());
        for _ in 0..=KEPT_CHANGES {
            table.apply(Change::Delete("x".into())).unwrap();
        }
        assert!(table.changes_since(0).is_none());
        assert!(table.changes_since(1).is_some());
    }
}
