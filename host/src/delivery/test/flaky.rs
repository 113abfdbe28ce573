//! A real store that can be out of reach for a while.

use crate::store::{
    Attempt, CallHead, CallQuery, CallStore, CallbackAcked, CallbackStore, Commit, CommitOutcome,
    DeclaredSubscription, Delivery, DeliveryId, DeliveryQuery, DeliveryStore, Due, DueCalls, EventQuery,
    EventRecord, EventSeq, Job, JobId, JobQuery, JobState, JobStep, JobStepped, JobStore, KeyReader,
    KeyStore, Lease, LeaseTerms, Leased, LogId, LogPart, LogStore, NewJob, Oldest, OverflowCounts, Page,
    Recorded, RemovedSubscription, ResourceStore, RetentionStore, Retried, Retryable, Settlement,
    SourceStore, SqliteStore, Store, StoreError, StoredApi, StoredCall, StoredCallback, StoredFollower,
    StoredResource, StoredSource, StoredStanding, StoredSubscription, SubscriptionStore,
};
use anglerfish_core::config::BacklogConfig;
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

/// Where a commit is held up.
#[derive(Clone, Copy)]
pub(crate) enum HoldUp {
    /// Before it is written.
    Before,
    /// Behind that, before its answer.
    Behind,
    /// Before it is refused.
    Refused,
    /// Behind that, and whoever asked never learns that it is written.
    Lost,
}

/// A commit that a test holds up.
pub(crate) struct Held {
    wants: fn(&Commit) -> bool,
    place: HoldUp,
    /// Told when one is here.
    pub(crate) arrived: Notify,
    /// Told when it may go on.
    pub(crate) released: Notify,
}

pub(crate) struct Flaky {
    inner: Arc<SqliteStore>,
    held: Mutex<Option<Arc<Held>>>,
    down: AtomicBool,
    refused: AtomicUsize,
    leased: AtomicUsize,
    leases: AtomicUsize,
    surveys: AtomicUsize,
}

impl Flaky {
    pub(crate) fn new(inner: SqliteStore) -> Self {
        Self {
            inner: Arc::new(inner),
            held: Mutex::default(),
            down: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            leased: AtomicUsize::new(0),
            leases: AtomicUsize::new(0),
            surveys: AtomicUsize::new(0),
        }
    }

    /// Holds the next commit up that is wanted.
    pub(crate) fn hold(&self, place: HoldUp, wants: fn(&Commit) -> bool) -> Arc<Held> {
        let (arrived, released) = (Notify::new(), Notify::new());
        let held = Arc::new(Held { wants, place, arrived, released });
        *self.held.lock().unwrap() = Some(Arc::clone(&held));
        held
    }

    pub(crate) fn inner(&self) -> &SqliteStore {
        &self.inner
    }

    /// Whether leases and settlements fail.
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// How many calls failed.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// The most deliveries that one call leased.
    pub(crate) fn most_leased(&self) -> usize {
        self.leased.load(Ordering::SeqCst)
    }

    /// How many times deliveries were asked for.
    pub(crate) fn leases(&self) -> usize {
        self.leases.load(Ordering::SeqCst)
    }

    /// How many times it was asked which subscriptions have open deliveries.
    pub(crate) fn surveys(&self) -> usize {
        self.surveys.load(Ordering::SeqCst)
    }

    fn reach(&self) -> Result<&SqliteStore, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Unavailable("the disk is away".into()));
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl LogStore for Flaky {
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StoreError> {
        let _ = self.reach()?;
        let held = self.held.lock().unwrap().take_if(|held| (held.wants)(&commit));
        let Some(held) = held else { return self.inner.commit(commit).await };
        let inner = Arc::clone(&self.inner);
        // What is queued is written, also when whoever asked for it has gone.
        let commit = tokio::spawn(async move {
            let stop = async || {
                held.arrived.notify_one();
                held.released.notified().await;
            };
            match held.place {
                HoldUp::Before => {
                    stop().await;
                    inner.commit(commit).await
                }
                HoldUp::Behind => {
                    let written = inner.commit(commit).await;
                    stop().await;
                    written
                }
                HoldUp::Lost => {
                    let _ = inner.commit(commit).await;
                    stop().await;
                    Err(StoreError::Unavailable("the disk was away".into()))
                }
                HoldUp::Refused => {
                    stop().await;
                    Err(StoreError::Unavailable("the disk was away".into()))
                }
            }
        });
        commit.await.unwrap()
    }

    async fn read(&self, after: EventSeq, limit: usize, bytes: usize) -> Result<LogPart, StoreError> {
        self.inner.read(after, limit, bytes).await
    }

    fn identity(&self) -> LogId {
        self.inner.identity()
    }

    fn head(&self) -> watch::Receiver<EventSeq> {
        self.inner.head()
    }

    async fn at(&self, time: UnixMillis) -> Result<EventSeq, StoreError> {
        self.inner.at(time).await
    }

    async fn events(&self, query: EventQuery) -> Result<Page<EventRecord>, StoreError> {
        self.inner.events(query).await
    }

    async fn event(&self, id: &str) -> Result<Vec<EventRecord>, StoreError> {
        self.inner.event(id).await
    }

    async fn data(&self, seq: EventSeq) -> Result<Option<Bytes>, StoreError> {
        self.inner.data(seq).await
    }
}

