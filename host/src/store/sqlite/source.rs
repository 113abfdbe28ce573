//! Sources that were written at run time.

use super::batch::Batch;
use super::job::Write;
use super::row::{clamp, time};
use crate::store::StoredSource;
use rusqlite::{Connection, params};

/// All of them, by name.
pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<StoredSource>> {
    connection
        .prepare_cached("SELECT name, document, updated FROM sources ORDER BY name")?
        .query_map((), |row| {
            Ok(StoredSource { name: row.get(0)?, document: row.get(1)?, updated: time(row, 2)? })
        })?
        .collect()
}

/// Writes or replaces one.
#[derive(Debug)]
pub(super) struct Put(pub(super) StoredSource);

impl Write for Put {
    type Out = ();

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        let StoredSource { name, document, updated } = &self.0;
        let sql = "INSERT OR REPLACE INTO sources (name, document, updated) VALUES (?1, ?2, ?3)";
        let mut put = batch.connection.prepare_cached(sql)?;
        put.execute(params![name, document, clamp(*updated)]).map(drop)
    }
}

/// Deletes one.
#[derive(Debug)]
pub(super) struct Delete(pub(super) String);

impl Write for Delete {
    /// Whether it was there.
    type Out = bool;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<bool> {
        let mut delete = batch.connection.prepare_cached("DELETE FROM sources WHERE name = ?1")?;
        delete.execute([&self.0]).map(|deleted| deleted > 0)
    }
}
