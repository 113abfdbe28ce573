//! A model of the store: deliveries, leases with tokens and deadlines, and who ended what.

use super::job::Job;
use crate::delivery::{Leased, Line, Lines, Recorded, Standing, Work, WorkLease};
use crate::policy::Settled;
use crate::request::UnixMillis;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most that one call leases; small, so that there is often more.
const MOST: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Open,
    Final,
}

#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) subscription: u8,
    pub(super) status: Status,
    /// When it falls due, and what the clock said when that was planned.
    due: u64,
    planned: u64,
    created: u64,
    /// What the clock said when it ended the last time.
    pub(super) ended: u64,
    attempts: u32,
    /// Attempts that were recorded, in all.
    made: u32,
    lease: Option<(u64, u64)>,
    /// Those of one lane are made one after another.
    lane: Option<u64>,
    /// Whether it waits for another one of its lane.
    parked: bool,
    /// Whether it was ended and is open again: then later ones may have gone before.
    retried: bool,
}

/// The store.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) deliveries: BTreeMap<i64, Delivery>,
    /// Deliveries that are open.
    open: BTreeSet<i64>,
    next_delivery: [i64; 8],
    next_token: u64,
    lease: Option<u64>,
    /// Deliveries that are attempted, or whose attempt is not recorded yet; as a process leaves them behind that dies.
    under_way: BTreeSet<i64>,
    /// Deliveries that a process which died has leased.
    orphaned: BTreeSet<i64>,
    /// Tokens of leases that ended because their deliveries did, with nothing begun.
    dropped: BTreeSet<u64>,
    /// Tokens that the engine has ended itself, as far as it knows.
    ended: BTreeSet<u64>,
    /// How subscriptions stand.
    pub(super) standings: [Standing; 8],
    /// Since when nothing but failures came back.
    pub(super) failing: [Option<UnixMillis>; 8],
    /// Until when rates were used: of each subscription, and of all together.
    pub(super) rests: [Option<UnixMillis>; 8],
    pub(super) shared_rests: Option<UnixMillis>,
    /// Work on many deliveries.
    pub(super) jobs: Vec<Job>,
}

impl Store {
    pub(super) fn new(lease: Option<Duration>) -> Self {
        let lease = lease.map(|lease| u64::try_from(lease.as_millis()).unwrap());
        Self { lease, ..Self::default() }
    }

    fn deadline(&self, wall: u64) -> u64 {
        self.lease.map_or(u64::MAX, |lease| wall + lease)
    }

    fn take(&mut self, id: i64, wall: u64) -> Work<()> {
        self.next_token += 1;
        self.under_way.remove(&id);
        self.orphaned.remove(&id);
        let (token, deadline) = (self.next_token, self.deadline(wall));
        let delivery = self.deliveries.get_mut(&id).unwrap();
        delivery.lease = Some((token, deadline));
        Work {
            lease: WorkLease { delivery: id, token },
            deadline: UnixMillis(deadline),
            before: delivery.attempts,
            created: UnixMillis(delivery.created),
            bytes: 100,
            payload: (),
        }
    }

    /// A delivery in one of so many lanes, leased to the one who commits it unless it has to wait for another one.
    pub(super) fn commit(&mut self, subscription: u8, wall: u64, lanes: Option<u64>) -> Option<Work<()>> {
        let next = self.numbers(subscription).1 + 1;
        let lane = lanes.map(|lanes| next.unsigned_abs() % lanes);
        let (id, parked) = self.insert(subscription, wall, lane);
        (!parked).then(|| self.take(id, wall))
    }

    /// Before which number the deliveries of a subscription begin, and the last of them.
    pub(super) fn numbers(&self, subscription: u8) -> (i64, i64) {
        // Numbered within its subscription: what neighbours get does not change it.
        let first = i64::from(subscription) * 1_000_000;
        (first, first + self.next_delivery[usize::from(subscription)])
    }

    /// Another delivery of what one was about, in its lane.
    pub(super) fn deliver_again(&mut self, id: i64, wall: u64) {
        let Delivery { subscription, lane, .. } = self.deliveries[&id];
        self.insert(subscription, wall, lane);
    }

