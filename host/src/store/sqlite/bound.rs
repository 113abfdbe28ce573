//! How much may be open for each subscription, and what a full backlog has no room for.

use super::batch::Batch;
use super::bulk;
use crate::store::{DeliveryId, EventSeq, JobWork, Limit, NewJob, OverflowCounts, dropped, refused};
use anglerfish_core::config::{BacklogConfig, Overflow};
use anglerfish_core::request::UnixMillis;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many deliveries one new one can push out: more than one where the bound was lowered, and no more than takes the
/// writer a moment.
const MOST_DROPPED: u64 = 64;

/// How many one new one with much data can push out.
const MOST_DROPPED_FOR_BYTES: usize = 4096;

/// A full backlog is told of no more often than this.
const SILENCE: Duration = Duration::from_secs(60);

/// The bounds of those subscriptions that have one.
type BoundMap = Arc<HashMap<String, BacklogConfig>>;

/// The bounds as they were at one moment, with what was known of how many bytes are open.
#[derive(Debug, Clone, Default)]
pub(super) struct BoundSnapshot {
    bounds: BoundMap,
    /// The subscriptions for which events stay in the log.
    behind: Arc<HashSet<String>>,
    bytes: Arc<HashMap<Arc<str>, i64>>,
    /// Which of the bounds' generations these are.
    generation: u64,
}

impl BoundSnapshot {
    /// The bound of a subscription.
    pub(super) fn of(&self, subscription: &str) -> Option<BacklogConfig> {
        self.bounds.get(subscription).copied()
    }

    /// How many more a subscription may have open that has so many; of one that is bounded by bytes one after another.
    pub(super) fn room(&self, subscription: &str, open: u64) -> usize {
        if self.behind.contains(subscription) {
            return 0;
        }
        let Some(BacklogConfig { max, bytes, .. }) = self.of(subscription) else { return usize::MAX };
        let by_count = max.map_or(u64::MAX, |max| max.saturating_sub(open));
        let by_bytes = if bytes.is_some() { 1_u64.saturating_sub(open) } else { u64::MAX };
        usize::try_from(by_count.min(by_bytes)).unwrap_or(usize::MAX)
    }

    /// How many bytes of data it has open, if that is known.
    pub(super) fn bytes_of(&self, subscription: &str) -> Option<i64> {
        self.bytes.get(subscription).copied()
    }
}

/// Bounds, and what came of them. They are not written down; for whom events stay in the log is.
#[derive(Debug, Default)]
pub(super) struct Bounds(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    now: BoundSnapshot,
    counts: BTreeMap<String, OverflowCounts>,
    told: HashMap<String, Instant>,
}

