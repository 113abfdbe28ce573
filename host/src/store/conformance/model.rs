//! A store in memory that does everything in the simplest way.

mod bulk;
mod call;
mod callback;
mod delivery;
mod log;
mod resource;

use super::NOW;
use crate::store::{
    Attempt, Cause, Commit, CommitOutcome, DeclaredSubscription, Delivery, DeliveryId, DeliveryQuery,
    DeliveryStatus, DeliveryStore, Due, EventQuery, EventRecord, EventSeq, Job, JobId, JobState, KeyReader,
    KeyStore, LEASE_BYTES, Lease, LeaseTerms, LeaseToken, Leased, LeasedDelivery, Limit, LogEntry, LogPart,
    LogStore, NewEvent, NewJob, Oldest, Order, OverflowCounts, Page, Recorded, RemovedSubscription,
    Repetitions, ResourceStore, RetentionStore, Retried, Settled, Settlement, SourceStore, Store, StoreError,
    StoredApi, StoredCall, StoredCallback, StoredFollower, StoredResource, StoredSource, StoredStanding,
    StoredSubscription, SubscriptionStore, WAITS, dropped, refused,
};
use anglerfish_core::config::{BacklogConfig, Overflow};
use anglerfish_core::delivery::{Line, Lines, Standing};
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::is_lasting;
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// The store.
pub(super) struct ModelStore {
    state: Arc<Mutex<State>>,
    head: watch::Sender<EventSeq>,
}

impl Default for ModelStore {
    fn default() -> Self {
        Self { state: Arc::default(), head: watch::Sender::new(EventSeq(0)) }
    }
}

#[derive(Default)]
struct State {
    last: (i64, i64, u64),
    expired: i64,
    events: BTreeMap<EventSeq, (NewEvent, Repetitions)>,
    deliveries: BTreeMap<DeliveryId, Row>,
    /// Subscriptions of which deliveries became due because others were dropped.
    freed: Vec<String>,
    keys: BTreeMap<String, (Bytes, UnixMillis, Option<EventSeq>)>,
    sources: BTreeMap<String, StoredSource>,
    resources: BTreeMap<String, StoredResource>,
    followers: BTreeMap<String, StoredFollower>,
    /// Their filters, as they were noted.
    filters: BTreeMap<String, Option<String>>,
    generation: u64,
    /// Up to which event those before had their names.
    since: BTreeMap<String, EventSeq>,
    subscriptions: BTreeMap<String, StoredSubscription>,
    declared: BTreeMap<String, bool>,
    abandoned: BTreeMap<String, String>,
    standings: BTreeMap<String, StoredStanding>,
    bounds: BTreeMap<String, BacklogConfig>,
    overflows: BTreeMap<String, OverflowCounts>,
    jobs: BTreeMap<JobId, Job>,
    made_jobs: watch::Sender<u64>,
    calls: BTreeMap<EventSeq, StoredCall>,
    callbacks: BTreeMap<String, StoredCallback>,
    inbox: BTreeMap<EventSeq, String>,
    apis: BTreeMap<String, StoredApi>,
}

/// The entry that is a cause, where its position is known.
fn position(cause: Cause) -> Option<EventSeq> {
    match cause {
        Cause::Entry(seq) => Some(seq),
        Cause::First => None,
    }
}

struct Row {
    delivery: Delivery,
    tries: u32,
    planned: UnixMillis,
    attempts: Vec<Attempt>,
    lease: Option<(LeaseToken, UnixMillis)>,
    /// Whether nobody works on it before an attempt begins.
    is_ahead: bool,
    lane: Option<String>,
    parked: bool,
    outlived: bool,
}

impl Row {
    fn is_open(&self) -> bool {
        self.delivery.status == DeliveryStatus::Pending
    }

    /// Whether somebody does something with it.
    fn is_worked_on(&self, now: UnixMillis) -> bool {
        self.lease.is_some_and(|(_, until)| until > now) && !self.is_ahead
    }

    fn is_free(&self, now: UnixMillis) -> bool {
        self.is_open() && self.lease.is_none_or(|(_, until)| until <= now)
    }
}