    /// A new delivery; says whether it has to wait for another one.
    fn insert(&mut self, subscription: u8, wall: u64, lane: Option<u64>) -> (i64, bool) {
        self.next_delivery[usize::from(subscription)] += 1;
        let id = self.numbers(subscription).1;
        let parked = self.is_taken(subscription, lane);
        let delivery = Delivery {
            lane,
            parked,
            retried: false,
            subscription,
            status: Status::Open,
            due: wall,
            planned: wall,
            created: wall,
            ended: 0,
            attempts: 0,
            made: 0,
            lease: None,
        };
        self.deliveries.insert(id, delivery);
        self.open.insert(id);
        (id, parked)
    }

    /// How many of a subscription are open.
    pub(super) fn open_of(&self, subscription: u8) -> usize {
        self.of(subscription).count()
    }

    /// Whether a delivery of this lane is to be attempted, or is.
    fn is_taken(&self, subscription: u8, lane: Option<u64>) -> bool {
        let mut open = self.of(subscription).map(|id| &self.deliveries[&id]);
        lane.is_some() && open.any(|other| other.lane == lane && !other.parked)
    }

    /// Lets the next one of a lane go, if none is on its way. Says whether there was one.
    fn free_lane(&mut self, subscription: u8, lane: Option<u64>, wall: u64) -> bool {
        if lane.is_none() || self.is_taken(subscription, lane) {
            return false;
        }
        let Some(next) = self.of(subscription).find(|id| self.deliveries[id].lane == lane) else {
            return false;
        };
        let next = self.deliveries.get_mut(&next).unwrap();
        next.parked = false;
        next.planned = next.created.min(wall);
        next.due = next.planned;
        true
    }

    /// Whether a delivery may be attempted beside these, by the order that its lane promises.
    pub(super) fn keeps_order(&self, id: i64, beside: impl Iterator<Item = i64>) -> Result<(), String> {
        let own = &self.deliveries[&id];
        let same = |other: &i64| {
            let other = &self.deliveries[other];
            own.lane.is_some() && other.lane == own.lane && other.subscription == own.subscription
        };
        if let Some(other) = beside.filter(|other| self.open.contains(other)).find(same) {
            return Err(format!("delivery {id} is attempted beside {other} of its lane"));
        }
        let mut before = self.of(own.subscription).take_while(|other| *other < id).filter(same);
        match before.find(|other| !self.deliveries[other].retried) {
            Some(other) => Err(format!("delivery {id} is attempted before {other} of its lane")),
            None => Ok(()),
        }
    }

    /// What a clock planned that has been put back since waits anew.
    pub(super) fn replan(&mut self, wall: u64) {
        for id in &self.open {
            let delivery = self.deliveries.get_mut(id).unwrap();
            if delivery.planned > wall + 1000 {
                delivery.due = wall + delivery.due.saturating_sub(delivery.planned);
                delivery.planned = wall;
            }
        }
    }

    /// When an open delivery can be leased: when it is due, and not before another's lease ends.
    fn available(&mut self, id: i64, wall: u64) -> u64 {
        let delivery = self.deliveries.get_mut(&id).unwrap();
        if delivery.parked {
            return u64::MAX;
        }
        // A lease by a clock that has been put back holds no longer than any other.
        if let (Some(lease), Some((_, deadline))) = (self.lease, &mut delivery.lease) {
            *deadline = (*deadline).min(wall + lease);
        }
        match delivery.lease {
            Some((_, deadline)) => delivery.due.max(deadline),
            None => delivery.due,
        }
    }

    /// The open deliveries of a subscription.
    fn of(&self, subscription: u8) -> impl Iterator<Item = i64> {
        let (first, last) = self.numbers(subscription);
        self.open.range(first..=last).copied()
    }

    /// Whether something of a subscription is free and due.
    pub(super) fn has_due(&mut self, subscription: u8, wall: u64) -> bool {
        let open: Vec<_> = self.of(subscription).collect();
        open.into_iter().any(|id| self.available(id, wall) <= wall)
    }

