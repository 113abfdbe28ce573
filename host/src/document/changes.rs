//! Documents that are put, deleted, told of again, and read.

use super::port::DocumentDecider;
use super::resources::Resources;
use crate::clock;
use crate::engine::{DocumentAnswer, DocumentQuestion, DocumentRequest, EngineError};
use crate::ingress::Outlet;
use crate::store::{Commit, CommitOutcome, FailedFilter, KeyOverlay, NewEvent, Origin, Store, StoreError};
use anglerfish_core::decision::{DocumentDecision, DocumentRejection};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::{DOCUMENT_KEY, DocumentUrl, StoredDocument, document_key};
use anglerfish_core::router::{Announcement, Notice, document_lane};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use tokio::sync::{Mutex, Notify, RwLock};

/// How often a change is decided anew because another one of the same document came first.
const MOST_CONFLICTS: usize = 32;

/// Takes documents in. Cheap to clone.
#[derive(Clone)]
pub struct Documents {
    pub(super) store: Arc<dyn Store>,
    pub(super) decider: Arc<dyn DocumentDecider>,
    outlet: Arc<dyn Outlet>,
    resources: Resources,
    /// Read by each change from its decision to its commit. Whoever has written knows that no change is under way that was decided
    /// by an earlier table.
    pub(super) under_way: Arc<RwLock<()>>,
    pub(super) backfill: Arc<Backfill>,
}

/// What those share who tell subscribers of what was there before.
#[derive(Debug, Default)]
pub(super) struct Backfill {
    /// Held while a subscriber's place is read and written.
    pub(super) step: Mutex<()>,
    /// Told when somebody is to be told.
    pub(super) begun: Arc<Notify>,
}

/// Why a document was not taken. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChangeError {
    /// The component refuses it.
    #[error("{}", .0.detail)]
    Rejected(DocumentRejection),
    /// The component cannot be asked now.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It cannot be stored now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others change the same document again and again.
    #[error("others change the document at the same time")]
    Contended,
    /// What is kept of it cannot be read.
    #[error("{0}")]
    Broken(String),
}

impl fmt::Debug for Documents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Documents").finish_non_exhaustive()
    }
}