impl State {
    fn leased(&mut self, lease: Lease) -> Option<&mut Row> {
        let row = self.deliveries.get_mut(&lease.delivery)?;
        row.lease.is_some_and(|(token, _)| token == lease.token).then_some(row)
    }

    fn free(&self, subscription: &str, now: UnixMillis) -> Vec<(UnixMillis, DeliveryId)> {
        let rows = self.deliveries.values().filter(|row| row.delivery.subscription == subscription);
        let free = rows.filter(|row| row.is_free(now) && !row.parked);
        let mut free: Vec<_> =
            free.map(|row| (row.delivery.due.unwrap_or_default(), row.delivery.id)).collect();
        free.sort_unstable();
        free
    }

    fn open(&self, subscription: &str) -> u64 {
        let rows = self.deliveries.values().filter(|row| row.is_open());
        rows.filter(|row| row.delivery.subscription == subscription).count() as u64
    }

    /// Of which limit, by how many deliveries and by how many bytes one more is too much.
    fn surplus(&self, subscription: &str, size: u64) -> Option<(Limit, u64, u64)> {
        let bound = *self.bounds.get(subscription)?;
        let open = self.open(subscription);
        let rows = self.deliveries.values().filter(|row| row.is_open());
        let rows = rows.filter(|row| row.delivery.subscription == subscription);
        let bytes: u64 = rows.map(|row| self.events[&row.delivery.seq].0.data.len() as u64).sum();
        let more = bound.max.map_or(0, |max| (open + 1).saturating_sub(max));
        let too_large = bound.bytes.map_or(0, |most| (bytes + size).saturating_sub(most).min(bytes));
        match (more, too_large) {
            (0, 0) => None,
            (0, _) => Some((Limit::Bytes(bound.bytes.unwrap()), 0, too_large)),
            _ => Some((Limit::Deliveries(bound.max.unwrap()), more, too_large)),
        }
    }

    /// Why there is no room for one more.
    fn make_room(
        &mut self,
        subscription: &str,
        size: u64,
        newer: DeliveryId,
        now: UnixMillis,
    ) -> Option<String> {
        let bound = *self.bounds.get(subscription)?;
        if bound.full == Overflow::Pause {
            return None;
        }
        let (limit, more, bytes) = self.surplus(subscription, size)?;
        // By their places in the log, whether they are due or parked.
        let rows = self.deliveries.values().filter(|row| row.is_open() && !row.is_worked_on(now));
        let mut free: Vec<_> =
            rows.filter(|row| row.delivery.subscription == subscription).map(|row| row.delivery.id).collect();
        let (mut freed, mut chosen) = (0, 0);
        while chosen < free.len() && (freed < bytes || (chosen as u64) < more.min(64)) {
            freed += self.events[&self.deliveries[&free[chosen]].delivery.seq].0.data.len() as u64;
            chosen += 1;
        }
        free.truncate(if freed < bytes { 0 } else { chosen });
        let counts = self.overflows.entry(subscription.to_owned()).or_default();
        if bound.full == Overflow::Refuse || free.is_empty() {
            counts.refused += 1;
            return Some(refused(limit));
        }
        counts.dropped += free.len() as u64;
        for id in free {
            let row = self.deliveries.get_mut(&id).unwrap();
            (row.delivery.status, row.delivery.due) = (DeliveryStatus::Dead, None);
            (row.delivery.ended, row.delivery.reason) = (Some(now), Some(dropped(limit, newer)));
            (row.parked, row.lease) = (false, None);
            let lane = row.lane.clone();
            if self.free_lane(subscription, lane, now)
                && self.freed.last().is_none_or(|last| last != subscription)
            {
                self.freed.push(subscription.to_owned());
            }
        }
        None
    }

    /// Whether one of a lane is open and not parked.
    fn is_taken(&self, subscription: &str, lane: Option<&String>, but: Option<DeliveryId>) -> bool {
        let mut open = self.deliveries.values().filter(|row| row.is_open() && !row.parked);
        lane.is_some()
            && open.any(|row| {
                row.delivery.subscription == subscription
                    && row.lane.as_ref() == lane
                    && Some(row.delivery.id) != but
            })
    }

