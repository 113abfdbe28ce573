//! Subscriptions that were written at run time.

use super::batch::Batch;
use super::job::Write;
use super::row::{clamp, time};
use crate::store::StoredSubscription;
use rusqlite::{Connection, params};

/// All of them, by id.
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
            .execute(params![id, document, clamp(*updated)])
            .map(drop)
    }
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
