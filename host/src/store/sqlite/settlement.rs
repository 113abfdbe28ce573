//! Records an attempt and what follows from it.

use super::batch::Batch;
use super::job::Write;
use super::row::clamp;
use crate::store::{DeliveryStatus, Settled, Settlement};
use rusqlite::{OptionalExtension, params};

/// The writer's part.
#[derive(Debug)]
pub(super) struct Settle(pub(super) Settlement);

impl Write for Settle {
    /// Whether there is such a delivery.
    type Out = bool;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<bool> {
        let Settlement { delivery, attempt, settled } = &self.0;
        let found = batch
            .statements
            .read_delivery
            .query_row([delivery.0], |row| {
                let reason: Option<String> = row.get(3)?;
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, DeliveryStatus>(1)?,
                    row.get::<_, u32>(2)?,
                    reason,
                ))
            })
            .optional()?;
        batch.end_lease(*delivery);
        let Some((subscription, before, attempts, reason)) = found else { return Ok(false) };
        let open = before == DeliveryStatus::Pending;
        // A delivery that was abandoned while it was being attempted stays so, unless it has arrived after all.
        let (status, due) = match settled {
            Settled::Delivered => (DeliveryStatus::Delivered, None),
            _ if !open => (before, None),
            Settled::Discarded => (DeliveryStatus::Discarded, None),
            Settled::Dead => (DeliveryStatus::Dead, None),
            Settled::Retry(due) => (DeliveryStatus::Pending, Some(clamp(*due))),
        };
        let reason = reason.filter(|_| status == before);
        batch.statements.settle_delivery.execute(params![delivery.0, status, due, reason])?;
        let micros = i64::try_from(attempt.duration.as_micros()).unwrap_or(i64::MAX);
        batch.statements.insert_attempt.execute(params![
            delivery.0,
            attempts + 1,
            clamp(attempt.started),
            micros,
            attempt.status,
            attempt.error,
            attempt.answer,
        ])?;
        batch.count(&subscription, i64::from(due.is_some()) - i64::from(open));
        Ok(true)
    }
}
