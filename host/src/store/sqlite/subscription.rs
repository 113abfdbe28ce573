//! Subscriptions: those that were written at run time, those that the configuration file has, and those that are gone.

use super::batch::Batch;
use super::job::Write;
use super::row::{clamp, time};
use super::standing;
use crate::store::{DeclaredSubscription, DeliveryId, RemovedSubscription, StoredSubscription};
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

/// A subscription that is there is not abandoned.
fn welcome(batch: &Batch<'_, '_>, id: &str) -> rusqlite::Result<()> {
    batch.connection.prepare_cached("DELETE FROM abandoned WHERE subscription = ?1")?.execute([id]).map(drop)
}

/// Deletes one.
#[derive(Debug)]
pub(super) struct Delete(pub(super) String);

impl Write for Delete {
    /// Whether it was there.
    type Out = bool;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<bool> {
        batch
            .connection
            .prepare_cached("DELETE FROM subscriptions WHERE id = ?1")?
            .execute([&self.0])
            .map(|deleted| deleted > 0)
    }
}

/// Replaces what is known of the configuration file.
#[derive(Debug)]
pub(super) struct Declare(pub(super) Vec<DeclaredSubscription>);

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
        for DeclaredSubscription { id, waits } in &self.0 {
            insert.execute(params![id, waits])?;
            welcome(batch, id)?;
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
        failed.map(|()| before)
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
            batch.count(&self.subscription, *id, -1);
        }
        Ok(ended.len())
    }
}

/// Forgets who was abandoned long ago: no decision of that time is still to be committed.
pub(super) fn forget_abandoned(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM abandoned WHERE since < ?1", [before])
}
