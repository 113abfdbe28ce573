//! The store itself: hands writes to the writer and reads to the readers.

use super::attempt_journal::AttemptJournal;
use super::backlog::Backlog;
use super::batch::{Batch, Statements};
use super::bound::Bounds;
use super::bulk;
use super::call;
use super::callback;
use super::commit::{ApplyCommit, PreparedCommit};
use super::connection::{open_writer, tune_writer};
use super::error::classify;
use super::expiry::{self, Expire};
use super::interruption;
use super::job::Write;
use super::lease::Leases;
use super::lock::Lock;
use super::options::SqliteOptions;
use super::presence::{self, Presence};
use super::reader::Readers;
use super::reschedule::{self, Replan, Replay, Retry};
use super::resource;
use super::row::clamp;
use super::schema::{identity, name_file, prepare};
use super::settlement::Settle;
use super::source;
use super::standing::{self, Stand};
use super::subscription::{self, Abandon};
use super::writer::{Shared, Writer};
use super::{lane, leasing, listing, private, reading};
use crate::clock::WallClock;
use crate::store::{
    Attempt, CallHead, CallQuery, CallStore, CallbackAcked, CallbackStore, Commit, CommitOutcome,
    DeclaredSubscription, Delivery, DeliveryId, DeliveryQuery, DeliveryStore, Due, DueCalls, EventQuery,
    EventRecord, EventSeq, Job, JobId, JobQuery, JobState, JobStep, JobStepped, JobStore, KeyReader,
    KeyStore, Lease, LeaseTerms, Leased, LogId, LogPart, LogStore, NewJob, Oldest, OverflowCounts, Page,
    Recorded, RemovedSubscription, ResourceStore, RetentionStore, Retried, Retryable, Settlement,
    SourceStore, Store, StoreError, StoredApi, StoredCall, StoredCallback, StoredFollower, StoredResource,
    StoredSource, StoredStanding, StoredSubscription, SubscriptionStore,
};
use crate::supervision::Supervisor;
use anglerfish_core::config::BacklogConfig;
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::watch;

/// Deliveries that one transaction ends when a subscription's are abandoned, or plans anew.
const STEP: usize = 1000;

/// A store in one SQLite file.
///
/// What is reported as done is in the file's write-ahead log and synced. One process owns the file; others may read
/// it meanwhile, for example with the `sqlite3` tool.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Arc<Readers>,
    leases: Arc<Leases>,
    backlog: Arc<Backlog>,
    bounds: Arc<Bounds>,
    head: watch::Receiver<EventSeq>,
    made_jobs: watch::Receiver<u64>,
    identity: LogId,
    clock: WallClock,
    /// How far in the log the present round of expiry has come.
    expired: AtomicI64,
}

impl SqliteStore {
    /// Opens the file at `path`, or makes it and its directory, and brings its tables up to date. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if the file is not an SQLite database, belongs to another application, has a newer
    /// schema or is used by another gateway; [`StoreError::Unavailable`] if it is locked, out of reach or the disk is
    /// full.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        Self::open_supervised(path, options, Supervisor::default(), WallClock::default())
    }

    /// The same for a gateway with this clock, whose supervisor is told when the writer breaks down.
    ///
    /// # Errors
    /// Like [`SqliteStore::open`].
    pub fn open_supervised(
        path: &Path,
        options: SqliteOptions,
        supervisor: Supervisor,
        clock: WallClock,
    ) -> Result<Self, StoreError> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            private::make_directory(directory).map_err(|error| {
                StoreError::Unavailable(format!("failed to create {}: {error}", directory.display()))
            })?;
        }
        let lock = Lock::acquire(path)?;
        presence::refuse_headless(path)?;
        let mut connection = open_writer(path, &options)?;
        prepare(&mut connection, path)?;
        let fail = |error: rusqlite::Error| name_file(classify(&error), path);
        tune_writer(&connection, &options).map_err(fail)?;
        lane::heal(&connection).map_err(fail)?;
        call::disown(&connection).map_err(fail)?;
        let is_new = !connection
            .prepare("SELECT 1 FROM deliveries")
            .and_then(|mut any| any.exists(()))
            .map_err(fail)?;
        let (journal, begun) = AttemptJournal::open(path, is_new);
        let interrupted = interruption::record(&mut connection, &begun).map_err(fail)?;
        if interrupted > 0 {
            tracing::info!(
                interrupted,
                "attempts were under way when the gateway ended; they are made again"
            );
        }
        journal.begin_anew();
        let leases = Arc::new(Leases::new(journal));
        let backlog = Arc::new(Backlog::count(&connection).map_err(fail)?);
        let bounds = Arc::new(Bounds::open(&connection).map_err(fail)?);
        let identity = identity(&mut connection).map_err(fail)?;
        let (sender, head) = watch::channel(EventSeq::default());
        let (made, made_jobs) = watch::channel(0);
        let shared = Shared {
            leases: Arc::clone(&leases),
            backlog: Arc::clone(&backlog),
            bounds: Arc::clone(&bounds),
            presence: RefCell::new(Presence::note(path)),
            lost: Cell::new(false),
            head: sender,
            made_jobs: made,
            supervisor,
        };
        let writer = Writer::spawn(connection, lock, shared, &options)?;
        let readers = Arc::new(Readers::new(path.to_owned(), options));
        Ok(Self {
            writer,
            readers,
            leases,
            backlog,
            bounds,
            head,
            made_jobs,
            identity,
            clock,
            expired: AtomicI64::new(0),
        })
    }
}

