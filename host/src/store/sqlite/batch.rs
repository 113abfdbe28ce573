//! One transaction of the writer.

use super::backlog::Change;
use super::lease::{LeaseGuard, Leases};
use crate::store::{DeliveryId, EventSeq};
use rusqlite::{Connection, Statement, params};
use std::collections::HashSet;
use std::sync::Arc;

/// The statements of every transaction, prepared once.
pub(super) struct Statements<'c> {
    pub(super) begin: Statement<'c>,
    pub(super) commit: Statement<'c>,
    pub(super) rollback: Statement<'c>,
    pub(super) put_sequence: Statement<'c>,
    pub(super) read_key: Statement<'c>,
    pub(super) insert_key: Statement<'c>,
    pub(super) put_key: Statement<'c>,
    pub(super) delete_key: Statement<'c>,
    pub(super) insert_event: Statement<'c>,
    pub(super) insert_delivery: Statement<'c>,
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
            put_sequence: prepare("UPDATE sequence SET last = ?2 WHERE name = ?1")?,
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
                "INSERT INTO events (seq, id, source, type, subject, time, datacontenttype, received, request, \
                 keys, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
            )?,
            insert_delivery: prepare(
                "INSERT INTO deliveries (id, seq, subscription, status, due, attempts, tries, created) \
                 VALUES (?1, ?2, ?3, 'pending', ?4, 0, 0, ?4)",
            )?,
            read_delivery: prepare(
                "SELECT subscription, status, attempts, reason FROM deliveries WHERE id = ?1",
            )?,
            settle_delivery: prepare(
                "UPDATE deliveries SET status = ?2, due = ?3, attempts = attempts + 1, tries = tries + 1, \
                 reason = ?4 WHERE id = ?1",
            )?,
            insert_attempt: prepare(
                "INSERT INTO attempts (delivery, number, started, duration_us, status, error, answer) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
        })
    }
}

/// The last positions handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Positions {
    event: i64,
    delivery: i64,
}

impl Positions {
    /// Reads them.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let last = |name| {
            connection.query_row("SELECT last FROM sequence WHERE name = ?1", [name], |row| row.get(0))
        };
        Ok(Self { event: last("event")?, delivery: last("delivery")? })
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

/// One transaction, and what is to happen in memory once it is committed.
pub(super) struct Batch<'b, 'c> {
    pub(super) connection: &'c Connection,
    pub(super) statements: &'b mut Statements<'c>,
    pub(super) leases: &'b Arc<Leases>,
    /// Whether the transaction before this one failed.
    pub(super) doubtful: bool,
    names: &'b mut Names,
    before: Positions,
    positions: Positions,
    ended: Vec<DeliveryId>,
    changes: Vec<Change>,
}

impl<'b, 'c> Batch<'b, 'c> {
    pub(super) fn new(
        connection: &'c Connection,
        statements: &'b mut Statements<'c>,
        leases: &'b Arc<Leases>,
        names: &'b mut Names,
        positions: Positions,
        doubtful: bool,
    ) -> Self {
        Self {
            connection,
            statements,
            leases,
            doubtful,
            names,
            before: positions,
            positions,
            ended: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// The position of the next event. It counts only after [`Self::use_event`].
    pub(super) fn next_event(&self) -> EventSeq {
        EventSeq(self.positions.event + 1)
    }

    /// Marks the next event's position as used.
    pub(super) fn use_event(&mut self) {
        self.positions.event += 1;
    }

    /// Gives the last event's position back, because its row was taken out again.
    pub(super) fn return_event(&mut self) {
        self.positions.event -= 1;
    }

    /// Makes pending deliveries of an event, due at once.
    pub(super) fn insert_deliveries(
        &mut self,
        seq: EventSeq,
        subscriptions: &[String],
        now: i64,
    ) -> rusqlite::Result<Vec<(DeliveryId, Arc<str>)>> {
        let mut made = Vec::with_capacity(subscriptions.len());
        for subscription in subscriptions {
            self.positions.delivery += 1;
            let id = self.positions.delivery;
            self.statements.insert_delivery.execute(params![id, seq.0, subscription, now])?;
            let name = self.names.get(subscription);
            self.changes.push((Arc::clone(&name), 1));
            made.push((DeliveryId(id), name));
        }
        Ok(made)
    }

    /// Leases deliveries that this transaction makes, before anybody else can see them.
    pub(super) fn lease(&self, deliveries: Vec<(DeliveryId, Arc<str>)>) -> LeaseGuard {
        self.leases.take(deliveries)
    }

    /// Ends a lease once the transaction is committed.
    pub(super) fn end_lease(&mut self, delivery: DeliveryId) {
        self.ended.push(delivery);
    }

    /// Counts deliveries that were opened (or closed, if negative) once the transaction is committed.
    pub(super) fn count(&mut self, subscription: &str, change: i64) {
        if change != 0 {
            let name = self.names.get(subscription);
            self.changes.push((name, change));
        }
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
    pub(super) fn commit(self) -> rusqlite::Result<Committed> {
        let Self { statements, before, positions, ended, changes, .. } = self;
        if positions.event != before.event {
            statements.put_sequence.execute(params!["event", positions.event])?;
        }
        if positions.delivery != before.delivery {
            statements.put_sequence.execute(params!["delivery", positions.delivery])?;
        }
        statements.commit.execute(())?;
        Ok(Committed { positions, ended, changes })
    }
}

/// What follows from a committed transaction.
pub(super) struct Committed {
    pub(super) positions: Positions,
    pub(super) ended: Vec<DeliveryId>,
    pub(super) changes: Vec<Change>,
}
