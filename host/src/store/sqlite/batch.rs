//! One transaction of the writer.

use super::backlog::{Backlog, Change};
use super::bound::BoundSnapshot;
use super::lane::PARKED;
use super::lease::{LeaseGuard, Leases};
use super::oldest_open::OldestOpen;
use super::segment::Segment;
use crate::store::{DeliveryId, EventSeq, Lease, LeaseTerms};
use anglerfish_core::config::Overflow;
use rusqlite::{Connection, OptionalExtension, Statement, params};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How much data a delivery has.
const SIZE: &str = "SELECT length(e.data) FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.id = ?1";

/// How much data the open deliveries of a subscription have together: as many look-ups as there are.
const SIZES: &str = "SELECT coalesce(sum(length(e.data)), 0) FROM deliveries d JOIN events e ON e.seq = d.seq \
     WHERE d.subscription = ?1 AND d.due IS NOT NULL";

/// The statements of every transaction, prepared once.
pub(super) struct Statements<'c> {
    pub(super) begin: Statement<'c>,
    pub(super) commit: Statement<'c>,
    pub(super) rollback: Statement<'c>,
    pub(super) put_segment: Statement<'c>,
    pub(super) read_key: Statement<'c>,
    pub(super) insert_key: Statement<'c>,
    pub(super) put_key: Statement<'c>,
    pub(super) delete_key: Statement<'c>,
    pub(super) insert_event: Statement<'c>,
    pub(super) insert_delivery: Statement<'c>,
    pub(super) read_abandoned: Statement<'c>,
    pub(super) read_delivery: Statement<'c>,
    pub(super) settle_delivery: Statement<'c>,
    pub(super) insert_attempt: Statement<'c>,
}

impl<'c> Statements<'c> {
    /// Prepares them.
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            // The lock is taken at once: a transaction that reads first could find it taken half-way.
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            rollback: prepare("ROLLBACK")?,
            put_segment: prepare(Segment::PUT)?,
            read_key: prepare("SELECT value FROM keys WHERE key = ?1")?,
            insert_key: prepare(
                "INSERT INTO keys (key, value, written, seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?,
            put_key: prepare(
                "INSERT INTO keys (key, value, written, seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) \
                 DO UPDATE SET value = excluded.value, written = excluded.written, seq = excluded.seq",
            )?,
            delete_key: prepare("DELETE FROM keys WHERE key = ?1")?,
            insert_event: prepare(
                "INSERT INTO events (seq, id, source, type, subject, time, datacontenttype, received, details, \
                 keys, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
            )?,
            insert_delivery: prepare(
                "INSERT INTO deliveries (id, seq, subscription, status, due, attempts, tries, created, reason, \
                 ended_after, lane, outlived) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?7, ?8, ?9, ?10)",
            )?,
            read_abandoned: prepare("SELECT reason FROM abandoned WHERE subscription = ?1")?,
            read_delivery: prepare(
                "SELECT subscription, status, attempts, reason, created, ended_after, lane, due, planned, seq \
                 FROM deliveries WHERE id = ?1",
            )?,
            settle_delivery: prepare(
                "UPDATE deliveries SET status = ?2, due = ?3, planned = ?4, ended_after = ?5, \
                 attempts = attempts + 1, tries = tries + ?7, reason = ?6 WHERE id = ?1",
            )?,
            insert_attempt: prepare(
                "INSERT INTO attempts (delivery, number, started, duration_us, status, error, answer) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
        })
    }
}

/// Subscriptions' names, each allocated once.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

/// Why deliveries are made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Making<'a> {
    /// Their event is new; these of their subscriptions ask for an order, each with its key.
    New(&'a [(String, String)]),
    /// By hand, of an event that is in the log: in the order that it had, and beside what a bound allows.
    Again,
    /// By a job that has looked for room.
    Bulk {
        /// The ordering key that was decided anew; without one it is in the order that the event had.
        lane: Option<&'a Option<String>>,
        /// Whether the event had deliveries before, as far as that is known.
        again: bool,
    },
}

impl Making<'_> {
    /// Whether what is made goes back behind what was settled already.
    fn goes_back(self) -> bool {
        matches!(self, Self::Again | Self::Bulk { again: true, .. })
    }
}

/// A delivery that was made and is open.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) id: DeliveryId,
    pub(super) subscription: Arc<str>,
    /// Whether it waits for another one of its lane.
    pub(super) is_parked: bool,
}

