//! How much may be open for each subscription, and what a full backlog has no room for.

use super::batch::Batch;
use crate::store::{DeliveryId, OverflowCounts, dropped, refused};
use anglerfish_core::config::{BacklogConfig, Overflow};
use anglerfish_core::request::UnixMillis;
use rusqlite::params;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many deliveries one new one can push out: more than one where the bound was lowered, and no more than takes the
/// writer a moment.
const MOST_DROPPED: u64 = 64;

/// A full backlog is told of no more often than this.
const SILENCE: Duration = Duration::from_secs(60);

/// The bounds of those subscriptions that have one.
pub(super) type BoundMap = Arc<HashMap<String, BacklogConfig>>;

/// Bounds, and what came of them. They are not written down.
#[derive(Debug, Default)]
pub(super) struct Bounds(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bounds: BoundMap,
    counts: BTreeMap<String, OverflowCounts>,
    told: HashMap<String, Instant>,
}

impl Bounds {
    /// Bounds a subscription's backlog from now on, or does so no more.
    pub(super) fn set(&self, subscription: &str, bound: Option<BacklogConfig>) {
        let mut state = self.state();
        if state.bounds.get(subscription).copied() == bound {
            return;
        }
        let bounds = Arc::make_mut(&mut state.bounds);
        match bound {
            Some(bound) => bounds.insert(subscription.to_owned(), bound),
            None => bounds.remove(subscription),
        };
    }

    /// All of them, as they are now.
    pub(super) fn now(&self) -> BoundMap {
        Arc::clone(&self.state().bounds)
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
            let max = state.bounds.get(&subscription).map(|bound| bound.max);
            let counts = state.counts.entry(subscription.clone()).or_default();
            let count = match overflow {
                Overflow::Refuse => &mut counts.refused,
                Overflow::DropOldest => &mut counts.dropped,
                Overflow::PushBack => &mut counts.pushed_back,
            };
            *count += 1;
            let count = *count;
            let now = Instant::now();
            if state.told.get(&subscription).is_none_or(|told| now.duration_since(*told) >= SILENCE) {
                let full = overflow.word();
                tracing::warn!(subscription, max, full, count, "the backlog is full");
                state.told.insert(subscription, now);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch<'_, '_> {
    /// The subscription among these, if there is one, whose full backlog turns a commit away.
    pub(super) fn turned_away<'a>(
        &mut self,
        mut subscriptions: impl Iterator<Item = &'a String>,
    ) -> Option<String> {
        if self.bounds.is_empty() {
            return None;
        }
        let full = subscriptions.find(|subscription| {
            let bound = self.bounds.get(subscription.as_str());
            bound
                .is_some_and(|bound| bound.full == Overflow::PushBack && self.open(subscription) >= bound.max)
        })?;
        self.overflows.push((full.clone(), Overflow::PushBack));
        Some(full.clone())
    }

    /// Makes room for a new delivery of a subscription; says why there is none.
    pub(super) fn make_room(
        &mut self,
        subscription: &str,
        newer: DeliveryId,
        now: i64,
    ) -> rusqlite::Result<Option<String>> {
        let Some(bound) = self.bounds.get(subscription).copied() else { return Ok(None) };
        let open = self.open(subscription);
        // Whoever is turned away is so before: a request that found room is taken as a whole.
        if open < bound.max || bound.full == Overflow::PushBack {
            return Ok(None);
        }
        if bound.full == Overflow::DropOldest {
            let surplus = (open - bound.max + 1).min(MOST_DROPPED);
            if self.drop_oldest(subscription, surplus, &dropped(bound.max, newer), now)? > 0 {
                return Ok(None);
            }
        }
        self.overflows.push((subscription.to_owned(), Overflow::Refuse));
        Ok(Some(refused(bound.max)))
    }

    /// Ends those that have been due for longest, but for those that somebody works on. Says how many there were.
    fn drop_oldest(
        &mut self,
        subscription: &str,
        most: u64,
        reason: &str,
        now: i64,
    ) -> rusqlite::Result<usize> {
        let mut chosen = Vec::new();
        let mut statement = self.connection.prepare_cached(
            "SELECT id, lane FROM deliveries WHERE subscription = ?1 AND due IS NOT NULL ORDER BY due, id",
        )?;
        let mut rows = statement.query([subscription])?;
        let clock = UnixMillis(u64::try_from(now).unwrap_or_default());
        while let Some(row) = rows.next()? {
            let id = DeliveryId(row.get(0)?);
            if self.leases.holds(id, clock) {
                continue;
            }
            chosen.push((id, row.get::<_, Option<String>>(1)?));
            if chosen.len() as u64 == most {
                break;
            }
        }
        drop(rows);
        let mut end = self.connection.prepare_cached(
            "UPDATE deliveries SET status = 'dead', due = NULL, planned = NULL, reason = ?2, \
             ended_after = max(?3 - created, 0) WHERE id = ?1",
        )?;
        for (id, lane) in &chosen {
            end.execute(params![id.0, reason, now])?;
            self.count(subscription, *id, -1);
            if let Some(lane) = lane {
                self.free_lane(subscription, lane, now)?;
            }
            self.overflows.push((subscription.to_owned(), Overflow::DropOldest));
        }
        Ok(chosen.len())
    }
}
