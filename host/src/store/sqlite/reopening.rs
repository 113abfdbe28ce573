//! Changes of deliveries by hand: replay, retry, abandon.

use super::batch::Batch;
use super::job::Write;
use crate::store::{DeliveryId, DeliveryStatus, EventSeq};
use rusqlite::{OptionalExtension, params};

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
        let made = batch.insert_deliveries(self.seq, &self.subscriptions, self.now)?;
        Ok(made.into_iter().map(|(id, _)| id).collect())
    }
}

/// A delivery made due again.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) id: DeliveryId,
    pub(super) now: i64,
}

impl Write for Retry {
    type Out = Option<bool>;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Option<bool>> {
        let found = batch
            .statements
            .read_delivery
            .query_row([self.id.0], |row| Ok((row.get::<_, String>(0)?, row.get::<_, DeliveryStatus>(1)?)))
            .optional()?;
        let Some((subscription, status)) = found else { return Ok(None) };
        if batch.leases.holds(self.id) {
            return Ok(Some(false));
        }
        batch
            .connection
            .prepare_cached(
                "UPDATE deliveries SET status = 'pending', due = ?2, tries = 0, reason = NULL WHERE id = ?1",
            )?
            .execute(params![self.id.0, self.now])?;
        batch.count(&subscription, i64::from(status != DeliveryStatus::Pending));
        Ok(Some(true))
    }
}

/// A step of ending a subscription's open deliveries.
#[derive(Debug)]
pub(super) struct Abandon {
    pub(super) subscription: String,
    pub(super) reason: String,
    /// At most so many.
    pub(super) limit: usize,
}

impl Write for Abandon {
    /// How many there were, at most the limit.
    type Out = usize;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<usize> {
        let ended = batch
            .connection
            .prepare_cached(
                "UPDATE deliveries SET status = 'dead', due = NULL, reason = ?2 WHERE id IN \
                 (SELECT id FROM deliveries WHERE subscription = ?1 AND due IS NOT NULL LIMIT ?3)",
            )?
            .execute(params![self.subscription, self.reason, self.limit])?;
        batch.count(&self.subscription, -i64::try_from(ended).unwrap_or(i64::MAX));
        Ok(ended)
    }
}