#[async_trait]
impl DeliveryStore for Flaky {
    async fn lease(
        &self,
        id: &str,
        now: UnixMillis,
        limit: usize,
        terms: LeaseTerms,
    ) -> Result<Leased, StoreError> {
        self.leases.fetch_add(1, Ordering::SeqCst);
        let leased = self.reach()?.lease(id, now, limit, terms).await?;
        self.leased.fetch_max(leased.deliveries.len(), Ordering::SeqCst);
        Ok(leased)
    }

    async fn due(&self, now: UnixMillis, limit: usize) -> Result<Due, StoreError> {
        self.reach()?.due(now, limit).await
    }

    async fn extend(&self, leases: &[Lease], until: UnixMillis) -> Result<Vec<Lease>, StoreError> {
        self.reach()?.extend(leases, until).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        self.inner.release(leases).await
    }

    async fn record(&self, settlements: Vec<Settlement>) -> Result<Vec<Recorded>, StoreError> {
        self.reach()?.record(settlements).await
    }

    fn begin(&self, lease: Lease, started: UnixMillis, before: u32) -> bool {
        self.inner.begin(lease, started, before)
    }

    fn pace(&self, rate: &str, rests: UnixMillis) {
        self.inner.pace(rate, rests);
    }

    fn paced(&self, rate: &str) -> Option<UnixMillis> {
        self.inner.paced(rate)
    }

    async fn replan(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.reach()?.replan(now).await
    }

    async fn replay(
        &self,
        seq: EventSeq,
        ids: &[String],
        now: UnixMillis,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        self.inner.replay(seq, ids, now).await
    }

    async fn retry(&self, id: DeliveryId, now: UnixMillis) -> Result<Retried, StoreError> {
        self.inner.retry(id, now).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.inner.deliveries(query).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        self.inner.delivery(id).await
    }

    async fn backlog(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.surveys.fetch_add(1, Ordering::SeqCst);
        self.inner.backlog().await
    }

    fn bound(&self, subscription: &str, bound: Option<BacklogConfig>) {
        self.inner.bound(subscription, bound);
    }

    fn overflows(&self) -> Vec<(String, OverflowCounts)> {
        self.inner.overflows()
    }

    async fn oldest(&self, subscriptions: &[String]) -> Result<Oldest, StoreError> {
        self.inner.oldest(subscriptions).await
    }
}

#[async_trait]
impl SourceStore for Flaky {
    async fn sources(&self) -> Result<Vec<StoredSource>, StoreError> {
        self.inner.sources().await
    }

    async fn put_source(&self, source: StoredSource) -> Result<(), StoreError> {
        self.inner.put_source(source).await
    }

    async fn delete_source(&self, name: &str) -> Result<bool, StoreError> {
        self.inner.delete_source(name).await
    }
}

#[async_trait]
impl JobStore for Flaky {
    async fn add_job(&self, job: NewJob) -> Result<Job, StoreError> {
        self.inner.add_job(job).await
    }

    async fn jobs(&self, query: JobQuery) -> Result<Page<Job>, StoreError> {
        self.inner.jobs(query).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.inner.job(id).await
    }

    async fn retryable(&self, job: &Job, limit: usize) -> Result<Retryable, StoreError> {
        self.inner.retryable(job, limit).await
    }

    fn made_jobs(&self) -> watch::Receiver<u64> {
        self.inner.made_jobs()
    }

    async fn step(&self, step: JobStep) -> Result<JobStepped, StoreError> {
        self.reach()?.step(step).await
    }

    async fn end_job(
        &self,
        id: JobId,
        state: JobState,
        reason: &str,
        now: UnixMillis,
    ) -> Result<Option<Job>, StoreError> {
        self.inner.end_job(id, state, reason, now).await
    }
}

#[async_trait]
impl CallStore for Flaky {
    async fn due_calls(&self, api: &str, now: UnixMillis, limit: usize) -> Result<DueCalls, StoreError> {
        self.reach()?.due_calls(api, now, limit).await
    }

    async fn replan_calls(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.reach()?.replan_calls(now).await
    }

    async fn call(&self, id: &str) -> Result<Option<StoredCall>, StoreError> {
        self.inner.call(id).await
    }

    async fn call_of_key(&self, api: &str, key: &str) -> Result<Option<StoredCall>, StoreError> {
        self.inner.call_of_key(api, key).await
    }

    async fn calls(&self, query: CallQuery) -> Result<Page<CallHead>, StoreError> {
        self.inner.calls(query).await
    }

    async fn open_calls(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.inner.open_calls().await
    }

    async fn apis(&self) -> Result<Vec<StoredApi>, StoreError> {
        self.inner.apis().await
    }
}

#[async_trait]
impl ResourceStore for Flaky {
    async fn resources(&self) -> Result<Vec<StoredResource>, StoreError> {
        self.inner.resources().await
    }

