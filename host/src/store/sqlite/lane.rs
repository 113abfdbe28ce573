//! Lanes: the deliveries of one subscription and one ordering key, which are made one after another.
//!
//! Of a lane at most one open delivery has a time at which it falls due; the others are *parked*. So finding what is due
//! costs no more than without an order, however many wait behind one that fails.

use super::batch::Batch;
use crate::store::EventSeq;
use rusqlite::{Connection, OptionalExtension, params};

/// When a parked delivery falls due: in 285 000 years, and later than anything that is not parked.
pub(super) const PARKED: i64 = 9_000_000_000_000_000;

/// Frees the first of each lane in which none is due. There is none unless a subscription's end was broken off half-way.
pub(super) fn heal(connection: &Connection) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE deliveries SET due = created, planned = created WHERE id IN (SELECT min(id) FROM deliveries \
         WHERE lane IS NOT NULL AND due IS NOT NULL GROUP BY subscription, lane HAVING min(due) = ?1)",
        [PARKED],
    )
}

/// Which delivery of a lane comes first, and when it is due.
fn head(connection: &Connection, subscription: &str, lane: &str) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached(
            "SELECT id, due FROM deliveries WHERE subscription = ?1 AND lane = ?2 AND due IS NOT NULL \
             ORDER BY due, id LIMIT 1",
        )?
        .query_row([subscription, lane], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

impl Batch<'_, '_> {
    /// Whether a new delivery has to wait for another one of its lane.
    pub(super) fn has_open(&self, subscription: &str, lane: &str) -> rusqlite::Result<bool> {
        head(self.connection, subscription, lane).map(|head| head.is_some())
    }

    /// Whether a delivery that is made due again has to wait for another one of its lane, which is due before.
    pub(super) fn is_behind(&self, subscription: &str, lane: &str, delivery: i64) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT 1 FROM deliveries WHERE subscription = ?1 AND lane = ?2 AND due < ?3 AND id <> ?4",
            )?
            .exists(params![subscription, lane, PARKED, delivery])
    }

    /// A delivery of a lane has ended: the next one falls due. Says whether there is one.
    pub(super) fn free_lane(&mut self, subscription: &str, lane: &str, now: i64) -> rusqlite::Result<bool> {
        let Some((next, PARKED)) = head(self.connection, subscription, lane)? else { return Ok(false) };
        // As old as it is: what has waited longest goes first. A clock that was put back says nothing of the future.
        self.connection
            .prepare_cached(
                "UPDATE deliveries SET due = min(created, ?2), planned = min(created, ?2) WHERE id = ?1",
            )?
            .execute(params![next, now])?;
        Ok(true)
    }

    /// A delivery of a lane has arrived or was discarded: those of earlier events in it go back behind it if they are made due
    /// again, or were.
    pub(super) fn outlive(&self, subscription: &str, lane: &str, seq: i64) -> rusqlite::Result<()> {
        if !self.backlog.is_outlivable(subscription, lane) {
            return Ok(());
        }
        let dead = "UPDATE deliveries INDEXED BY delivery_dead SET outlived = 1 \
                    WHERE lane = ?1 AND subscription = ?2 AND status = 'dead' AND seq < ?3";
        let open = "UPDATE deliveries INDEXED BY delivery_lane SET outlived = 1 \
                    WHERE lane = ?1 AND subscription = ?2 AND due IS NOT NULL AND seq < ?3";
        let mut found = 0;
        for sql in [dead, open] {
            found += self.connection.prepare_cached(sql)?.execute(params![lane, subscription, seq])?;
        }
        let left = "SELECT 1 FROM deliveries INDEXED BY delivery_dead \
                    WHERE lane = ?1 AND subscription = ?2 AND status = 'dead'";
        if found == 0 && !self.connection.prepare_cached(left)?.exists(params![lane, subscription])? {
            self.backlog.none_is_outlivable(subscription, lane);
        }
        Ok(())
    }

    /// The lane that an earlier delivery of an event to a subscription had.
    pub(super) fn lane_before(&self, seq: EventSeq, subscription: &str) -> rusqlite::Result<Option<String>> {
        self.connection
            .prepare_cached(
                "SELECT lane FROM deliveries WHERE seq = ?1 AND subscription = ?2 ORDER BY id LIMIT 1",
            )?
            .query_row(params![seq.0, subscription], |row| row.get(0))
            .optional()
            .map(Option::flatten)
    }
}
