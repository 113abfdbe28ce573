//! Which deliveries are open: counted once when the store opens, then kept.
//!
//! By subscription for whoever watches, and by stretches of their numbers so that the open ones are found among millions
//! of others without an index that every delivery would go into and out of.

use super::lane::PARKED;
use super::open_range::OpenRanges;
use crate::store::DeliveryId;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many bits of a delivery's number tell its place in its stretch. A listing of open ones reads a stretch for each in
/// the worst case, and ten million deliveries have 40 000 of them.
const STRETCH_BITS: u32 = 8;

/// One delivery that was opened or ended.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) subscription: Arc<str>,
    pub(super) delivery: DeliveryId,
    /// One more or one less.
    pub(super) by: i64,
}

/// The open deliveries.
#[derive(Debug)]
pub(super) struct Backlog {
    counts: Mutex<Counts>,
    /// Hashes of the ordering keys that have deliveries which were given up; some may have none any more.
    given_up: Mutex<HashSet<u64>>,
    /// Hashes of the subscriptions with the ordering keys of which deliveries may be outlived: some were given up, or wait though
    /// they were made due again.
    outlivable: Mutex<HashSet<u64>>,
}

#[derive(Debug, Default)]
struct Counts {
    subscriptions: HashMap<Arc<str>, Open>,
    stretches: BTreeMap<i64, i64>,
}

/// The open deliveries of one subscription.
#[derive(Debug, Default)]
struct Open {
    count: i64,
    ranges: OpenRanges,
}

impl Open {
    fn count(&self) -> u64 {
        u64::try_from(self.count).unwrap_or(0)
    }
}

impl Backlog {
    /// Counts what is in the file.
    pub(super) fn count(connection: &Connection) -> rusqlite::Result<Self> {
        let (mut given_up, mut outlivable) = (HashSet::new(), HashSet::new());
        let dead = "SELECT lane, subscription FROM deliveries WHERE status = 'dead' AND lane IS NOT NULL";
        for_each_lane(connection, dead, |lane, subscription| {
            given_up.insert(hash(lane));
            outlivable.insert(hash((subscription, lane)));
        })?;
        let parked =
            format!("SELECT lane, subscription FROM deliveries WHERE lane IS NOT NULL AND due = {PARKED}");
        for_each_lane(connection, &parked, |lane, subscription| {
            outlivable.insert(hash((subscription, lane)));
        })?;
        let counts = Mutex::new(Counts::read(connection)?);
        Ok(Self { counts, given_up: Mutex::new(given_up), outlivable: Mutex::new(outlivable) })
    }

    /// Counts anew, when it is not known how far a transaction got.
    pub(super) fn recount(&self, connection: &Connection) -> rusqlite::Result<()> {
        *self.counts() = Counts::read(connection)?;
        Ok(())
    }

    /// Applies what a committed transaction changed.
    pub(super) fn apply(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut counts = self.counts();
        for change in changes {
            counts.apply(change);
        }
    }

    /// The counts now, ordered by subscription.
    pub(super) fn list(&self) -> Vec<(String, u64)> {
        let mut list: Vec<_> = self
            .counts()
            .subscriptions
            .iter()
            .map(|(subscription, open)| (subscription.to_string(), open.count()))
            .collect();
        list.sort_unstable();
        list
    }

    /// How many a subscription has.
    pub(super) fn of(&self, subscription: &str) -> u64 {
        self.counts().subscriptions.get(subscription).map_or(0, Open::count)
    }

    /// How many a subscription has, and a number before which none of them stands.
    pub(super) fn begin_of(&self, subscription: &str) -> Option<(u64, i64)> {
        let counts = self.counts();
        let open = counts.subscriptions.get(subscription)?;
        Some((open.count(), open.ranges.first()?))
    }

    /// The subscriptions that have some.
    pub(super) fn subscriptions(&self) -> Vec<Arc<str>> {
        self.counts().subscriptions.keys().cloned().collect()
    }

