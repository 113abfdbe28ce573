//! Finds deliveries that are due and leases them.

use super::backlog::Backlog;
use super::lane::PARKED;
use super::lease::{LeaseGuard, Leases};
use super::plan::prepare;
use super::row::{self, EVENT, LEASED, clamp};
use crate::store::{DeliveryId, Due, LEASE_BYTES, LeaseTerms, Leased};
use anglerfish_core::delivery::Lines;
use anglerfish_core::request::UnixMillis;
use rusqlite::{Connection, Rows, params};
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
    let (chosen, next) = choose(&snapshot, subscription, now, &held, (limit, terms.most))?;
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
        let next_due = choose(&snapshot, &subscription, now, &held, (0, Lines::both(usize::MAX)))?.1;
        match [next_due.firsts, next_due.retries].into_iter().flatten().min() {
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

/// The deliveries of one line that nobody holds, in the order in which they fall due.
struct LineRows<'s> {
    rows: Rows<'s>,
    held: &'s HashSet<DeliveryId>,
    /// The first of them.
    head: Option<(DeliveryId, i64, i64)>,
    /// How many more of them may be chosen.
    left: usize,
}

impl<'s> LineRows<'s> {
    fn new(rows: Rows<'s>, held: &'s HashSet<DeliveryId>, left: usize) -> rusqlite::Result<Self> {
        let mut line = Self { rows, held, head: None, left };
        // Of a line that nothing is wanted of, not even its first one is looked for.
        if left > 0 {
            line.step()?;
        }
        Ok(line)
    }

    /// Goes to the next one. No more than what is held can be skipped.
    fn step(&mut self) -> rusqlite::Result<()> {
        self.head = None;
        while let Some(row) = self.rows.next()? {
            let id = DeliveryId(row.get(0)?);
            if !self.held.contains(&id) {
                self.head = Some((id, row.get(1)?, row.get(2)?));
                break;
            }
        }
        Ok(())
    }

    /// When the first of them falls due.
    fn next(&self) -> Option<UnixMillis> {
        // What is parked comes last, and falls due when another one ends.
        let (.., due, _) = self.head.filter(|(_, due, _)| *due != PARKED)?;
        Some(UnixMillis(u64::try_from(due).unwrap_or_default()))
    }

    /// The first of them, if it may be chosen.
    fn due(&self, now: i64) -> Option<(DeliveryId, i64)> {
        self.head.filter(|(_, due, _)| *due <= now && self.left > 0).map(|(id, _, seq)| (id, seq))
    }
}

/// What of a subscription is due and not held, one of each line in turn, and when the next one of each falls due that is not
/// chosen.
fn choose(
    snapshot: &Connection,
    subscription: &str,
    now: UnixMillis,
    held: &HashSet<DeliveryId>,
    (limit, most): (usize, Lines<usize>),
) -> rusqlite::Result<(Vec<DeliveryId>, Lines<Option<UnixMillis>>)> {
    // The expression is that of the index.
    let sql = "SELECT id, due, seq FROM deliveries WHERE subscription = ?1 AND (tries > 0) = ?2 AND due IS NOT NULL \
               ORDER BY due, id";
    let (mut firsts, mut retries) = (prepare(snapshot, sql)?, prepare(snapshot, sql)?);
    let mut firsts = LineRows::new(firsts.query(params![subscription, false])?, held, most.firsts)?;
    let mut retries = LineRows::new(retries.query(params![subscription, true])?, held, most.retries)?;
    let mut length = prepare(snapshot, "SELECT length(data) FROM events WHERE seq = ?1")?;
    let now = clamp(now);
    let mut chosen = Vec::new();
    let mut bytes = 0;
    let mut is_retry_next = false;
    while chosen.len() < limit {
        let is_retry = if is_retry_next { retries.due(now).is_some() } else { firsts.due(now).is_none() };
        let line = if is_retry { &mut retries } else { &mut firsts };
        let Some((id, seq)) = line.due(now) else { break };
        bytes += length.query_row([seq], |row| row.get::<_, usize>(0))?;
        if bytes > LEASE_BYTES && !chosen.is_empty() {
            break;
        }
        chosen.push(id);
        line.left -= 1;
        line.step()?;
        is_retry_next = !is_retry;
    }
    Ok((chosen, Lines { firsts: firsts.next(), retries: retries.next() }))
}
