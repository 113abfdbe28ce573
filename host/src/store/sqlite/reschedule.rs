//! Changes of deliveries by hand and by the clock: replay, retry, replan.

use super::batch::{Batch, Making};
use super::job::Write;
use super::lane::PARKED;
use crate::store::{DeliveryId, DeliveryStatus, EventSeq, Retried};
use anglerfish_core::request::UnixMillis;
use rusqlite::{Connection, OptionalExtension, params};

/// By how much a plan may seem to come from the future: clocks of one machine differ a little between threads.
pub(super) const TOLERANCE: i64 = 1000;

/// New deliveries of a stored event.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) seq: EventSeq,
    pub(super) subscriptions: Vec<String>,
    pub(super) now: i64,
}

impl Write for Replay {
    /// None if the event is not there (any more).
    type Out = Vec<DeliveryId>;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Vec<DeliveryId>> {
        let exists =
            batch.connection.prepare_cached("SELECT 1 FROM events WHERE seq = ?1")?.exists([self.seq.0])?;
        if !exists {
            return Ok(Vec::new());
        }
        let made = batch.insert_deliveries(self.seq, &self.subscriptions, self.now, Making::Again)?;
        Ok(made.into_iter().map(|made| made.id).collect())
    }
}

/// A delivery made due again.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) id: DeliveryId,
    pub(super) now: UnixMillis,
    pub(super) due: i64,
}

impl Write for Retry {
    type Out = Retried;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Retried> {
        reopen(batch, self.id, self.now, self.due)
    }
}

/// Makes a delivery due again, whatever its status.
pub(super) fn reopen(
    batch: &mut Batch<'_, '_>,
    id: DeliveryId,
    now: UnixMillis,
    due: i64,
) -> rusqlite::Result<Retried> {
    let found = batch
        .statements
        .read_delivery
        .query_row([id.0], |row| {
            let lane = row.get::<_, Option<String>>(6)?;
            Ok((row.get::<_, String>(0)?, row.get::<_, DeliveryStatus>(1)?, lane))
        })
        .optional()?;
    let Some((subscription, status, lane)) = found else { return Ok(Retried::Unknown) };
    if !batch.leases.give_way(id, now) {
        return Ok(Retried::Leased);
    }
    let is_behind = match &lane {
        Some(lane) => batch.is_behind(&subscription, lane, id.0)?,
        None => false,
    };
    if let (true, Some(lane)) = (is_behind, &lane) {
        batch.backlog.may_outlive(&subscription, lane);
    }
    batch
        .connection
        .prepare_cached(
            "UPDATE deliveries SET status = 'pending', due = ?2, planned = ?3, ended_after = NULL, \
             tries = 0, reason = NULL, \
             outlived = CASE WHEN status IN ('delivered', 'discarded') OR seq <= \
             (SELECT since FROM followers f WHERE f.subscription = deliveries.subscription) \
             THEN 1 ELSE outlived END WHERE id = ?1",
        )?
        .execute(params![id.0, if is_behind { PARKED } else { due }, due])?;
    batch.oldest.forget(&subscription);
    batch.count(&subscription, id, i64::from(status != DeliveryStatus::Pending))?;
    Ok(Retried::Due)
}

/// Open deliveries that were planned by a clock that has been put back since, at most so many.
pub(super) fn misplanned(
    connection: &Connection,
    now: i64,
    limit: usize,
) -> rusqlite::Result<Vec<DeliveryId>> {
    connection
        .prepare_cached(
            "SELECT id FROM deliveries WHERE due IS NOT NULL AND due < ?3 AND coalesce(planned, created) > ?1 \
             LIMIT ?2",
        )?
        .query_map(params![now.saturating_add(TOLERANCE), limit, PARKED], |row| row.get(0).map(DeliveryId))?
        .collect()
}

/// Counts their waits anew.
#[derive(Debug)]
pub(super) struct Replan {
    pub(super) deliveries: Vec<DeliveryId>,
    pub(super) now: i64,
}

impl Write for Replan {
    /// How many there were still.
    type Out = usize;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<usize> {
        let mut update = batch.connection.prepare_cached(
            "UPDATE deliveries SET due = ?2 + max(due - coalesce(planned, created), 0), planned = ?2 \
             WHERE id = ?1 AND due IS NOT NULL AND due < ?4 AND coalesce(planned, created) > ?3",
        )?;
        let mut planned = 0;
        for id in &self.deliveries {
            planned += update.execute(params![id.0, self.now, self.now.saturating_add(TOLERANCE), PARKED])?;
        }
        Ok(planned)
    }
}
