//! Reads the log in its order.

use super::plan::prepare;
use super::row::{self, ENTRY, EVENT};
use super::segment::{self, Axis};
use crate::store::{EventSeq, LogId, LogPart};
use rusqlite::{Connection, OptionalExtension, params};

/// What tells this log from others; drawn when it is first asked for. The row is among the others of its kind, which older
/// versions leave as they are.
pub(super) fn identity(connection: &Connection) -> rusqlite::Result<LogId> {
    connection.execute(
        "INSERT OR IGNORE INTO sequence (name, last) VALUES ('identity', random() & 0xffffffff)",
        (),
    )?;
    let drawn: i64 =
        connection.query_row("SELECT last FROM sequence WHERE name = 'identity'", (), |row| row.get(0))?;
    Ok(LogId(u32::try_from(drawn & 0xffff_ffff).unwrap_or_default()))
}

/// Entries behind a position; see [`crate::store::LogStore::read`].
pub(super) fn read(
    connection: &Connection,
    after: EventSeq,
    limit: usize,
    bytes: usize,
) -> rusqlite::Result<LogPart> {
    // One snapshot: what is deleted between the two queries would be missing without a word.
    let snapshot = connection.unchecked_transaction()?;
    let expired: i64 = prepare(&snapshot, "SELECT last FROM sequence WHERE name = 'expired'")?
        .query_row((), |row| row.get(0))?;
    if after.0 < expired {
        return Ok(LogPart::Gap { oldest: EventSeq(expired + 1) });
    }
    let mut statement = prepare(
        &snapshot,
        &format!("SELECT {EVENT}, {ENTRY} FROM events e WHERE e.seq > ?1 ORDER BY e.seq"),
    )?;
    let mut rows = statement.query([after.0])?;
    let (mut entries, mut size) = (Vec::new(), 0);
    while entries.len() < limit
        && let Some(row) = rows.next()?
    {
        // The length is known before the data is copied.
        size += row.get_ref(9)?.as_blob()?.len();
        if size > bytes && !entries.is_empty() {
            break;
        }
        entries.push(row::entry(row)?);
    }
    Ok(LogPart::Entries(entries))
}

/// The position to read behind for what was received from a time on; see [`crate::store::LogStore::at`].
pub(super) fn at(connection: &Connection, time: i64, head: EventSeq) -> rusqlite::Result<EventSeq> {
    let snapshot = connection.unchecked_transaction()?;
    let mut first = prepare(
        &snapshot,
        "SELECT seq FROM events WHERE seq BETWEEN ?1 AND ?2 AND received >= ?3 ORDER BY seq LIMIT 1",
    )?;
    for (from, to) in segment::spans(&snapshot, Axis::Event, Some(time), None)? {
        let found: Option<i64> = first.query_row(params![from, to, time], |row| row.get(0)).optional()?;
        if let Some(seq) = found {
            return Ok(EventSeq(seq - 1));
        }
    }
    Ok(head)
}