#[cfg(test)]
impl SqliteStore {
    /// Hands any job to the writer.
    pub(super) async fn write_for_test<W: Write>(&self, write: W) -> Result<W::Out, StoreError> {
        self.writer.write(write).await
    }

    /// The lease of a delivery, whoever has it; makes one if there is none.
    pub(super) fn lease_one(&self, delivery: DeliveryId) -> Lease {
        if let Some(lease) = self.leases.of(delivery) {
            return lease;
        }
        let guard = self.leases.take([(delivery, "".into())], &LeaseTerms::default());
        let lease = guard.leases()[0];
        guard.keep();
        lease
    }
}

#[async_trait]
impl LogStore for SqliteStore {
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StoreError> {
        let decision = Arc::new(PreparedCommit::prepare(commit)?);
        let applied = self.writer.write(ApplyCommit(Arc::clone(&decision))).await?;
        Ok(decision.outcome(applied))
    }

    async fn read(&self, after: EventSeq, limit: usize, bytes: usize) -> Result<LogPart, StoreError> {
        self.readers.read(move |connection| reading::read(connection, after, limit, bytes)).await
    }

    fn identity(&self) -> LogId {
        self.identity.clone()
    }

    fn head(&self) -> watch::Receiver<EventSeq> {
        self.head.clone()
    }

    async fn at(&self, time: UnixMillis) -> Result<EventSeq, StoreError> {
        // Before the search: what is appended meanwhile is behind it.
        let head = *self.head.borrow();
        self.readers.read(move |connection| reading::at(connection, clamp(time), head)).await
    }

    async fn events(&self, query: EventQuery) -> Result<Page<EventRecord>, StoreError> {
        self.readers.read(move |connection| listing::events(connection, &query)).await
    }

    async fn event(&self, id: &str) -> Result<Vec<EventRecord>, StoreError> {
        let id = id.to_owned();
        self.readers.read(move |connection| listing::event(connection, &id)).await
    }

    async fn data(&self, seq: EventSeq) -> Result<Option<Bytes>, StoreError> {
        self.readers.read(move |connection| listing::data(connection, seq)).await
    }
}

#[async_trait]
impl DeliveryStore for SqliteStore {
    async fn lease(
        &self,
        subscription: &str,
        now: UnixMillis,
        limit: usize,
        terms: LeaseTerms,
    ) -> Result<Leased, StoreError> {
        let (leases, subscription) = (Arc::clone(&self.leases), subscription.to_owned());
        let (guard, leased) = self
            .readers
            .read(move |connection| leasing::lease(connection, &leases, &subscription, now, limit, &terms))
            .await?;
        guard.keep();
        Ok(leased)
    }

    async fn due(&self, now: UnixMillis, limit: usize) -> Result<Due, StoreError> {
        let (leases, backlog) = (Arc::clone(&self.leases), Arc::clone(&self.backlog));
        self.readers.read(move |connection| leasing::due(connection, &leases, &backlog, now, limit)).await
    }

    async fn extend(&self, leases: &[Lease], until: UnixMillis) -> Result<Vec<Lease>, StoreError> {
        Ok(self.leases.extend(leases, until))
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        Ok(self.leases.end(leases, false))
    }

    async fn record(&self, settlements: Vec<Settlement>) -> Result<Vec<Recorded>, StoreError> {
        self.writer.write(Settle(settlements)).await
    }

