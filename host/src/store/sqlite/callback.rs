//! Callbacks.

use super::batch::Batch;
use super::job::Write;
use super::plan::prepare;
use super::row::{self, EVENT, RECORD, RECORDS, clamp, time};
use crate::store::{CallbackAcked, CallbackWrite, EventRecord, EventSeq, StoredCallback};
use anglerfish_core::request::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "name, token, document, created, expires, closed, cancelled, acked, waiting, holder";

/// When it ended: the earlier of the two times, where there are both.
const END: &str = "min(coalesce(closed, expires), coalesce(expires, closed))";

fn read(row: &Row<'_>) -> rusqlite::Result<StoredCallback> {
    let millis = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<u64>>(column)?.map(UnixMillis));
    Ok(StoredCallback {
        name: row.get(0)?,
        token: row.get(1)?,
        document: row.get(2)?,
        created: time(row, 3)?,
        expires: millis(4)?,
        closed: millis(5)?,
        cancelled: row.get(6)?,
        acked: EventSeq(row.get(7)?),
        waiting: row.get(8)?,
        holder: row.get(9)?,
    })
}

/// One, by its name.
pub(super) fn one(connection: &Connection, name: &str) -> rusqlite::Result<Option<StoredCallback>> {
    let sql = format!("SELECT {COLUMNS} FROM callbacks WHERE name = ?1");
    prepare(connection, &sql)?.query_row([name], read).optional()
}

/// Some behind a name.
pub(super) fn list(
    connection: &Connection,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<StoredCallback>> {
    let sql = format!("SELECT {COLUMNS} FROM callbacks WHERE name > ?1 ORDER BY name LIMIT ?2");
    prepare(connection, &sql)?.query_map(params![after.unwrap_or_default(), limit], read)?.collect()
}

/// The first behind a position that waits in the inbox of one.
pub(super) fn waiting(
    connection: &Connection,
    name: &str,
    after: EventSeq,
) -> rusqlite::Result<Option<EventRecord>> {
    let snapshot = connection.unchecked_transaction()?;
    let sql = "SELECT seq FROM inbox INDEXED BY inbox_callback WHERE callback = ?1 AND seq > ?2 \
               ORDER BY seq LIMIT 1";
    let first: Option<i64> =
        prepare(&snapshot, sql)?.query_row(params![name, after.0], |row| row.get(0)).optional()?;
    let Some(first) = first else { return Ok(None) };
    let sql = format!("SELECT {EVENT}, {RECORD} FROM {RECORDS} WHERE e.seq = ?1");
    prepare(&snapshot, &sql)?.query_row([first], row::record).optional()
}

/// Takes hold of one.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) new: StoredCallback,
    pub(super) keeps: bool,
    pub(super) now: UnixMillis,
}

impl Write for Hold {
    type Out = StoredCallback;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<StoredCallback> {
        let mut held = match one(batch.connection, &self.new.name)? {
            Some(there) if there.is_held_again(self.now) => there.asking(&self.new.document, self.keeps),
            // Whoever held one of this name is not the holder of the new one either.
            gone => {
                empty(batch.connection, &self.new.name, i64::MAX)?;
                StoredCallback {
                    holder: gone.map_or(0, |gone| gone.holder),
                    acked: EventSeq(batch.next_event().0 - 1),
                    waiting: 0,
                    ..self.new.clone()
                }
            }
        };
        held.holder += 1;
        batch
            .connection
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO callbacks ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
            ))?
            .execute(params![
                held.name,
                held.token,
                held.document,
                clamp(held.created),
                held.expires.map(clamp),
                held.closed.map(clamp),
                held.cancelled,
                held.acked.0,
                held.waiting,
                held.holder
            ])?;
        Ok(held)
    }
}

/// Takes out of the inbox of one what came up to a position; says how much.
fn empty(connection: &Connection, name: &str, to: i64) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM inbox INDEXED BY inbox_callback WHERE callback = ?1 AND seq <= ?2";
    connection.prepare_cached(sql)?.execute(params![name, to])
}

/// Moves a cursor.
#[derive(Debug)]
pub(super) struct Ack {
    pub(super) name: String,
    pub(super) holder: u64,
    pub(super) seq: EventSeq,
}

impl Write for Ack {
    type Out = CallbackAcked;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<CallbackAcked> {
        let Some(there) = one(batch.connection, &self.name)? else { return Ok(CallbackAcked::Unknown) };
        if there.holder != self.holder {
            return Ok(CallbackAcked::Fenced);
        }
        // What is not there yet cannot be done with.
        let seq = self.seq.0.min(batch.next_event().0 - 1);
        let done = empty(batch.connection, &self.name, seq)?;
        let sql = "UPDATE callbacks SET acked = max(acked, ?2), waiting = waiting - ?3 WHERE name = ?1";
        batch.connection.prepare_cached(sql)?.execute(params![self.name, seq, done])?;
        Ok(CallbackAcked::Done)
    }
}

/// Closes one.
#[derive(Debug)]
pub(super) struct Close {
    pub(super) name: String,
    pub(super) now: UnixMillis,
}

impl Write for Close {
    type Out = Option<StoredCallback>;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Option<StoredCallback>> {
        let sql = "UPDATE callbacks SET closed = coalesce(closed, max(created, ?2)), cancelled = 1 \
                   WHERE name = ?1 AND NOT cancelled";
        batch.connection.prepare_cached(sql)?.execute(params![self.name, clamp(self.now)])?;
        one(batch.connection, &self.name)
    }
}

/// Whether a callback may come in; nothing is written yet.
pub(super) fn fits(
    connection: &Connection,
    write: &CallbackWrite,
    now: UnixMillis,
) -> rusqlite::Result<bool> {
    Ok(one(connection, &write.name)?.is_some_and(|there| there.takes(write, now)))
}

/// Puts one that came in into its inbox.
pub(super) fn write(
    batch: &Batch<'_, '_>,
    write: &CallbackWrite,
    seq: EventSeq,
    now: i64,
) -> rusqlite::Result<()> {
    let CallbackWrite { name, closes, .. } = write;
    batch
        .connection
        .prepare_cached("INSERT INTO inbox (seq, callback) VALUES (?1, ?2)")?
        .execute(params![seq.0, name])?;
    let sql = "UPDATE callbacks SET waiting = waiting + 1, \
               closed = CASE WHEN ?2 THEN max(created, ?3) ELSE closed END WHERE name = ?1";
    batch.connection.prepare_cached(sql)?.execute(params![name, closes, now]).map(drop)
}

/// Whether an event waits in an inbox.
pub(super) const WAITS: &str = "SELECT 1 FROM inbox WHERE seq = ?1";

/// Forgets some that are over since long, with what nobody has looked at.
pub(super) fn forget(connection: &Connection, before: i64, limit: i64) -> rusqlite::Result<usize> {
    let names = connection
        .prepare_cached(&format!(
            "SELECT name FROM callbacks INDEXED BY callback_end WHERE {END} < ?1 LIMIT ?2"
        ))?
        .query_map(params![before, limit], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for name in &names {
        empty(connection, name, i64::MAX)?;
        connection.prepare_cached("DELETE FROM callbacks WHERE name = ?1")?.execute([name])?;
    }
    Ok(names.len())
}
