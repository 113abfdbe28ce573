//! Records attempts and what follows from them.

use super::batch::Batch;
use super::job::Write;
use super::row::clamp;
use crate::store::{DeliveryStatus, Recorded, Settled, Settlement};
use rusqlite::{OptionalExtension, params};

/// The writer's part.
#[derive(Debug)]
pub(super) struct Settle(pub(super) Vec<Settlement>);

impl Write for Settle {
    type Out = Vec<Recorded>;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Vec<Recorded>> {
        self.0.iter().map(|settlement| settle(batch, settlement)).collect()
    }

    fn weight(&self) -> usize {
        self.0.iter().map(|one| one.attempt.answer.as_ref().map_or(64, String::len)).sum()
    }
}

fn settle(batch: &mut Batch<'_, '_>, settlement: &Settlement) -> rusqlite::Result<Recorded> {
    let Settlement { lease, attempt, settled, now } = settlement;
    if !batch.end_lease(*lease) {
        return Ok(Recorded::Stale);
    }
    let id = lease.delivery;
    let found = batch
        .statements
        .read_delivery
        .query_row([id.0], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, DeliveryStatus>(1)?,
                row.get::<_, u32>(2)?,
                row.get::<_, Option<String>>(3)?,
                row.get::<_, i64>(4)?,
                row.get::<_, Option<i64>>(5)?,
                row.get::<_, Option<String>>(6)?,
                (row.get::<_, Option<i64>>(7)?, row.get::<_, Option<i64>>(8)?),
                row.get::<_, i64>(9)?,
            ))
        })
        .optional()?;
    // A leased delivery is not deleted; it is gone only if somebody else has written to the file.
    let Some((subscription, before, attempts, reason, created, ended_after, lane, was, seq)) = found else {
        return Ok(Recorded::Stale);
    };
    let (open, now) = (before == DeliveryStatus::Pending, clamp(*now));
    // A delivery that was abandoned while it was being attempted stays so, unless it has arrived after all.
    let (status, due) = match settled {
        Settled::Delivered => (DeliveryStatus::Delivered, None),
        _ if !open => (before, None),
        Settled::Discarded => (DeliveryStatus::Discarded, None),
        Settled::Dead => (DeliveryStatus::Dead, None),
        Settled::Retry(due) => (DeliveryStatus::Pending, Some(clamp(*due))),
        // As if it had not begun.
        Settled::Interrupted => (DeliveryStatus::Pending, was.0),
    };
    let ended_after = match due {
        Some(_) => None,
        None if status == before => ended_after,
        // A clock that was put back meanwhile makes nothing end before it was made.
        None => Some(now.saturating_sub(created).max(0)),
    };
    let reason = match status {
        _ if status == before => reason,
        DeliveryStatus::Dead | DeliveryStatus::Discarded => attempt.reason(),
        _ => None,
    };
    let is_interrupted = *settled == Settled::Interrupted;
    let planned = if is_interrupted { was.1 } else { due.map(|_| now) };
    let used = u32::from(!is_interrupted);
    let statement = &mut batch.statements.settle_delivery;
    statement.execute(params![id.0, status, due, planned, ended_after, reason, used])?;
    let micros = i64::try_from(attempt.duration.as_micros()).unwrap_or(i64::MAX);
    batch.statements.insert_attempt.execute(params![
        id.0,
        attempts + 1,
        clamp(attempt.started),
        micros,
        attempt.status,
        attempt.error,
        attempt.answer,
    ])?;
    batch.count(&subscription, id, i64::from(due.is_some()) - i64::from(open))?;
    match (status, &lane) {
        (DeliveryStatus::Dead, Some(lane)) => batch.backlog.give_up(&subscription, lane),
        (DeliveryStatus::Delivered | DeliveryStatus::Discarded, Some(lane)) => {
            batch.outlive(&subscription, lane, seq)?;
        }
        _ => {}
    }
    let is_freed = match lane {
        Some(lane) if due.is_none() => batch.free_lane(&subscription, &lane, now)?,
        _ => false,
    };
    Ok(if is_freed { Recorded::Freed } else { Recorded::Recorded })
}