    fn begin(&self, lease: Lease, started: UnixMillis, before: u32) -> bool {
        self.leases.begin(lease, clamp(started), before)
    }

    fn pace(&self, rate: &str, rests: UnixMillis) {
        self.leases.journal.pace(rate, rests.0);
    }

    fn paced(&self, rate: &str) -> Option<UnixMillis> {
        self.leases.journal.paced(rate).map(UnixMillis)
    }

    async fn replan(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let now = clamp(now);
        let mut total = 0;
        loop {
            let find = move |connection: &rusqlite::Connection| reschedule::misplanned(connection, now, STEP);
            let deliveries = self.readers.read(find).await?;
            if deliveries.is_empty() {
                return Ok(total);
            }
            total += self.writer.write(Replan { deliveries, now }).await? as u64;
        }
    }

    async fn replay(
        &self,
        seq: EventSeq,
        subscriptions: &[String],
        now: UnixMillis,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        self.writer.write(Replay { seq, subscriptions: subscriptions.to_vec(), now: clamp(now) }).await
    }

    async fn retry(&self, id: DeliveryId, now: UnixMillis) -> Result<Retried, StoreError> {
        self.writer.write(Retry { id, now, due: clamp(now) }).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        let backlog = Arc::clone(&self.backlog);
        self.readers.read(move |connection| listing::deliveries(connection, &backlog, &query)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        self.readers.read(move |connection| listing::delivery(connection, id)).await
    }

    async fn backlog(&self) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(self.backlog.list())
    }

    fn bound(&self, subscription: &str, bound: Option<BacklogConfig>) {
        self.bounds.set(subscription, bound);
    }

    fn overflows(&self) -> Vec<(String, OverflowCounts)> {
        self.bounds.list()
    }

    async fn oldest(&self, subscriptions: &[String]) -> Result<Oldest, StoreError> {
        let (backlog, subscriptions) = (Arc::clone(&self.backlog), subscriptions.to_vec());
        self.readers.read(move |connection| listing::oldest(connection, &backlog, &subscriptions)).await
    }
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn add_job(&self, job: NewJob) -> Result<Job, StoreError> {
        self.writer.write(bulk::Add(job)).await
    }

    async fn jobs(&self, query: JobQuery) -> Result<Page<Job>, StoreError> {
        self.readers.read(move |connection| bulk::list(connection, &query)).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.readers.read(move |connection| bulk::one(connection, id)).await
    }

    async fn retryable(&self, job: &Job, limit: usize) -> Result<Retryable, StoreError> {
        let job = job.clone();
        self.readers.read(move |connection| bulk::retryable(connection, &job, limit)).await
    }

    async fn step(&self, step: JobStep) -> Result<JobStepped, StoreError> {
        self.writer.write(bulk::Step(step)).await
    }

    fn made_jobs(&self) -> watch::Receiver<u64> {
        self.made_jobs.clone()
    }

    async fn end_job(
        &self,
        id: JobId,
        state: JobState,
        reason: &str,
        now: UnixMillis,
    ) -> Result<Option<Job>, StoreError> {
        self.writer.write(bulk::End { id, state, reason: reason.to_owned(), now: clamp(now) }).await
    }
}

#[async_trait]
impl CallStore for SqliteStore {
    async fn due_calls(&self, api: &str, now: UnixMillis, limit: usize) -> Result<DueCalls, StoreError> {
        let api = api.to_owned();
        self.readers.read(move |connection| call::due(connection, &api, now, limit)).await
    }

    async fn replan_calls(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let now = clamp(now);
        let mut total = 0;
        loop {
            let find = move |connection: &rusqlite::Connection| call::misplanned(connection, now, STEP);
            let calls = self.readers.read(find).await?;
            if calls.is_empty() {
                return Ok(total);
            }
            total += self.writer.write(call::Replan { calls, now }).await? as u64;
        }
    }

    async fn call(&self, id: &str) -> Result<Option<StoredCall>, StoreError> {
        let id = id.to_owned();
        self.readers.read(move |connection| call::one(connection, &id)).await
    }

    async fn call_of_key(&self, api: &str, key: &str) -> Result<Option<StoredCall>, StoreError> {
        let (api, key) = (api.to_owned(), key.to_owned());
        self.readers.read(move |connection| call::of_key(connection, &api, &key)).await
    }

    async fn calls(&self, query: CallQuery) -> Result<Page<CallHead>, StoreError> {
        self.readers.read(move |connection| call::list(connection, &query)).await
    }

