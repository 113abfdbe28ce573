//! Subscriptions: those that were written at run time, those that the configuration file has, and those that are gone.

use super::batch::Batch;
use super::bulk;
use super::job::Write;
use super::resource;
use super::row::{clamp, time};
use super::standing;
use crate::store::{DeclaredSubscription, DeliveryId, NewJob, RemovedSubscription, StoredSubscription};
use rusqlite::{Connection, params};

/// All that were written at run time, by id.
pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<StoredSubscription>> {
    connection
        .prepare_cached("SELECT id, document, updated FROM subscriptions ORDER BY id")?
        .query_map((), |row| {
            Ok(StoredSubscription { id: row.get(0)?, document: row.get(1)?, updated: time(row, 2)? })
        })?
        .collect()
}

/// Writes or replaces one.
#[derive(Debug)]
pub(super) struct Put(pub(super) StoredSubscription);

impl Write for Put {
    type Out = ();

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        let StoredSubscription { id, document, updated } = &self.0;
        batch
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO subscriptions (id, document, updated) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![id, document, clamp(*updated)])?;
        welcome(batch, id)
    }
}

/// Writes a new one with the job that it begins with.
#[derive(Debug)]
pub(super) struct Begin(pub(super) Put, pub(super) NewJob);

impl Write for Begin {
    type Out = ();

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        let Self(put, start) = self;
        put.apply(batch)?;
        bulk::insert(batch, start).map(drop)
    }
}

/// A subscription that is there is not abandoned.
fn welcome(batch: &Batch<'_, '_>, id: &str) -> rusqlite::Result<()> {
    batch.connection.prepare_cached("DELETE FROM abandoned WHERE subscription = ?1")?.execute([id]).map(drop)
}

/// What cancels the jobs of one that is gone.
const GONE: &str = "the subscription is gone";

/// Deletes one.
#[derive(Debug)]
pub(super) struct Delete {
    pub(super) id: String,
    pub(super) now: i64,
}

impl Write for Delete {
    /// Whether it was there.
    type Out = bool;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<bool> {
        bulk::cancel_of(batch, &self.id, GONE, self.now)?;
        batch
            .connection
            .prepare_cached("DELETE FROM subscriptions WHERE id = ?1")?
            .execute([&self.id])
            .map(|deleted| deleted > 0)
    }
}

/// Replaces what is known of the configuration file.
#[derive(Debug)]
pub(super) struct Declare {
    pub(super) declared: Vec<DeclaredSubscription>,
    pub(super) now: i64,
}

impl Write for Declare {
    type Out = Vec<RemovedSubscription>;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Vec<RemovedSubscription>> {
        let connection = batch.connection;
        let mut before = connection
            .prepare_cached("SELECT id, waits FROM declared ORDER BY id")?
            .query_map((), |row| Ok(RemovedSubscription { id: row.get(0)?, waits: row.get(1)? }))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        connection.execute("DELETE FROM declared", ())?;
        let mut insert =
            connection.prepare_cached("INSERT OR REPLACE INTO declared (id, waits) VALUES (?1, ?2)")?;
        for DeclaredSubscription { id, waits, start } in &self.declared {
            insert.execute(params![id, waits])?;
            welcome(batch, id)?;
            if let Some(start) = start
                && before.binary_search_by(|known| known.id.cmp(id)).is_err()
            {
                bulk::insert(batch, start)?;
            }
        }
        let mut known = connection.prepare_cached("SELECT 1 FROM declared WHERE id = ?1")?;
        let mut failed = Ok(());
        before.retain(|removed| match known.exists([&removed.id]) {
            Ok(exists) => !exists,
            Err(error) => {
                failed = Err(error);
                false
            }
        });
        failed?;
        for removed in &before {
            bulk::cancel_of(batch, &removed.id, GONE, self.now)?;
        }
        Ok(before)
    }
}

/// A step of ending a subscription's open deliveries. With the first one whatever is committed for it later is dead from
/// the start, since both are written by one thread.
#[derive(Debug)]
pub(super) struct Abandon {
    pub(super) subscription: String,
    pub(super) reason: String,
    pub(super) now: i64,
    /// At most so many.
    pub(super) limit: usize,
}

impl Write for Abandon {
    /// How many there were, at most the limit.
    type Out = usize;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<usize> {
        let connection = batch.connection;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO abandoned (subscription, reason, since) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![self.subscription, self.reason, self.now])?;
        standing::forget(batch, &self.subscription)?;
        resource::dismiss(connection, &self.subscription)?;
        bulk::cancel_of(batch, &self.subscription, &self.reason, self.now)?;
        bulk::give_up(batch, &self.subscription, &self.reason, self.now)?;
        let ended = connection
            .prepare_cached(
                "UPDATE deliveries SET status = 'dead', due = NULL, planned = NULL, reason = ?2, \
                 ended_after = max(?3 - created, 0) WHERE id IN \
                 (SELECT id FROM deliveries WHERE subscription = ?1 AND due IS NOT NULL LIMIT ?4) RETURNING id",
            )?
            .query_map(params![self.subscription, self.reason, self.now, self.limit], |row| {
                row.get(0).map(DeliveryId)
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for id in &ended {
            batch.count(&self.subscription, *id, -1)?;
        }
        Ok(ended.len())
    }
}

/// Forgets who was abandoned long ago: no decision of that time is still to be committed.
pub(super) fn forget_abandoned(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM abandoned WHERE since < ?1", [before])
}