    async fn put_resource(&self, resource: StoredResource) -> Result<(), StoreError> {
        self.inner.put_resource(resource).await
    }

    async fn delete_resource(&self, id: &str) -> Result<bool, StoreError> {
        self.inner.delete_resource(id).await
    }

    async fn enrol(
        &self,
        subscription: &str,
        resource: &str,
        backfill: bool,
        filter: Option<&str>,
        now: UnixMillis,
    ) -> Result<StoredFollower, StoreError> {
        self.inner.enrol(subscription, resource, backfill, filter, now).await
    }

    async fn backfilled(
        &self,
        subscription: &str,
        filter_since: u64,
        place: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.inner.backfilled(subscription, filter_since, place).await
    }

    async fn followers(&self) -> Result<Vec<StoredFollower>, StoreError> {
        self.inner.followers().await
    }

    async fn follower(&self, subscription: &str) -> Result<Option<StoredFollower>, StoreError> {
        self.inner.follower(subscription).await
    }

    async fn followers_of(
        &self,
        resource: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<StoredFollower>, StoreError> {
        self.inner.followers_of(resource, offset, limit).await
    }

    async fn count_followers(&self, resource: &str) -> Result<usize, StoreError> {
        self.inner.count_followers(resource).await
    }

    async fn backfilling(&self) -> Result<Vec<String>, StoreError> {
        self.inner.backfilling().await
    }

    async fn revive_document(&self, lane: &str, now: UnixMillis) -> Result<Vec<String>, StoreError> {
        self.inner.revive_document(lane, now).await
    }

    async fn revive_ends(&self, subscription: &str, now: UnixMillis) -> Result<bool, StoreError> {
        self.inner.revive_ends(subscription, now).await
    }

    async fn room(&self, subscription: &str) -> Result<usize, StoreError> {
        self.inner.room(subscription).await
    }

    async fn dismiss(&self, subscription: &str) -> Result<(), StoreError> {
        self.inner.dismiss(subscription).await
    }

    async fn keys_behind(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Bytes)>, StoreError> {
        self.inner.keys_behind(prefix, after, limit).await
    }
}

#[async_trait]
impl CallbackStore for Flaky {
    async fn hold_callback(
        &self,
        new: StoredCallback,
        keeps: bool,
        now: UnixMillis,
    ) -> Result<StoredCallback, StoreError> {
        self.reach()?.hold_callback(new, keeps, now).await
    }

    async fn callback(&self, name: &str) -> Result<Option<StoredCallback>, StoreError> {
        self.inner.callback(name).await
    }

    async fn callbacks(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredCallback>, StoreError> {
        self.inner.callbacks(after, limit).await
    }

    async fn waiting_callback(&self, name: &str, after: EventSeq) -> Result<Option<EventRecord>, StoreError> {
        self.inner.waiting_callback(name, after).await
    }

    async fn ack_callback(
        &self,
        name: &str,
        holder: u64,
        seq: EventSeq,
    ) -> Result<CallbackAcked, StoreError> {
        self.reach()?.ack_callback(name, holder, seq).await
    }

    async fn close_callback(
        &self,
        name: &str,
        now: UnixMillis,
    ) -> Result<Option<StoredCallback>, StoreError> {
        self.reach()?.close_callback(name, now).await
    }
}

#[async_trait]
impl SubscriptionStore for Flaky {
    async fn subscriptions(&self) -> Result<Vec<StoredSubscription>, StoreError> {
        self.inner.subscriptions().await
    }

    async fn put_subscription(&self, subscription: StoredSubscription) -> Result<(), StoreError> {
        self.inner.put_subscription(subscription).await
    }

    async fn begin_subscription(
        &self,
        subscription: StoredSubscription,
        start: NewJob,
    ) -> Result<(), StoreError> {
        self.inner.begin_subscription(subscription, start).await
    }

    async fn delete_subscription(&self, id: &str) -> Result<bool, StoreError> {
        self.inner.delete_subscription(id).await
    }

    async fn declare(
        &self,
        declared: Vec<DeclaredSubscription>,
    ) -> Result<Vec<RemovedSubscription>, StoreError> {
        self.inner.declare(declared).await
    }

    async fn standings(&self) -> Result<Vec<StoredStanding>, StoreError> {
        self.inner.standings().await
    }

    async fn set_standing(&self, standing: StoredStanding) -> Result<(), StoreError> {
        self.reach()?.set_standing(standing).await
    }

    async fn abandon(&self, id: &str, reason: &str, now: UnixMillis) -> Result<u64, StoreError> {
        self.inner.abandon(id, reason, now).await
    }
}

#[async_trait]
impl KeyStore for Flaky {
    fn key_reader(&self) -> Result<Arc<dyn KeyReader>, StoreError> {
        self.inner.key_reader()
    }

    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<(String, Bytes)>, StoreError> {
        self.inner.keys(prefix, limit).await
    }
}

#[async_trait]
impl RetentionStore for Flaky {
    async fn expire(&self, before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.inner.expire(before, limit).await
    }
}

#[async_trait]
impl Store for Flaky {
    async fn check(&self) -> Result<(), StoreError> {
        self.reach()?.check().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
