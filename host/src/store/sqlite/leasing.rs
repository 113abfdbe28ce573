//! Finds deliveries that are due and leases them.

use super::backlog::Backlog;
use super::lane::PARKED;
use super::lease::{LeaseGuard, Leases};
use super::plan::prepare;
use super::row::{self, EVENT, LEASED, clamp};
use crate::store::{DeliveryId, Due, LEASE_BYTES, LeaseTerms, Leased};
use anglerfish_core::request::UnixMillis;
use rusqlite::Connection;
use std::collections::HashSet;
use std::sync::Arc;

/// Leases what is due, oldest first; see [`crate::store::DeliveryStore::lease`].
pub(super) fn lease(
    connection: &Connection,
    leases: &Arc<Leases>,
    subscription: &str,
    now: UnixMillis,
    limit: usize,
    terms: &LeaseTerms,
) -> rusqlite::Result<(LeaseGuard, Leased)> {
    let turn = leases.turn();
    let snapshot = connection.unchecked_transaction()?;
    let (begun, held) = leases.held_at(subscription, now, || begin(&snapshot));
    begun?;
    let (chosen, next) = choose(&snapshot, subscription, now, &held, limit)?;
    let name: Arc<str> = subscription.into();
    let guard = leases.take(chosen.iter().map(|id| (*id, Arc::clone(&name))), terms);
    drop(turn);
    let mut statement = prepare(
        &snapshot,
        &format!("SELECT {EVENT}, {LEASED} FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.id = ?1"),
    )?;
    let mut deliveries = Vec::with_capacity(chosen.len());
    for lease in guard.leases() {
        let mut delivery = statement.query_row([lease.delivery.0], row::leased)?;
        (delivery.token, delivery.until) = (lease.token, terms.until);
        deliveries.push(delivery);
    }
    Ok((guard, Leased { deliveries, next }))
}

/// Where something is due; see [`crate::store::DeliveryStore::due`]. Only subscriptions with open deliveries are looked
/// at, and of each no more rows than are leased.
pub(super) fn due(
    connection: &Connection,
    leases: &Leases,
    backlog: &Backlog,
    now: UnixMillis,
    limit: usize,
) -> rusqlite::Result<Due> {
    let mut waiting = Vec::new();
    let mut next: Option<UnixMillis> = None;
    for subscription in backlog.subscriptions() {
        let snapshot = connection.unchecked_transaction()?;
        let (begun, held) = leases.held_at(&subscription, now, || begin(&snapshot));
        begun?;
        match choose(&snapshot, &subscription, now, &held, 0)?.1 {
            Some(due) if due <= now => waiting.push((due, subscription)),
            Some(due) => next = Some(next.map_or(due, |next| next.min(due))),
            None => {}
        }
    }
    waiting.sort_unstable();
    if let Some((due, _)) = waiting.get(limit) {
        next = Some(*due);
        waiting.truncate(limit);
    }
    Ok(Due { subscriptions: waiting.into_iter().map(|(_, name)| name.to_string()).collect(), next })
}

/// A transaction sees the state of its first read, so this is one.
pub(super) fn begin(snapshot: &Connection) -> rusqlite::Result<()> {
    prepare(snapshot, "SELECT last FROM sequence WHERE name = 'expired'")?
        .query_row((), |row| row.get::<_, i64>(0))
        .map(drop)
}

/// What of a subscription is due and not held, and when the next one that is not chosen falls due.
fn choose(
    snapshot: &Connection,
    subscription: &str,
    now: UnixMillis,
    held: &HashSet<DeliveryId>,
    limit: usize,
) -> rusqlite::Result<(Vec<DeliveryId>, Option<UnixMillis>)> {
    let mut statement = prepare(
        snapshot,
        "SELECT id, due, seq FROM deliveries WHERE subscription = ?1 AND due IS NOT NULL ORDER BY due, id",
    )?;
    let mut length = prepare(snapshot, "SELECT length(data) FROM events WHERE seq = ?1")?;
    let mut rows = statement.query([subscription])?;
    let mut chosen = Vec::new();
    let mut bytes = 0;
    // No more than what is held can be skipped before the limit is reached.
    while let Some(row) = rows.next()? {
        let id = DeliveryId(row.get(0)?);
        if held.contains(&id) {
            continue;
        }
        let due: i64 = row.get(1)?;
        // What is parked comes last, and falls due when another one ends.
        let next = (due != PARKED).then(|| UnixMillis(u64::try_from(due).unwrap_or_default()));
        if chosen.len() == limit || due > clamp(now) {
            return Ok((chosen, next));
        }
        bytes += length.query_row([row.get::<_, i64>(2)?], |row| row.get::<_, usize>(0))?;
        if bytes > LEASE_BYTES && !chosen.is_empty() {
            return Ok((chosen, next));
        }
        chosen.push(id);
    }
    Ok((chosen, None))
}
