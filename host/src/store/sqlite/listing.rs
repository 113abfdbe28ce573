//! Reads of the log and of the deliveries.

use super::lease::{LeaseGuard, Leases};
use super::row::{self, ATTEMPT, DELIVERY, EVENT, LEASED, RECORD};
use crate::store::{
    Attempt, Delivery, DeliveryId, DeliveryQuery, EventQuery, EventRecord, EventSeq, LEASE_BYTES,
    LeasedDelivery, Order, Page,
};
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use std::collections::HashSet;
use std::sync::Arc;

/// Leases what is due, oldest first; see [`crate::store::Store::lease`].
pub(super) fn lease(
    connection: &Connection,
    leases: &Arc<Leases>,
    subscription: &str,
    now: i64,
    limit: usize,
) -> rusqlite::Result<(LeaseGuard, Vec<LeasedDelivery>)> {
    let turn = leases.turn();
    let snapshot = connection.unchecked_transaction()?;
    let (begun, held) = leases.held_at(subscription, || begin(&snapshot));
    begun?;
    let chosen = due(&snapshot, subscription, now, &held, limit)?;
    let name: Arc<str> = subscription.into();
    let guard = leases.take(chosen.iter().map(|id| (*id, Arc::clone(&name))));
    drop(turn);
    let mut statement = snapshot.prepare_cached(&format!(
        "SELECT {EVENT}, {LEASED} FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.id = ?1"
    ))?;
    let leased = chosen
        .iter()
        .map(|id| statement.query_row([id.0], row::leased))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((guard, leased))
}

/// When the next delivery that is not leased falls due; see [`crate::store::Store::next_due`].
pub(super) fn next_due(
    connection: &Connection,
    leases: &Leases,
    subscription: &str,
) -> rusqlite::Result<Option<UnixMillis>> {
    let snapshot = connection.unchecked_transaction()?;
    let (begun, held) = leases.held_at(subscription, || begin(&snapshot));
    begun?;
    let mut statement = snapshot.prepare_cached(
        "SELECT id, due FROM deliveries WHERE subscription = ?1 AND due IS NOT NULL ORDER BY due, id",
    )?;
    let mut rows = statement.query([subscription])?;
    while let Some(row) = rows.next()? {
        if !held.contains(&DeliveryId(row.get(0)?)) {
            return row::time(row, 1).map(Some);
        }
    }
    Ok(None)
}

/// A transaction sees the state of its first read, so this is one.
fn begin(snapshot: &Connection) -> rusqlite::Result<()> {
    snapshot
        .prepare_cached("SELECT last FROM sequence WHERE name = 'event'")?
        .query_row((), |row| row.get::<_, i64>(0))
        .map(drop)
}

fn due(
    snapshot: &Connection,
    subscription: &str,
    now: i64,
    held: &HashSet<DeliveryId>,
    limit: usize,
) -> rusqlite::Result<Vec<DeliveryId>> {
    let mut statement = snapshot.prepare_cached(
        "SELECT id, seq FROM deliveries WHERE subscription = ?1 AND due IS NOT NULL AND due <= ?2 ORDER BY due, id",
    )?;
    let mut length = snapshot.prepare_cached("SELECT length(data) FROM events WHERE seq = ?1")?;
    let mut rows = statement.query(params![subscription, now])?;
    let mut chosen = Vec::new();
    let mut bytes = 0;
    // No more than what is held can be skipped before the limit is reached.
    while chosen.len() < limit
        && let Some(row) = rows.next()?
    {
        let id = DeliveryId(row.get(0)?);
        if held.contains(&id) {
            continue;
        }
        bytes += length.query_row([row.get::<_, i64>(1)?], |row| row.get::<_, usize>(0))?;
        if bytes > LEASE_BYTES && !chosen.is_empty() {
            break;
        }
        chosen.push(id);
    }
    Ok(chosen)
}

/// Conditions of a listing with their values.
#[derive(Default)]
struct Conditions<'a> {
    terms: Vec<&'static str>,
    values: Vec<&'a dyn ToSql>,
}