    pub(super) fn survey(&mut self, wall: u64) -> Vec<(u8, UnixMillis)> {
        let ids: Vec<_> = self.open.iter().copied().collect();
        let mut first = BTreeMap::new();
        for id in ids {
            let available = self.available(id, wall);
            let subscription = self.deliveries[&id].subscription;
            let due = first.entry(subscription).or_insert(u64::MAX);
            *due = available.min(*due);
        }
        first.retain(|_, due| *due != u64::MAX);
        first.into_iter().map(|(subscription, due)| (subscription, UnixMillis(due))).collect()
    }

    /// In which line an open delivery waits.
    pub(super) fn line(&self, id: i64) -> Line {
        if self.deliveries[&id].attempts == 0 { Line::Firsts } else { Line::Retries }
    }

    pub(super) fn lease(&mut self, subscription: u8, wall: u64, limit: Lines<usize>) -> Leased<()> {
        let mut works = Vec::new();
        let [firsts, retries] = Line::BOTH.map(|line| {
            let limit = limit.get(line).min(MOST);
            let ids: Vec<_> = self.of(subscription).filter(|id| self.line(*id) == line).collect();
            let mut open: Vec<_> = ids.into_iter().map(|id| (self.available(id, wall), id)).collect();
            open.sort_unstable();
            let due: Vec<_> =
                open.iter().take_while(|(due, _)| *due <= wall).map(|(_, id)| *id).take(limit).collect();
            works.extend(due.iter().map(|id| self.take(*id, wall)));
            let left = open.get(due.len()).map(|(due, _)| UnixMillis(*due));
            (due.len() < limit).then(|| left.filter(|due| due.0 != u64::MAX))
        });
        Leased { works, next: Lines { firsts, retries } }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, id: i64) {
        self.under_way.insert(id);
    }

    /// Whether an attempt has begun of which the store knows no end.
    pub(super) fn is_under_way(&self, id: i64) -> bool {
        self.under_way.contains(&id)
    }

    /// Whether a delivery of a line waits for its attempt.
    pub(super) fn waits(&self, subscription: u8, line: Line, wall: u64) -> bool {
        self.of(subscription).any(|id| {
            let delivery = &self.deliveries[&id];
            let is_held = self.under_way.contains(&id) || self.orphaned.contains(&id);
            let is_free = !delivery.parked && !is_held;
            is_free && delivery.due <= wall && self.line(id) == line
        })
    }

    fn holds(&self, lease: WorkLease) -> bool {
        self.deliveries
            .get(&lease.delivery)
            .and_then(|delivery| delivery.lease)
            .is_some_and(|(token, _)| token == lease.token)
    }

    fn end(&mut self, lease: WorkLease) -> Result<(), String> {
        if self.ended.insert(lease.token) { Ok(()) } else { Err(format!("{lease:?} was ended twice")) }
    }

    pub(super) fn release(&mut self, lease: WorkLease) -> Result<(), String> {
        self.end(lease)?;
        if self.holds(lease) {
            self.under_way.remove(&lease.delivery);
            self.deliveries.get_mut(&lease.delivery).unwrap().lease = None;
        }
        Ok(())
    }

    pub(super) fn extend(&mut self, lease: WorkLease, wall: u64) -> (WorkLease, Option<UnixMillis>) {
        let deadline = self.deadline(wall);
        if !self.holds(lease) || self.deliveries[&lease.delivery].status == Status::Final {
            return (lease, None);
        }
        self.deliveries.get_mut(&lease.delivery).unwrap().lease = Some((lease.token, deadline));
        (lease, Some(UnixMillis(deadline)))
    }

    /// `is_heard` tells whether the engine gets the answer; if not it comes with the same record again.
    pub(super) fn record(
        &mut self,
        lease: WorkLease,
        settled: Settled,
        planned: u64,
        is_heard: bool,
    ) -> Result<Recorded, String> {
        if is_heard {
            self.end(lease)?;
        }
        if !self.holds(lease) {
            return Ok(Recorded::Stale);
        }
        let is_freed = self.settle(lease.delivery, settled, planned);
        Ok(if is_freed { Recorded::Freed } else { Recorded::Written })
    }