    /// The greatest stretch of numbers from `from` to `to` with open deliveries, cut to that range.
    pub(super) fn newest_stretch(&self, from: i64, to: i64) -> Option<(i64, i64)> {
        if from > to {
            return None;
        }
        let counts = self.counts();
        let (stretch, _) = counts.stretches.range(from >> STRETCH_BITS..=to >> STRETCH_BITS).next_back()?;
        let begin = stretch << STRETCH_BITS;
        Some((begin.max(from), (begin + (1 << STRETCH_BITS) - 1).min(to)))
    }

    /// The least stretch of numbers with open deliveries.
    pub(super) fn oldest_stretch(&self) -> Option<(i64, i64)> {
        let begin = self.counts().stretches.first_key_value()?.0 << STRETCH_BITS;
        Some((begin, begin + (1 << STRETCH_BITS) - 1))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a delivery with this ordering key was given up, or is about to be.
    pub(super) fn give_up(&self, subscription: &str, lane: &str) {
        self.look_again(lane);
        self.may_outlive(subscription, lane);
    }

    /// Notes that deliveries with this ordering key that were given up are to be looked for again.
    pub(super) fn look_again(&self, lane: &str) {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).insert(hash(lane));
    }

    /// Notes that a delivery of a subscription with this ordering key may be outlived by one that is of a later event.
    pub(super) fn may_outlive(&self, subscription: &str, lane: &str) {
        self.outlivable().insert(hash((subscription, lane)));
    }

    /// Whether one may be.
    pub(super) fn is_outlivable(&self, subscription: &str, lane: &str) -> bool {
        let outlivable = self.outlivable();
        !outlivable.is_empty() && outlivable.contains(&hash((subscription, lane)))
    }

    /// None is.
    pub(super) fn none_is_outlivable(&self, subscription: &str, lane: &str) {
        self.outlivable().remove(&hash((subscription, lane)));
    }

    fn outlivable(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.outlivable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one may have been; from now on it is as if none had.
    pub(super) fn take_given_up(&self, lane: &str) -> bool {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(lane))
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Calls for each row of ordering key and subscription.
fn for_each_lane(
    connection: &Connection,
    sql: &str,
    mut each: impl FnMut(&str, &str),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        each(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
    }
    Ok(())
}

impl Counts {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut counts = Self::default();
        // The order of the index: the rows of one subscription follow each other.
        let mut statement = connection
            .prepare("SELECT subscription, id FROM deliveries WHERE due IS NOT NULL ORDER BY subscription")?;
        let mut rows = statement.query(())?;
        let mut name: Arc<str> = "".into();
        // Those of one subscription by stretch, each with its least number: ranges are made in the order of numbers.
        let mut open: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let subscription = row.get_ref(0)?.as_str()?;
            if *subscription != *name {
                counts.add(&name, std::mem::take(&mut open));
                name = subscription.into();
            }
            let id: i64 = row.get(1)?;
            let (first, count) = open.entry(id >> STRETCH_BITS).or_insert((id, 0));
            *first = id.min(*first);
            *count += 1;
        }
        counts.add(&name, open);
        Ok(counts)
    }

    /// Adds what a subscription has open.
    fn add(&mut self, subscription: &Arc<str>, stretches: BTreeMap<i64, (i64, i64)>) {
        if stretches.is_empty() {
            return;
        }
        let open = self.subscriptions.entry(Arc::clone(subscription)).or_default();
        for (stretch, (first, count)) in stretches {
            open.count += count;
            open.ranges.open_many(first, count);
            *self.stretches.entry(stretch).or_default() += count;
        }
    }

    fn apply(&mut self, Change { subscription, delivery, by }: Change) {
        let open = self.subscriptions.entry(Arc::clone(&subscription)).or_default();
        open.count += by;
        if by > 0 {
            open.ranges.open(delivery.0);
        } else {
            open.ranges.end(delivery.0);
        }
        if open.count == 0 {
            self.subscriptions.remove(&subscription);
        }
        let stretch = delivery.0 >> STRETCH_BITS;
        let count = self.stretches.entry(stretch).or_default();
        *count += by;
        if *count == 0 {
            self.stretches.remove(&stretch);
        }
    }
}