    async fn open_calls(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.readers.read(call::open).await
    }

    async fn apis(&self) -> Result<Vec<StoredApi>, StoreError> {
        self.readers.read(call::apis).await
    }
}

#[async_trait]
impl CallbackStore for SqliteStore {
    async fn hold_callback(
        &self,
        new: StoredCallback,
        keeps: bool,
        now: UnixMillis,
    ) -> Result<StoredCallback, StoreError> {
        self.writer.write(callback::Hold { new, keeps, now }).await
    }

    async fn callback(&self, name: &str) -> Result<Option<StoredCallback>, StoreError> {
        let name = name.to_owned();
        self.readers.read(move |connection| callback::one(connection, &name)).await
    }

    async fn callbacks(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredCallback>, StoreError> {
        let after = after.map(str::to_owned);
        self.readers.read(move |connection| callback::list(connection, after.as_deref(), limit)).await
    }

    async fn waiting_callback(&self, name: &str, after: EventSeq) -> Result<Option<EventRecord>, StoreError> {
        let name = name.to_owned();
        self.readers.read(move |connection| callback::waiting(connection, &name, after)).await
    }

    async fn ack_callback(
        &self,
        name: &str,
        holder: u64,
        seq: EventSeq,
    ) -> Result<CallbackAcked, StoreError> {
        self.writer.write(callback::Ack { name: name.to_owned(), holder, seq }).await
    }

    async fn close_callback(
        &self,
        name: &str,
        now: UnixMillis,
    ) -> Result<Option<StoredCallback>, StoreError> {
        self.writer.write(callback::Close { name: name.to_owned(), now }).await
    }
}

#[async_trait]
impl SourceStore for SqliteStore {
    async fn sources(&self) -> Result<Vec<StoredSource>, StoreError> {
        self.readers.read(source::list).await
    }

    async fn put_source(&self, source: StoredSource) -> Result<(), StoreError> {
        self.writer.write(source::Put(source)).await
    }

    async fn delete_source(&self, name: &str) -> Result<bool, StoreError> {
        self.writer.write(source::Delete(name.to_owned())).await
    }
}

#[async_trait]
impl ResourceStore for SqliteStore {
    async fn resources(&self) -> Result<Vec<StoredResource>, StoreError> {
        self.readers.read(resource::list).await
    }

    async fn put_resource(&self, resource: StoredResource) -> Result<(), StoreError> {
        self.writer.write(resource::Put(resource)).await
    }

    async fn delete_resource(&self, id: &str) -> Result<bool, StoreError> {
        self.writer.write(resource::Delete(id.to_owned())).await
    }

    async fn enrol(
        &self,
        subscription: &str,
        resource: &str,
        backfill: bool,
        filter: Option<&str>,
        now: UnixMillis,
    ) -> Result<StoredFollower, StoreError> {
        let (subscription, resource) = (subscription.to_owned(), resource.to_owned());
        let filter = filter.map(str::to_owned);
        self.writer.write(resource::Enrol { subscription, resource, backfill, filter, now }).await
    }

    async fn backfilled(
        &self,
        subscription: &str,
        filter_since: u64,
        place: Option<&str>,
    ) -> Result<bool, StoreError> {
        let (subscription, place) = (subscription.to_owned(), place.map(str::to_owned));
        self.writer.write(resource::Backfilled { subscription, filter_since, place }).await
    }

    async fn followers(&self) -> Result<Vec<StoredFollower>, StoreError> {
        self.readers.read(resource::followers).await
    }

    async fn follower(&self, subscription: &str) -> Result<Option<StoredFollower>, StoreError> {
        let subscription = subscription.to_owned();
        self.readers.read(move |connection| resource::follower_of(connection, &subscription)).await
    }