impl Bounds {
    /// Without any bound yet; with those for whom events stay in the log.
    pub(super) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let bounds = Self::default();
        bounds.read_anew(connection)?;
        Ok(bounds)
    }

    /// Bounds a subscription's backlog from now on, or does so no more.
    pub(super) fn set(&self, subscription: &str, bound: Option<BacklogConfig>) {
        let mut state = self.state();
        let before = state.now.of(subscription);
        if before == bound {
            return;
        }
        let bounds = Arc::make_mut(&mut state.now.bounds);
        match bound {
            Some(bound) => bounds.insert(subscription.to_owned(), bound),
            None => bounds.remove(subscription),
        };
        if before.and_then(|bound| bound.bytes).is_some() != bound.and_then(|bound| bound.bytes).is_some() {
            // A transaction under way may have counted for it, or not: what it brings home does not count.
            state.now.generation += 1;
            Arc::make_mut(&mut state.now.bytes).remove(subscription);
        }
    }

    /// All of them, as they are now.
    pub(super) fn now(&self) -> BoundSnapshot {
        self.state().now.clone()
    }

    /// Keeps how many bytes are open once a transaction is committed.
    pub(super) fn keep(&self, (counted, bytes): (BoundSnapshot, HashMap<Arc<str>, i64>)) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.state();
        // The snapshots are let go of first, so that nothing is copied.
        let generation = counted.generation;
        drop(counted);
        if state.now.generation == generation {
            Arc::make_mut(&mut state.now.bytes).extend(bytes);
        } else {
            state.now.bytes = Arc::default();
        }
    }

    /// Keeps for whom events stay in the log once a transaction is committed; says whether somebody is new among them.
    pub(super) fn hold(&self, behind: HashMap<String, bool>) -> bool {
        if behind.is_empty() {
            return false;
        }
        let mut state = self.state();
        let known = Arc::make_mut(&mut state.now.behind);
        let mut is_new = false;
        for (subscription, is_behind) in behind {
            match is_behind {
                true => is_new |= known.insert(subscription),
                false => drop(known.remove(&subscription)),
            }
        }
        is_new
    }

    /// Reads what is written down, and forgets how many bytes are open: it is not known how far a transaction got.
    pub(super) fn read_anew(&self, connection: &Connection) -> rusqlite::Result<()> {
        let behind = bulk::behind(connection)?.into_iter().collect();
        let mut state = self.state();
        state.now.behind = Arc::new(behind);
        state.now.bytes = Arc::default();
        Ok(())
    }

    /// What came of them so far.
    pub(super) fn list(&self) -> Vec<(String, OverflowCounts)> {
        self.state().counts.iter().map(|(name, counts)| (name.clone(), *counts)).collect()
    }

    /// Counts what a committed transaction had no room for, and tells of it now and then.
    pub(super) fn apply(&self, overflows: Vec<(String, Overflow)>) {
        if overflows.is_empty() {
            return;
        }
        let mut state = self.state();
        for (subscription, overflow) in overflows {
            let bound = state.now.of(&subscription);
            let counts = state.counts.entry(subscription.clone()).or_default();
            let count = match overflow {
                Overflow::Refuse => &mut counts.refused,
                Overflow::DropOldest => &mut counts.dropped,
                Overflow::Pause => &mut counts.held,
            };
            *count += 1;
            let count = *count;
            let now = Instant::now();
            if state.told.get(&subscription).is_none_or(|told| now.duration_since(*told) >= SILENCE) {
                let full = overflow.word();
                let (max, bytes) = (bound.and_then(|bound| bound.max), bound.and_then(|bound| bound.bytes));
                tracing::warn!(subscription, max, bytes, full, count, "the backlog is full");
                state.told.insert(subscription, now);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By how much a new delivery is too much.
#[derive(Debug, Clone, Copy)]
struct Surplus {
    limit: Limit,
    /// How many have to end for it.
    deliveries: u64,
    /// How many bytes have to go for it.
    bytes: u64,
}

impl Batch<'_, '_> {
    /// By how much a new delivery with so many bytes is too much, if it is.
    fn surplus(
        &mut self,
        subscription: &str,
        bound: BacklogConfig,
        size: u64,
    ) -> rusqlite::Result<Option<Surplus>> {
        let mut surplus = None;
        let deliveries = bound.max.map_or(0, |max| (self.open(subscription) + 1).saturating_sub(max));
        if let Some(max) = bound.max.filter(|_| deliveries > 0) {
            surplus = Some(Surplus { limit: Limit::Deliveries(max), deliveries, bytes: 0 });
        }
        if let Some(most) = bound.bytes {
            let open = self.open_bytes(subscription)?;
            // What does not fit by itself goes once nothing else is there.
            let bytes = (open + size).saturating_sub(most).min(open);
            if bytes > 0 {
                let limit = surplus.map_or(Limit::Bytes(most), |known: Surplus| known.limit);
                surplus = Some(Surplus { limit, deliveries, bytes });
            }
        }
        Ok(surplus)
    }

    /// Whether a delivery of an event would find room, whatever is done where there is none.
    pub(super) fn has_room(&mut self, subscription: &str, seq: EventSeq) -> rusqlite::Result<bool> {
        let Some(bound) = self.bounds.of(subscription) else { return Ok(true) };
        let size = self.size_of(bound, seq)?;
        Ok(self.surplus(subscription, bound, size)?.is_none())
    }

    /// How much data an event has, where that matters.
    fn size_of(&self, bound: BacklogConfig, seq: EventSeq) -> rusqlite::Result<u64> {
        if bound.bytes.is_none() {
            return Ok(0);
        }
        let sql = "SELECT length(data) FROM events WHERE seq = ?1";
        self.connection.prepare_cached(sql)?.query_row([seq.0], |row| row.get(0))
    }

    /// Whether a new event stays in the log for a subscription: its backlog is full, or there is something in the log already
    /// that goes first.
    pub(super) fn holds_back(
        &mut self,
        subscription: &str,
        seq: EventSeq,
        now: i64,
    ) -> rusqlite::Result<bool> {
        if !self.is_catching_up(subscription) {
            let bound = self.bounds.of(subscription).filter(|bound| bound.full == Overflow::Pause);
            let Some(bound) = bound else { return Ok(false) };
            let size = self.size_of(bound, seq)?;
            if self.surplus(subscription, bound, size)?.is_none() {
                return Ok(false);
            }
            let work = JobWork::CatchUp { subscription: subscription.to_owned() };
            let created = UnixMillis(u64::try_from(now).unwrap_or_default());
            let job = NewJob { work, after: seq.0 - 1, last: None, follows: true, created };
            bulk::insert(self, &job)?;
            self.behind.insert(subscription.to_owned(), true);
        }
        self.overflows.push((subscription.to_owned(), Overflow::Pause));
        Ok(true)
    }

    /// Whether events stay in the log for a subscription, with what this transaction has changed.
    fn is_catching_up(&self, subscription: &str) -> bool {
        let changed = self.behind.get(subscription).copied();
        changed.unwrap_or_else(|| self.bounds.behind.contains(subscription))
    }

    /// Nothing is in the log any more that a subscription is to be given.
    pub(super) fn has_caught_up(&mut self, subscription: &str) {
        if self.is_catching_up(subscription) {
            self.behind.insert(subscription.to_owned(), false);
        }
    }

    /// Makes room for a new delivery of a subscription; says why there is none.
    pub(super) fn make_room(
        &mut self,
        subscription: &str,
        seq: EventSeq,
        newer: DeliveryId,
        now: i64,
    ) -> rusqlite::Result<Option<String>> {
        let Some(bound) = self.bounds.of(subscription) else { return Ok(None) };
        // Where there was none, the event has stayed in the log.
        if bound.full == Overflow::Pause {
            return Ok(None);
        }
        let size = self.size_of(bound, seq)?;
        let Some(surplus) = self.surplus(subscription, bound, size)? else { return Ok(None) };
        if bound.full == Overflow::DropOldest
            && self.drop_oldest(subscription, surplus, &dropped(surplus.limit, newer), now)?
        {
            return Ok(None);
        }
        self.overflows.push((subscription.to_owned(), Overflow::Refuse));
        Ok(Some(refused(surplus.limit)))
    }

    /// Ends the oldest, by their places in the log, but for those that somebody works on. Says whether there is room now; if
    /// there cannot be, none was ended.
    fn drop_oldest(
        &mut self,
        subscription: &str,
        surplus: Surplus,
        reason: &str,
        now: i64,
    ) -> rusqlite::Result<bool> {
        let mut chosen = Vec::new();
        let mut freed = 0;
        // Nobody looks up sizes that do not matter.
        let size = if surplus.bytes > 0 { "length(e.data)" } else { "0" };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT d.lane, {size} FROM deliveries d JOIN events e ON e.seq = d.seq \
             WHERE d.id = ?1 AND d.subscription = ?2 AND d.due IS NOT NULL"
        ))?;
        let clock = UnixMillis(u64::try_from(now).unwrap_or_default());
        let enough = |chosen: usize, freed: u64| {
            chosen as u64 >= surplus.deliveries.min(MOST_DROPPED) && freed >= surplus.bytes
        };
        let mut oldest = self.oldest.take(subscription);
        let (mut held, mut last) = (VecDeque::new(), 0);
        while !enough(chosen.len(), freed) && chosen.len() < MOST_DROPPED_FOR_BYTES {
            if oldest.is_empty() {
                oldest = self.find_oldest(subscription, last)?;
            }
            let Some(id) = oldest.pop_front() else { break };
            last = id;
            let found = statement.query_row(params![id, subscription], |row| Ok((row.get(0)?, row.get(1)?)));
            let Some((lane, size)) = found.optional()? else { continue };
            if !self.leases.give_way(DeliveryId(id), clock) {
                held.push_back(id);
                continue;
            }
            let size: u64 = size;
            freed += size;
            let lane: Option<String> = lane;
            chosen.push((DeliveryId(id), lane));
        }
        drop(statement);
        let is_enough = !chosen.is_empty() && freed >= surplus.bytes;
        if !is_enough {
            held.extend(chosen.iter().map(|(id, _)| id.0));
            held.make_contiguous().sort_unstable();
        }
        held.append(&mut oldest);
        self.oldest.keep(subscription, held);
        // A bound that was lowered by far is come to step by step.
        if !is_enough {
            return Ok(false);
        }
        let mut end = self.connection.prepare_cached(
            "UPDATE deliveries SET status = 'dead', due = NULL, planned = NULL, reason = ?2, \
             ended_after = max(?3 - created, 0) WHERE id = ?1",
        )?;
        for (id, lane) in &chosen {
            end.execute(params![id.0, reason, now])?;
            self.count(subscription, *id, -1)?;
            if let Some(lane) = lane {
                self.backlog.give_up(subscription, lane);
                let is_freed = self.free_lane(subscription, lane, now)?;
                if is_freed && self.freed.last().is_none_or(|last| last != subscription) {
                    self.freed.push(subscription.to_owned());
                }
            }
            self.overflows.push((subscription.to_owned(), Overflow::DropOldest));
        }
        Ok(true)
    }
}
