//! Reads the log in its order.

use super::plan::prepare;
use super::row::{self, ENTRY, EVENT};
use super::segment::{self, Axis};
use crate::store::{EventSeq, LogPart};
use rusqlite::{Connection, OptionalExtension, params};

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