    async fn followers_of(
        &self,
        resource: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<StoredFollower>, StoreError> {
        let id = resource.to_owned();
        self.readers.read(move |connection| resource::followers_of(connection, &id, offset, limit)).await
    }

    async fn count_followers(&self, resource: &str) -> Result<usize, StoreError> {
        let id = resource.to_owned();
        self.readers.read(move |connection| resource::count_followers(connection, &id)).await
    }

    async fn backfilling(&self) -> Result<Vec<String>, StoreError> {
        self.readers.read(resource::backfilling).await
    }

    async fn revive_document(&self, lane: &str, now: UnixMillis) -> Result<Vec<String>, StoreError> {
        // As a rule there is none, and nothing is looked up.
        if !self.backlog.take_given_up(lane) {
            return Ok(Vec::new());
        }
        let revived = self.writer.write(resource::ReviveDocument { lane: lane.to_owned(), now }).await;
        if revived.is_err() {
            self.backlog.look_again(lane);
        }
        revived
    }

    async fn revive_ends(&self, subscription: &str, now: UnixMillis) -> Result<bool, StoreError> {
        let subscription = subscription.to_owned();
        let revived = self.writer.write(resource::ReviveEnds { subscription, now }).await?;
        Ok(!revived.is_empty())
    }

    async fn room(&self, subscription: &str) -> Result<usize, StoreError> {
        Ok(self.bounds.now().room(subscription, self.backlog.of(subscription)))
    }

    async fn dismiss(&self, subscription: &str) -> Result<(), StoreError> {
        self.writer.write(resource::Dismiss(subscription.to_owned())).await
    }

    async fn keys_behind(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Bytes)>, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.to_owned());
        self.readers.read(move |connection| resource::keys_behind(connection, &prefix, &after, limit)).await
    }
}

#[async_trait]
impl SubscriptionStore for SqliteStore {
    async fn subscriptions(&self) -> Result<Vec<StoredSubscription>, StoreError> {
        self.readers.read(subscription::list).await
    }

    async fn put_subscription(&self, subscription: StoredSubscription) -> Result<(), StoreError> {
        self.writer.write(subscription::Put(subscription)).await
    }

    async fn begin_subscription(
        &self,
        subscription: StoredSubscription,
        start: NewJob,
    ) -> Result<(), StoreError> {
        self.writer.write(subscription::Begin(subscription::Put(subscription), start)).await
    }

    async fn delete_subscription(&self, id: &str) -> Result<bool, StoreError> {
        let now = clamp(self.clock.now());
        self.writer.write(subscription::Delete { id: id.to_owned(), now }).await
    }

    async fn declare(
        &self,
        declared: Vec<DeclaredSubscription>,
    ) -> Result<Vec<RemovedSubscription>, StoreError> {
        let now = clamp(self.clock.now());
        self.writer.write(subscription::Declare { declared, now }).await
    }

    async fn standings(&self) -> Result<Vec<StoredStanding>, StoreError> {
        self.readers.read(standing::list).await
    }

    async fn set_standing(&self, standing: StoredStanding) -> Result<(), StoreError> {
        self.writer.write(Stand(standing)).await
    }

    async fn abandon(&self, subscription: &str, reason: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let step = Abandon {
                subscription: subscription.to_owned(),
                reason: reason.to_owned(),
                now: clamp(now),
                limit: STEP,
            };
            let ended = self.writer.write(step).await?;
            total += ended as u64;
            if ended < STEP {
                return Ok(total);
            }
        }
    }
}

#[async_trait]
impl KeyStore for SqliteStore {
    fn key_reader(&self) -> Result<Arc<dyn KeyReader>, StoreError> {
        self.readers.keys()
    }

    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<(String, Bytes)>, StoreError> {
        let prefix = prefix.to_owned();
        self.readers.read(move |connection| listing::keys(connection, &prefix, limit)).await
    }
}

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn expire(&self, before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        let before = clamp(before);
        loop {
            let behind = self.expired.load(Ordering::Relaxed);
            let step = self
                .readers
                .read(move |connection| expiry::find(connection, behind, before, limit.max(1)))
                .await?;
            let (next, seen, last) = (step.next, step.seen, step.is_last());
            let gone = self.writer.write(Expire(step)).await?;
            // Where nothing could be deleted after all, there is no use in looking again.
            self.expired.store(if gone > 0 { next } else { seen }, Ordering::Relaxed);
            if gone > 0 || last {
                return Ok(gone);
            }
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn check(&self) -> Result<(), StoreError> {
        self.writer.write(Check).await
    }

    async fn close(&self) {
        self.readers.close();
        self.writer.close().await;
    }
}

/// Takes the write lock; and if the last transaction failed, also looks whether everything that is written to is still
/// there, writes something and takes it out again.
#[derive(Debug)]
struct Check;

impl Write for Check {
    type Out = ();

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        if batch.doubtful {
            let connection = batch.connection;
            drop(Statements::prepare(connection)?);
            connection.execute(
                "INSERT INTO subscriptions (id, document, updated) VALUES ('', zeroblob(65536), 0)",
                (),
            )?;
            connection.execute("DELETE FROM subscriptions WHERE id = ''", ())?;
        }
        Ok(())
    }
}