    /// Says whether another one falls due by it.
    fn settle(&mut self, id: i64, settled: Settled, planned: u64) -> bool {
        self.under_way.remove(&id);
        let delivery = self.deliveries.get_mut(&id).unwrap();
        delivery.lease = None;
        delivery.made += 1;
        delivery.attempts += u32::from(settled != Settled::Interrupted);
        match settled {
            Settled::Interrupted => false,
            Settled::Retry(at) => {
                (delivery.due, delivery.planned) = (at.0, planned);
                false
            }
            _ => self.finish(id, planned),
        }
    }

    fn finish(&mut self, id: i64, wall: u64) -> bool {
        let delivery = self.deliveries.get_mut(&id).unwrap();
        (delivery.status, delivery.lease, delivery.parked) = (Status::Final, None, false);
        delivery.ended = wall;
        let (subscription, lane) = (delivery.subscription, delivery.lane);
        self.open.remove(&id);
        self.free_lane(subscription, lane, wall)
    }

    /// Somebody else works off what is free and due.
    pub(super) fn rival(&mut self, wall: u64) {
        let ids: Vec<_> = self.open.iter().copied().collect();
        for id in ids {
            if self.available(id, wall) <= wall {
                self.settle(id, Settled::Delivered, wall);
            }
        }
    }

    /// The open deliveries of a subscription end with it.
    pub(super) fn abandon(&mut self, subscription: u8, wall: u64) {
        for id in self.of(subscription).collect::<Vec<_>>() {
            self.finish(id, wall);
        }
        self.cancel_jobs(subscription);
    }

    /// The oldest open deliveries of a subscription end, those aside that are being attempted. Their leases end with them.
    /// Says whether others fall due by it.
    pub(super) fn drop_oldest(&mut self, subscription: u8, count: usize, wall: u64) -> bool {
        let is_free = |id: &i64| !self.under_way.contains(id) && !self.orphaned.contains(id);
        let dropped: Vec<_> = self.of(subscription).filter(is_free).take(count).collect();
        let mut is_freed = false;
        for id in dropped {
            self.dropped.extend(self.deliveries[&id].lease.map(|(token, _)| token));
            is_freed |= self.finish(id, wall);
        }
        is_freed
    }

    /// Whether a lease ended with its delivery before anything was begun under it.
    pub(super) fn was_dropped(&self, lease: WorkLease) -> bool {
        self.dropped.contains(&lease.token)
    }

    /// Ended deliveries are due again.
    pub(super) fn retry(&mut self, subscription: u8, wall: u64) {
        let ended =
            |delivery: &&Delivery| delivery.subscription == subscription && delivery.status == Status::Final;
        let ids: Vec<_> =
            self.deliveries.iter().filter(|(_, delivery)| ended(delivery)).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.reopen(id, wall));
    }

    /// One that has ended is due again.
    pub(super) fn reopen(&mut self, id: i64, wall: u64) {
        let Delivery { subscription, lane, .. } = self.deliveries[&id];
        let parked = self.is_taken(subscription, lane);
        let delivery = self.deliveries.get_mut(&id).unwrap();
        (delivery.due, delivery.planned) = (wall, wall);
        (delivery.status, delivery.attempts) = (Status::Open, 0);
        (delivery.parked, delivery.retried) = (parked, true);
        self.open.insert(id);
    }

    /// The process is gone: leases that do not end by themselves end with it. The attempts that were under way are found and
    /// recorded by the next one.
    pub(super) fn crash(&mut self) {
        for id in std::mem::take(&mut self.under_way) {
            self.deliveries.get_mut(&id).unwrap().made += 1;
        }
        for (id, delivery) in &mut self.deliveries {
            if self.lease.is_none() {
                delivery.lease = None;
            } else if delivery.lease.is_some() {
                self.orphaned.insert(*id);
            }
        }
        self.ended.clear();
    }

    /// How many attempts of each delivery were recorded.
    pub(super) fn made(&self) -> impl Iterator<Item = (i64, u32)> {
        self.deliveries.iter().map(|(id, delivery)| (*id, delivery.made))
    }

    pub(super) fn status(&self, id: i64) -> Status {
        self.deliveries[&id].status
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }
}