    /// Lets the next one of a lane go; says whether there is one.
    fn free_lane(&mut self, subscription: &str, lane: Option<String>, now: UnixMillis) -> bool {
        if lane.is_none() || self.is_taken(subscription, lane.as_ref(), None) {
            return false;
        }
        let mut open = self.deliveries.values_mut().filter(|row| row.is_open());
        let next = open.find(|row| row.delivery.subscription == subscription && row.lane == lane);
        let Some(next) = next else { return false };
        (next.parked, next.delivery.reason) = (false, None);
        next.planned = next.delivery.created.min(now);
        next.delivery.due = Some(next.planned);
        true
    }

    /// One of a lane has arrived or was discarded: those of earlier events in it are outlived.
    fn outlive(&mut self, subscription: &str, lane: &str, seq: EventSeq) {
        for row in self.deliveries.values_mut() {
            let is_same = row.delivery.subscription == subscription && row.lane.as_deref() == Some(lane);
            let may_come = row.is_open() || row.delivery.status == DeliveryStatus::Dead;
            row.outlived |= is_same && may_come && row.delivery.seq < seq;
        }
    }

    /// `order` is the lane of a new one, if it has one; without it the delivery is made by hand.
    fn deliver(
        &mut self,
        seq: EventSeq,
        subscription: &str,
        now: UnixMillis,
        order: Option<Option<String>>,
    ) -> DeliveryId {
        self.last.1 += 1;
        let id = DeliveryId(self.last.1);
        let event = &self.events[&seq].0.event;
        let (event_id, source, kind) = (event.id.clone(), event.source.clone(), event.kind.clone());
        let is_again = order.is_none();
        let mut reason = self.abandoned.get(subscription).cloned();
        if reason.is_none() && order.is_some() {
            let size = self.events[&seq].0.data.len() as u64;
            reason = self.make_room(subscription, size, id, now);
        }
        let dead = reason.is_some();
        let before = |row: &&Row| row.delivery.seq == seq && row.delivery.subscription == subscription;
        let lane =
            order.unwrap_or_else(|| self.deliveries.values().find(before).and_then(|row| row.lane.clone()));
        let parked = !dead && self.is_taken(subscription, lane.as_ref(), None);
        let reason = reason.or(parked.then(|| WAITS.to_owned()));
        let delivery = Delivery {
            id,
            subscription: subscription.to_owned(),
            seq,
            event_id,
            source,
            kind,
            status: if dead { DeliveryStatus::Dead } else { DeliveryStatus::Pending },
            attempts: 0,
            created: now,
            due: (!dead && !parked).then_some(now),
            ended: dead.then_some(now),
            reason,
        };
        let row = Row {
            delivery,
            tries: 0,
            planned: now,
            attempts: Vec::new(),
            lease: None,
            is_ahead: false,
            lane,
            parked,
            outlived: is_again,
        };
        self.deliveries.insert(id, row);
        id
    }

    fn lease(&mut self, id: DeliveryId, terms: &LeaseTerms) -> LeasedDelivery {
        self.last.2 += 1;
        let token = LeaseToken(self.last.2);
        let row = self.deliveries.get_mut(&id).unwrap();
        (row.lease, row.is_ahead) = (Some((token, terms.until)), terms.is_ahead);
        let (event, ..) = &self.events[&row.delivery.seq];
        LeasedDelivery {
            id,
            token,
            until: terms.until,
            subscription: row.delivery.subscription.clone(),
            seq: row.delivery.seq,
            event: event.event.clone(),
            data: event.data.clone(),
            headers: event.request.as_ref().map(|request| request.headers.clone()).unwrap_or_default().into(),
            attempts: row.tries,
            created: row.delivery.created,
            interrupted: row.attempts.iter().any(Attempt::is_interrupted),
            outlived: row.outlived,
        }
    }

    fn record(&self, seq: EventSeq) -> EventRecord {
        let (new, repetitions) = &self.events[&seq];
        EventRecord {
            seq,
            event: new.event.clone(),
            origin: new.origin,
            cause: new.cause.and_then(position),
            request: new.request.clone(),
            secret: new.secret.clone(),
            failures: new.failures.clone(),
            received: new.received,
            size: new.data.len() as u64,
            deliveries: self.deliveries.values().filter(|row| row.delivery.seq == seq).count() as u64,
            repetitions: repetitions.clone(),
        }
    }