/// One transaction, and what is to happen in memory once it is committed.
pub(super) struct Batch<'b, 'c> {
    pub(super) connection: &'c Connection,
    pub(super) statements: &'b mut Statements<'c>,
    pub(super) leases: &'b Arc<Leases>,
    /// Whether the transaction before this one failed.
    pub(super) doubtful: bool,
    /// How much may be open for whom.
    pub(super) bounds: BoundSnapshot,
    /// What there was no room for.
    pub(super) overflows: Vec<(String, Overflow)>,
    /// Of which subscriptions deliveries became due because others were dropped; for the next commit to tell.
    pub(super) freed: Vec<String>,
    pub(super) backlog: &'b Backlog,
    /// For which subscriptions events stay in the log from now on, or do so no more.
    pub(super) behind: HashMap<String, bool>,
    /// How many more are open than the backlog says, of those that have a bound.
    opened: HashMap<Arc<str>, i64>,
    /// How many bytes of data are open, of those that have a bound by that and were asked about.
    bytes: HashMap<Arc<str>, i64>,
    names: &'b mut Names,
    pub(super) oldest: &'b mut OldestOpen,
    is_committed: bool,
    before: Segment,
    segment: Segment,
    settled: Vec<Lease>,
    changes: Vec<Change>,
}

impl<'b, 'c> Batch<'b, 'c> {
    pub(super) fn new(
        connection: &'c Connection,
        statements: &'b mut Statements<'c>,
        leases: &'b Arc<Leases>,
        (backlog, bounds): (&'b Backlog, BoundSnapshot),
        (names, oldest): (&'b mut Names, &'b mut OldestOpen),
        segment: Segment,
        doubtful: bool,
    ) -> Self {
        Self {
            connection,
            statements,
            leases,
            doubtful,
            bounds,
            overflows: Vec::new(),
            freed: Vec::new(),
            backlog,
            behind: HashMap::new(),
            opened: HashMap::new(),
            bytes: HashMap::new(),
            names,
            oldest,
            is_committed: false,
            before: segment,
            segment,
            settled: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// The position of the next event. It counts only after [`Self::use_event`].
    pub(super) fn next_event(&self) -> EventSeq {
        EventSeq(self.segment.event + 1)
    }

    /// The delivery that was made last.
    pub(super) fn last_delivery(&self) -> DeliveryId {
        DeliveryId(self.segment.delivery)
    }

    /// Marks the next event's position as used, by one that was received then.
    pub(super) fn use_event(&mut self, received: i64) {
        self.segment.add_event(received);
    }

    /// Gives the last events' positions back, because their rows were taken out again.
    pub(super) fn return_events(&mut self, count: usize) {
        self.segment.event -= i64::try_from(count).unwrap_or(i64::MAX);
    }

    /// Makes deliveries of an event, due at once; returns them. Those for a subscription that is gone, and those that its
    /// full backlog has no room for, are dead from the start and not returned. Where the event stays in the log until there
    /// is room, none is made.
    pub(super) fn insert_deliveries(
        &mut self,
        seq: EventSeq,
        subscriptions: &[String],
        now: i64,
        making: Making<'_>,
    ) -> rusqlite::Result<Vec<Made>> {
        let mut made = Vec::with_capacity(subscriptions.len());
        for subscription in subscriptions {
            let mut dead: Option<String> =
                self.statements.read_abandoned.query_row([subscription], |row| row.get(0)).optional()?;
            if dead.is_none()
                && matches!(making, Making::New(_))
                && self.holds_back(subscription, seq, now)?
            {
                continue;
            }
            self.segment.add_delivery(now);
            let id = self.segment.delivery;
            let lane = match making {
                Making::New(ordering) => {
                    if dead.is_none() {
                        dead = self.make_room(subscription, seq, DeliveryId(id), now)?;
                    }
                    ordering.iter().find(|(name, _)| name == subscription).map(|(_, key)| key.clone())
                }
                Making::Bulk { lane: Some(lane), .. } => lane.clone(),
                Making::Again | Making::Bulk { lane: None, .. } => self.lane_before(seq, subscription)?,
            };
            let is_parked = match &lane {
                Some(lane) if dead.is_none() => self.has_open(subscription, lane)?,
                _ => false,
            };
            let (status, due, ended_after) = match &dead {
                None => ("pending", Some(if is_parked { PARKED } else { now }), None),
                Some(_) => ("dead", None, Some(0)),
            };
            self.statements.insert_delivery.execute(params![
                id,
                seq.0,
                subscription,
                status,
                due,
                now,
                dead,
                ended_after,
                lane,
                making.goes_back(),
            ])?;
            if let (Some(_), Some(lane)) = (&dead, &lane) {
                self.backlog.give_up(subscription, lane);
            }
            if dead.is_none() {
                let name = self.names.get(subscription);
                self.count(&name, DeliveryId(id), 1)?;
                made.push(Made { id: DeliveryId(id), subscription: name, is_parked });
            }
        }
        Ok(made)
    }

    /// Leases deliveries that this transaction makes, before anybody else can see them.
    pub(super) fn lease(&self, deliveries: Vec<(DeliveryId, Arc<str>)>, terms: &LeaseTerms) -> LeaseGuard {
        self.leases.take(deliveries, terms)
    }

    /// Ends a lease once the transaction is committed; `false` if it is stale.
    pub(super) fn end_lease(&mut self, lease: Lease) -> bool {
        let stands = self.leases.begin_settling(lease);
        if stands {
            self.settled.push(lease);
        }
        stands
    }

    /// Counts a delivery that was opened (1) or ended (-1) once the transaction is committed.
    pub(super) fn count(
        &mut self,
        subscription: &str,
        delivery: DeliveryId,
        by: i64,
    ) -> rusqlite::Result<()> {
        if by == 0 {
            return Ok(());
        }
        let subscription = self.names.get(subscription);
        if let Some(bound) = self.bounds.of(&subscription) {
            *self.opened.entry(Arc::clone(&subscription)).or_default() += by;
            let known =
                self.bytes.get(&subscription).copied().or_else(|| self.bounds.bytes_of(&subscription));
            // What is not known yet is counted when it is asked for, with this one.
            if let (Some(known), Some(_)) = (known, bound.bytes) {
                let size: i64 =
                    self.connection.prepare_cached(SIZE)?.query_row([delivery.0], |row| row.get(0))?;
                self.bytes.insert(Arc::clone(&subscription), known + by * size);
            }
        }
        self.changes.push(Change { subscription, delivery, by });
        Ok(())
    }

    /// How many bytes of data the open deliveries of a subscription have, with what this transaction has changed.
    pub(super) fn open_bytes(&mut self, subscription: &str) -> rusqlite::Result<u64> {
        let known = self.bytes.get(subscription).copied().or_else(|| self.bounds.bytes_of(subscription));
        let bytes = match known {
            Some(bytes) => bytes,
            None => self.connection.prepare_cached(SIZES)?.query_row([subscription], |row| row.get(0))?,
        };
        let name = self.names.get(subscription);
        self.bytes.insert(name, bytes);
        Ok(u64::try_from(bytes).unwrap_or_default())
    }

    /// How many were open before this transaction.
    pub(super) fn open_before(&self, subscription: &str) -> u64 {
        self.backlog.of(subscription)
    }

    /// How many deliveries of a subscription with a bound are open, with what this transaction has changed.
    pub(super) fn open(&self, subscription: &str) -> u64 {
        let before = self.backlog.of(subscription);
        before.saturating_add_signed(self.opened.get(subscription).copied().unwrap_or_default())
    }

    /// Whether a key has this value now.
    pub(super) fn key_is(&mut self, key: &str, value: Option<&[u8]>) -> rusqlite::Result<bool> {
        let mut rows = self.statements.read_key.query([key])?;
        Ok(match (rows.next()?, value) {
            (Some(row), Some(value)) => row.get_ref(0)?.as_bytes()? == value,
            (found, value) => found.is_none() && value.is_none(),
        })
    }

    /// Writes the positions that were used, and commits.
    pub(super) fn commit(mut self) -> rusqlite::Result<Committed> {
        if self.segment != self.before {
            self.segment.write(&mut self.statements.put_segment)?;
        }
        self.statements.commit.execute(())?;
        self.is_committed = true;
        Ok(Committed {
            segment: self.segment.go_on(),
            settled: std::mem::take(&mut self.settled),
            changes: std::mem::take(&mut self.changes),
            overflows: std::mem::take(&mut self.overflows),
            behind: std::mem::take(&mut self.behind),
            bytes: (self.bounds.clone(), std::mem::take(&mut self.bytes)),
        })
    }
}

impl Drop for Batch<'_, '_> {
    /// Whatever was not committed is undone: who held a lease holds it still.
    fn drop(&mut self) {
        self.leases.undo_settling(&self.settled);
        if !self.is_committed {
            self.oldest.clear();
        }
    }
}

/// What follows from a committed transaction.
pub(super) struct Committed {
    pub(super) segment: Segment,
    pub(super) settled: Vec<Lease>,
    pub(super) changes: Vec<Change>,
    pub(super) overflows: Vec<(String, Overflow)>,
    /// For which subscriptions events stay in the log now, or do so no more.
    pub(super) behind: HashMap<String, bool>,
    /// How many bytes are open now, by the bounds that it was counted for.
    pub(super) bytes: (BoundSnapshot, HashMap<Arc<str>, i64>),
}