impl<'a> Conditions<'a> {
    fn add(&mut self, term: &'static str, value: Option<&'a dyn ToSql>) {
        if let Some(value) = value {
            self.terms.push(term);
            self.values.push(value);
        }
    }

    fn sql(&self) -> String {
        match self.terms.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", self.terms.join(" AND ")),
        }
    }
}

/// Lists events; see [`crate::store::Store::events`].
pub(super) fn events(connection: &Connection, query: &EventQuery) -> rusqlite::Result<Page<EventRecord>> {
    let (behind, order) = match query.order {
        Order::Newest => ("e.seq < ?", "DESC"),
        Order::Oldest => ("e.seq > ?", "ASC"),
    };
    let cursor = query.cursor.map(|EventSeq(seq)| seq);
    let mut conditions = Conditions::default();
    conditions.add("e.source = ?", query.source.as_ref().map(|source| source as &dyn ToSql));
    conditions.add("e.type = ?", query.kind.as_ref().map(|kind| kind as &dyn ToSql));
    conditions.add(behind, cursor.as_ref().map(|cursor| cursor as &dyn ToSql));
    let sql = format!("SELECT {EVENT}, {RECORD} FROM events e {} ORDER BY e.seq {order}", conditions.sql());
    page(connection, &sql, &conditions.values, query.limit, row::record)
}

/// Lists deliveries; see [`crate::store::Store::deliveries`].
pub(super) fn deliveries(connection: &Connection, query: &DeliveryQuery) -> rusqlite::Result<Page<Delivery>> {
    let cursor = query.cursor.map(|DeliveryId(id)| id);
    let event = query.event.map(|EventSeq(seq)| seq);
    let mut conditions = Conditions::default();
    let subscription = query.subscription.as_ref().map(|subscription| subscription as &dyn ToSql);
    conditions.add("d.subscription = ?", subscription);
    conditions.add("d.status = ?", query.status.as_ref().map(|status| status as &dyn ToSql));
    conditions.add("d.seq = ?", event.as_ref().map(|event| event as &dyn ToSql));
    conditions.add("d.id < ?", cursor.as_ref().map(|cursor| cursor as &dyn ToSql));
    let sql = format!(
        "SELECT {DELIVERY} FROM deliveries d JOIN events e ON e.seq = d.seq {} ORDER BY d.id DESC",
        conditions.sql()
    );
    page(connection, &sql, &conditions.values, query.limit, row::delivery)
}

fn page<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    limit: usize,
    read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Page<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        if items.len() == limit {
            return Ok(Page { items, more: true });
        }
        items.push(read(row)?);
    }
    Ok(Page { items, more: false })
}

/// All events with an id.
pub(super) fn event(connection: &Connection, id: &str) -> rusqlite::Result<Vec<EventRecord>> {
    connection
        .prepare_cached(&format!("SELECT {EVENT}, {RECORD} FROM events e WHERE e.id = ?1 ORDER BY e.seq"))?
        .query_map([id], row::record)?
        .collect()
}

/// The data of an event.
pub(super) fn data(connection: &Connection, seq: EventSeq) -> rusqlite::Result<Option<Bytes>> {
    connection
        .prepare_cached("SELECT data FROM events WHERE seq = ?1")?
        .query_row([seq.0], |row| row.get::<_, Vec<u8>>(0))
        .map(Bytes::from)
        .optional()
}

/// A delivery with its attempts.
pub(super) fn delivery(
    connection: &Connection,
    id: DeliveryId,
) -> rusqlite::Result<Option<(Delivery, Vec<Attempt>)>> {
    let snapshot = connection.unchecked_transaction()?;
    let delivery = snapshot
        .prepare_cached(&format!(
            "SELECT {DELIVERY} FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.id = ?1"
        ))?
        .query_row([id.0], row::delivery)
        .optional()?;
    let Some(delivery) = delivery else { return Ok(None) };
    let attempts = snapshot
        .prepare_cached(&format!("SELECT {ATTEMPT} FROM attempts WHERE delivery = ?1 ORDER BY number"))?
        .query_map([id.0], row::attempt)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some((delivery, attempts)))
}
