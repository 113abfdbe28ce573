//! Listings of the log.

use super::{behind, column, jump, merge, page};
use crate::store::sqlite::plan::prepare;
use crate::store::sqlite::row::{self, EVENT, RECORD, RECORDS, clamp};
use crate::store::sqlite::segment::{Axis, Span, spans};
use crate::store::{EventQuery, EventRecord, EventSeq, Order, Page};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

/// Lists events; see [`crate::store::LogStore::events`].
pub(in crate::store::sqlite) fn events(
    connection: &Connection,
    query: &EventQuery,
) -> rusqlite::Result<Page<EventRecord>> {
    let snapshot = connection.unchecked_transaction()?;
    let EventQuery { source, kind, failed, since, until, cursor, limit, order } = query;
    let (since, until) = (since.map(clamp), until.map(clamp));
    let spans = spans(&snapshot, Axis::Event, since, until)?;
    let spans = behind(spans, *order, cursor.map(|EventSeq(seq)| seq));
    let pairs = pairs(&snapshot, source.as_deref(), kind.as_deref())?;
    let mut record = prepare(
        &snapshot,
        &format!(
            "SELECT {EVENT}, {RECORD} FROM {RECORDS} WHERE e.seq = ?1 AND (?2 IS NULL OR e.received >= ?2) \
         AND (?3 IS NULL OR e.received < ?3) AND (?4 IS NULL OR e.source = ?4) AND (?5 IS NULL OR e.type = ?5)"
        ),
    )?;
    page(
        spans,
        *order,
        *limit,
        |span, most| match (failed, &pairs) {
            (Some(subscription), _) => failed_on(&snapshot, subscription, span, *order, most),
            (None, None) => any(&snapshot, span, *order, most),
            (None, Some(pairs)) => of_pairs(&snapshot, pairs, span, *order, most),
        },
        |seq| record.query_row(params![seq, since, until, source, kind], row::record).optional(),
    )
}

/// The pairs of source and type that are asked for; `None` if all are.
fn pairs(
    connection: &Connection,
    source: Option<&str>,
    kind: Option<&str>,
) -> rusqlite::Result<Option<Vec<(String, String)>>> {
    let pair = |source: &str, kind: &str| (source.to_owned(), kind.to_owned());
    Ok(match (source, kind) {
        (None, None) => None,
        (Some(source), Some(kind)) => Some(vec![pair(source, kind)]),
        (Some(source), None) => {
            let next = "SELECT type FROM events WHERE source = ?2 AND type > ?1 ORDER BY type LIMIT 1";
            let kinds = jump(connection, next, Some(source))?;
            Some(kinds.iter().map(|kind| pair(source, kind)).collect())
        }
        (None, Some(kind)) => {
            let next = "SELECT source FROM events WHERE source > ?1 ORDER BY source LIMIT 1";
            let sources = jump(connection, next, None)?;
            Some(sources.iter().map(|source| pair(source, kind)).collect())
        }
    })
}

fn any(connection: &Connection, (from, to): Span, order: Order, most: usize) -> rusqlite::Result<Vec<i64>> {
    let statement = prepare(
        connection,
        match order {
            Order::Newest => "SELECT seq FROM events WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC LIMIT ?3",
            Order::Oldest => "SELECT seq FROM events WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3",
        },
    )?;
    column(statement, params![from, to, most])
}

fn of_pairs(
    connection: &Connection,
    pairs: &[(String, String)],
    (from, to): Span,
    order: Order,
    most: usize,
) -> rusqlite::Result<Vec<i64>> {
    let mut found = Vec::new();
    for (source, kind) in pairs {
        let statement = prepare(
            connection,
            match order {
                Order::Newest => {
                    "SELECT seq FROM events INDEXED BY event_kind WHERE source = ?1 AND type = ?2 \
                 AND seq BETWEEN ?3 AND ?4 ORDER BY seq DESC LIMIT ?5"
                }
                Order::Oldest => {
                    "SELECT seq FROM events INDEXED BY event_kind WHERE source = ?1 AND type = ?2 \
                 AND seq BETWEEN ?3 AND ?4 ORDER BY seq LIMIT ?5"
                }
            },
        )?;
        found.extend(column::<i64>(statement, params![source, kind, from, to, most])?);
        // So that a source of very many types does not hold them all.
        if found.len() > most * 16 {
            found = merge(found, order, most);
        }
    }
    Ok(merge(found, order, most))
}

fn failed_on(
    connection: &Connection,
    subscription: &str,
    (from, to): Span,
    order: Order,
    most: usize,
) -> rusqlite::Result<Vec<i64>> {
    let statement = prepare(
        connection,
        match order {
            Order::Newest => {
                "SELECT seq FROM failed_filters WHERE subscription = ?1 AND seq BETWEEN ?2 AND ?3 \
             ORDER BY seq DESC LIMIT ?4"
            }
            Order::Oldest => {
                "SELECT seq FROM failed_filters WHERE subscription = ?1 AND seq BETWEEN ?2 AND ?3 \
             ORDER BY seq LIMIT ?4"
            }
        },
    )?;
    column(statement, params![subscription, from, to, most])
}

/// All events with an id, in their order.
pub(in crate::store::sqlite) fn event(
    connection: &Connection,
    id: &str,
) -> rusqlite::Result<Vec<EventRecord>> {
    let mut records =
        prepare(connection, &format!("SELECT {EVENT}, {RECORD} FROM {RECORDS} WHERE e.id = ?1"))?
            .query_map([id], row::record)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
    records.sort_unstable_by_key(|record| record.seq);
    Ok(records)
}

/// The data of an event.
pub(in crate::store::sqlite) fn data(
    connection: &Connection,
    seq: EventSeq,
) -> rusqlite::Result<Option<Bytes>> {
    prepare(connection, "SELECT data FROM events WHERE seq = ?1")?
        .query_row([seq.0], |row| row.get::<_, Vec<u8>>(0))
        .map(Bytes::from)
        .optional()
}