    fn settle(&mut self, settlement: &Settlement) -> Recorded {
        let Settlement { lease, attempt, settled, now } = settlement;
        let Some(row) = self.leased(*lease) else { return Recorded::Stale };
        row.lease = None;
        row.tries += u32::from(*settled != Settled::Interrupted);
        row.delivery.attempts += 1;
        row.attempts.push(Attempt { number: row.delivery.attempts, ..attempt.clone() });
        let before = row.delivery.status;
        let (status, due) = match settled {
            Settled::Delivered => (DeliveryStatus::Delivered, None),
            _ if !row.is_open() => (before, None),
            Settled::Discarded => (DeliveryStatus::Discarded, None),
            Settled::Dead => (DeliveryStatus::Dead, None),
            Settled::Retry(due) => (DeliveryStatus::Pending, Some(*due)),
            Settled::Interrupted => (DeliveryStatus::Pending, row.delivery.due),
        };
        if status != before {
            let is_lost = matches!(status, DeliveryStatus::Dead | DeliveryStatus::Discarded);
            row.delivery.ended = Some(*now);
            row.delivery.reason = attempt.reason().filter(|_| is_lost);
        }
        if *settled != Settled::Interrupted {
            row.planned = *now;
        }
        (row.delivery.status, row.delivery.due) = (status, due);
        let (subscription, lane, seq) =
            (row.delivery.subscription.clone(), row.lane.clone(), row.delivery.seq);
        if let (DeliveryStatus::Delivered | DeliveryStatus::Discarded, Some(lane)) = (status, &lane) {
            self.outlive(&subscription, lane, seq);
        }
        if due.is_none() && self.free_lane(&subscription, lane, *now) {
            return Recorded::Freed;
        }
        Recorded::Recorded
    }
}

impl ModelStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn page<T>(mut items: Vec<T>, limit: usize) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    Page { items, more }
}

#[async_trait]
impl SourceStore for ModelStore {
    async fn sources(&self) -> Result<Vec<StoredSource>, StoreError> {
        Ok(self.state().sources.values().cloned().collect())
    }

    async fn put_source(&self, source: StoredSource) -> Result<(), StoreError> {
        self.state().sources.insert(source.name.clone(), source);
        Ok(())
    }

    async fn delete_source(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.state().sources.remove(name).is_some())
    }
}

#[async_trait]
impl SubscriptionStore for ModelStore {
    async fn subscriptions(&self) -> Result<Vec<StoredSubscription>, StoreError> {
        Ok(self.state().subscriptions.values().cloned().collect())
    }

    async fn put_subscription(&self, subscription: StoredSubscription) -> Result<(), StoreError> {
        let mut state = self.state();
        state.abandoned.remove(&subscription.id);
        state.subscriptions.insert(subscription.id.clone(), subscription);
        Ok(())
    }

    async fn begin_subscription(
        &self,
        subscription: StoredSubscription,
        start: NewJob,
    ) -> Result<(), StoreError> {
        self.put_subscription(subscription).await?;
        self.state().add_job(start);
        Ok(())
    }

    async fn delete_subscription(&self, id: &str) -> Result<bool, StoreError> {
        self.state().cancel_jobs_of(id, "the subscription is gone", NOW, false);
        Ok(self.state().subscriptions.remove(id).is_some())
    }

    async fn declare(
        &self,
        declared: Vec<DeclaredSubscription>,
    ) -> Result<Vec<RemovedSubscription>, StoreError> {
        let mut state = self.state();
        for one in &declared {
            if let Some(start) = one.start.clone().filter(|_| !state.declared.contains_key(&one.id)) {
                state.add_job(start);
            }
        }
        let now: BTreeMap<_, _> = declared.into_iter().map(|one| (one.id, one.waits)).collect();
        state.abandoned.retain(|id, _| !now.contains_key(id));
        let before = std::mem::replace(&mut state.declared, now);
        let gone = before.into_iter().filter(|(id, _)| !state.declared.contains_key(id));
        let gone: Vec<_> = gone.map(|(id, waits)| RemovedSubscription { id, waits }).collect();
        for removed in &gone {
            state.cancel_jobs_of(&removed.id, "the subscription is gone", NOW, false);
        }
        Ok(gone)
    }