impl Documents {
    /// Puts the parts together. Whoever notes a subscriber that wants what was there before tells `begun`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        decider: Arc<dyn DocumentDecider>,
        outlet: Arc<dyn Outlet>,
        resources: Resources,
        begun: Arc<Notify>,
    ) -> Self {
        let backfill = Arc::new(Backfill { step: Mutex::default(), begun });
        Self { store, decider, outlet, resources, under_way: Arc::default(), backfill }
    }

    /// The present time, by the clock of the gateway.
    pub(crate) fn now(&self) -> UnixMillis {
        self.resources.now()
    }

    /// Who decides about them.
    #[must_use]
    pub fn decider(&self) -> &dyn DocumentDecider {
        &*self.decider
    }

    /// The resources that they belong to.
    #[must_use]
    pub const fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Puts a document, or deletes it if there is no body. When this returns it is on disk, with everything that follows.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    pub async fn change(&self, url: &DocumentUrl, body: Option<Bytes>) -> Result<(), ChangeError> {
        let lane = document_lane(url.as_str());
        // As it would stand in an address: the component undoes escapes once.
        let url = url.as_str().replace('%', "%25");
        // What is committed is handed on also if the client hangs up meanwhile.
        let documents = self.clone();
        let changed = tokio::spawn(async move {
            let under_way = documents.under_way.read().await;
            documents.to_the_end(&DocumentQuestion::Change, url, body).await?;
            drop(under_way);
            documents.revive(&lane).await;
            Ok(())
        });
        changed.await.unwrap_or_else(|error| {
            tracing::error!("a change of a document broke off: {error}");
            Err(ChangeError::Broken("the change broke off".to_owned()))
        })
    }

    /// What was given up of a document is tried again with every change of it, news or not: its subscriber has not got it.
    async fn revive(&self, lane: &str) {
        match self.store.revive_document(lane, self.now()).await {
            Ok(subscriptions) => subscriptions.iter().for_each(|subscription| self.outlet.wake(subscription)),
            // What was changed is on disk, and the next change finds it.
            Err(error) => tracing::warn!(%error, "deliveries that were given up cannot be tried again now"),
        }
    }

    /// Tells a subscription's queue that deliveries are due.
    pub(super) fn wake(&self, subscription: &str) {
        self.outlet.wake(subscription);
    }

    /// Tells one subscription of a document that is there, if that may be news to it. Says whether it may.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    pub(super) async fn announce(
        &self,
        subscription: &str,
        url: String,
        why: Announcement,
    ) -> Result<bool, ChangeError> {
        let ask = |change| DocumentQuestion::Announce { subscription: subscription.to_owned(), change, why };
        self.to_the_end(&ask, url, None).await
    }

    async fn to_the_end(
        &self,
        ask: &(dyn Fn(DocumentRequest) -> DocumentQuestion + Sync),
        url: String,
        body: Option<Bytes>,
    ) -> Result<bool, ChangeError> {
        for _ in 0..MOST_CONFLICTS {
            let received = self.now();
            let id = clock::request_id(received);
            let request = DocumentRequest { id, url: url.clone(), body: body.clone(), received };
            let (answer, keys) = self.decider.ask(ask(request)).await?;
            let DocumentAnswer::Decision(decision) = answer else {
                return Err(ChangeError::Broken("the component gave another answer".to_owned()));
            };
            let accepted = match decision {
                DocumentDecision::Accept(accepted) => *accepted,
                // What nobody follows any more may be forgotten all the same.
                DocumentDecision::Ignore if keys.writes.is_empty() => return Ok(false),
                DocumentDecision::Ignore => {
                    let commit = Commit { keys, ..Commit::new(self.now()) };
                    match self.store.commit(commit).await? {
                        CommitOutcome::Committed { .. } => return Ok(false),
                        CommitOutcome::Conflict => continue,
                    }
                }
                DocumentDecision::Reject(rejection) => return Err(ChangeError::Rejected(rejection)),
                DocumentDecision::Other(name) => {
                    let reason = format!("this version does not know the decision {name:?}");
                    return Err(ChangeError::Broken(reason));
                }
            };
            let data = accepted.data.map(Bytes::from).or_else(|| body.clone()).unwrap_or_default();
            let failures = accepted.failures.into_iter();
            let failures = failures
                .map(|failure| FailedFilter { subscription: failure.subscription, reason: failure.reason });
            let new = NewEvent {
                origin: Origin::Document,
                failures: failures.collect(),
                ..NewEvent::new(accepted.event, data, received)
                    .wanted(self.outlet.to_deliver(accepted.intents))
            };
            if self.commit(keys, new).await? {
                return Ok(true);
            }
        }
        Err(ChangeError::Contended)
    }

    /// `false` if another change came first.
    async fn commit(&self, keys: KeyOverlay, new: NewEvent) -> Result<bool, StoreError> {
        let commit = Commit { keys, events: vec![new], ..Commit::new(self.now()) };
        match self.store.commit(commit).await? {
            CommitOutcome::Committed { deliveries, freed, .. } => {
                self.outlet.take(deliveries, &freed);
                Ok(true)
            }
            CommitOutcome::Conflict => Ok(false),
        }
    }

    /// A document that is there, with the resource that has it.
    ///
    /// # Errors
    ///
    /// The store cannot be read, or what it has of the document.
    pub fn read(&self, url: &DocumentUrl) -> Result<Option<(String, StoredDocument)>, ChangeError> {
        let reader = self.store.key_reader()?;
        for resource in self.resources.of(url) {
            if let Some(bytes) = reader.get(&document_key(&resource, url.as_str()))? {
                let found = StoredDocument::decoded(&bytes).map_err(ChangeError::Broken)?;
                if found.is_present() && found.url == url.as_str() {
                    return Ok(Some((resource, found)));
                }
            }
        }
        Ok(None)
    }

    /// Up to `limit` documents of a resource that are there, those behind a key, and the key of the last one that was looked at if
    /// there are more.
    ///
    /// # Errors
    ///
    /// The store cannot be read, or what it has of one of them.
    pub async fn page(
        &self,
        resource: &str,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<StoredDocument>, Option<String>), ChangeError> {
        let prefix = format!("{DOCUMENT_KEY}/{resource}/");
        let found = self.store.keys_behind(&prefix, after, limit.saturating_add(1)).await?;
        let is_more = found.len() > limit;
        let (mut documents, mut last) = (Vec::new(), None);
        for (key, bytes) in found.into_iter().take(limit) {
            let document = StoredDocument::decoded(&bytes).map_err(ChangeError::Broken)?;
            if document.is_present() {
                documents.push(document);
            }
            last = Some(key);
        }
        Ok((documents, last.filter(|_| is_more)))
    }

    /// What a subscription would be told of a document now, and why not.
    ///
    /// # Errors
    ///
    /// The component cannot be asked now.
    pub async fn explain(
        &self,
        subscription: &str,
        resource: &str,
        url: &str,
    ) -> Result<Notice, ChangeError> {
        let extensions = [("resource".to_owned(), resource.to_owned())].into_iter().collect();
        let event = Event { subject: Some(url.to_owned()), time: self.now(), extensions, ..Event::default() };
        let (subscription, data) = (subscription.to_owned(), Bytes::new());
        let question = DocumentQuestion::Notice { subscription, event, data, outlived: false };
        match self.decider.ask(question).await? {
            (DocumentAnswer::Notice(notice), _) => notice.map_err(ChangeError::Broken),
            _ => Err(ChangeError::Broken("the component gave another answer".to_owned())),
        }
    }
}