    async fn standings(&self) -> Result<Vec<StoredStanding>, StoreError> {
        Ok(self.state().standings.values().cloned().collect())
    }

    async fn set_standing(&self, standing: StoredStanding) -> Result<(), StoreError> {
        let standings = &mut self.state().standings;
        if standing.standing == Standing::Active && standing.failing.is_none() {
            standings.remove(&standing.subscription);
        } else {
            standings.insert(standing.subscription.clone(), standing);
        }
        Ok(())
    }

    async fn abandon(&self, subscription: &str, reason: &str, now: UnixMillis) -> Result<u64, StoreError> {
        let mut state = self.state();
        state.standings.remove(subscription);
        state.dismiss(subscription);
        state.cancel_jobs_of(subscription, reason, now, true);
        state.abandoned.insert(subscription.to_owned(), reason.to_owned());
        let mut ended = 0;
        for row in state.deliveries.values_mut().filter(|row| row.delivery.subscription == subscription) {
            if row.is_open() {
                (row.delivery.status, row.parked) = (DeliveryStatus::Dead, false);
                (row.delivery.due, row.delivery.ended) = (None, Some(now));
                row.delivery.reason = Some(reason.to_owned());
                ended += 1;
            }
        }
        Ok(ended)
    }
}

struct Keys(Arc<Mutex<State>>);

impl KeyReader for Keys {
    fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.lock().unwrap().keys.get(key).map(|(value, ..)| value.clone()))
    }
}

#[async_trait]
impl KeyStore for ModelStore {
    fn key_reader(&self) -> Result<Arc<dyn KeyReader>, StoreError> {
        Ok(Arc::new(Keys(Arc::clone(&self.state))))
    }

    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<(String, Bytes)>, StoreError> {
        let state = self.state();
        let found = state.keys.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(found.take(limit).map(|(key, (value, ..))| (key.clone(), value.clone())).collect())
    }
}

#[async_trait]
impl RetentionStore for ModelStore {
    async fn expire(&self, before: UnixMillis, _limit: usize) -> Result<usize, StoreError> {
        let mut state = self.state();
        let last = state.awaited().unwrap_or(EventSeq(i64::MAX));
        let owed: BTreeSet<_> = state.deliveries.keys().copied().filter(|id| state.is_owed(*id)).collect();
        let State { events, deliveries, keys, expired, jobs, calls, callbacks, inbox, .. } = &mut *state;
        jobs.retain(|_, job| job.state == JobState::Running || job.ended.is_none_or(|ended| ended >= before));
        let mut gone = calls.len();
        calls
            .retain(|_, call| call.head.due.is_some() || call.head.ended.is_none_or(|ended| ended >= before));
        gone -= calls.len();
        gone += callbacks.len();
        callbacks.retain(|_, one| {
            let end = [one.closed, one.expires].into_iter().flatten().min();
            end.is_none_or(|end| end >= before)
        });
        gone -= callbacks.len();
        // What waited in the inbox of one that is forgotten goes with the next step.
        let waited: BTreeSet<_> = inbox.keys().copied().collect();
        inbox.retain(|_, name| callbacks.contains_key(name));
        deliveries.retain(|id, row| {
            let old = row.lease.is_none()
                && !owed.contains(id)
                && row.delivery.seq <= last
                && row.delivery.ended.is_some_and(|ended| ended < before);
            gone += if old { 1 + row.attempts.len() } else { 0 };
            !old
        });
        let needed: BTreeSet<_> = deliveries.values().map(|row| row.delivery.seq).collect();
        events.retain(|seq, (new, ..)| {
            let old = new.received < before && *seq <= last && !needed.contains(seq) && !waited.contains(seq);
            if old {
                gone += 1;
                *expired = (*expired).max(seq.0);
            }
            !old
        });
        keys.retain(|key, (_, written, seq)| {
            let old = match seq {
                _ if is_lasting(key) => false,
                Some(seq) => !events.contains_key(seq),
                None => *written < before,
            };
            gone += usize::from(old);
            !old
        });
        Ok(gone)
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
}
