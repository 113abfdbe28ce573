//! Deletes what is old, in steps that are looked up beside the writer and take little of its time.
//!
//! The log is gone through from its oldest event. An event goes, with the keys that were written with it, once it has
//! no deliveries left; so a repeated event is recognised for as long as the first one is kept.
//! The file does not shrink: what is freed is used again by what comes next.

use super::batch::Batch;
use super::job::Write;
use crate::store::{DeliveryId, EventSeq};
use rusqlite::{Connection, OptionalExtension, params};

/// The clock may have been wrong for a while: so many younger events in a row end the search, not the first one.
const YOUNGER: usize = 256;

/// What one step is to delete.
#[derive(Debug, Default)]
pub(super) struct Step {
    deliveries: Vec<DeliveryId>,
    events: Vec<EventSeq>,
    /// Keys that no event owns, written before this time, at most so many.
    loose_keys: Option<(i64, i64)>,
    /// Where the next step begins; the log's start once all of it was seen.
    pub(super) next: i64,
    /// How far this step looked.
    pub(super) seen: i64,
}

impl Step {
    /// Whether the end of the log was seen; the keys without an event come last.
    pub(super) fn is_last(&self) -> bool {
        self.loose_keys.is_some()
    }
}

/// Looks up a step of about `limit` rows from behind a position in the log.
pub(super) fn find(
    connection: &Connection,
    behind: i64,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Step> {
    let snapshot = connection.unchecked_transaction()?;
    let mut events =
        snapshot.prepare_cached("SELECT seq, received FROM events WHERE seq > ?1 ORDER BY seq")?;
    let mut deliveries =
        snapshot.prepare_cached("SELECT id, due IS NULL AND created < ?2 FROM deliveries WHERE seq = ?1")?;
    let mut step = Step { next: behind, seen: behind, ..Step::default() };
    let mut younger = 0;
    let mut rows = events.query([behind])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        if row.get::<_, i64>(1)? >= before {
            younger += 1;
            if younger == YOUNGER {
                break;
            }
            continue;
        }
        younger = 0;
        step.seen = seq;
        let mut kept = false;
        let mut of_event = deliveries.query(params![seq, before])?;
        while let Some(row) = of_event.next()? {
            if !row.get::<_, bool>(1)? {
                kept = true;
            } else if step.deliveries.len() + step.events.len() >= limit {
                // The rest of this event's deliveries is left to the next step.
                return Ok(step);
            } else {
                step.deliveries.push(DeliveryId(row.get(0)?));
            }
        }
        if !kept {
            step.events.push(EventSeq(seq));
        }
        step.next = seq;
        if step.deliveries.len() + step.events.len() >= limit {
            return Ok(step);
        }
    }
    // All of the log was seen: what is old and still there is looked at again from the start, another time.
    step.next = 0;
    step.seen = 0;
    step.loose_keys = Some((before, i64::try_from(limit).unwrap_or(i64::MAX)));
    Ok(step)
}

/// The writer's part: deletes it unless it has come to life since.
#[derive(Debug)]
pub(super) struct Expire(pub(super) Step);

impl Write for Expire {
    /// How many rows went.
    type Out = usize;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<usize> {
        let connection = batch.connection;
        let mut gone = 0;
        let mut delete_delivery =
            connection.prepare_cached("DELETE FROM deliveries WHERE id = ?1 AND due IS NULL")?;
        let mut delete_attempts = connection.prepare_cached("DELETE FROM attempts WHERE delivery = ?1")?;
        for id in &self.0.deliveries {
            // A delivery that is abandoned while it is attempted will still want to record the attempt.
            if !batch.leases.holds(*id) && delete_delivery.execute([id.0])? == 1 {
                gone += 1 + delete_attempts.execute([id.0])?;
            }
        }
        let mut delete_event = connection.prepare_cached(
            "DELETE FROM events WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE seq = ?1) \
             RETURNING keys",
        )?;
        let mut delete_key = connection.prepare_cached("DELETE FROM keys WHERE key = ?1 AND seq = ?2")?;
        for seq in &self.0.events {
            let keys: Option<Option<String>> =
                delete_event.query_row([seq.0], |row| row.get(0)).optional()?;
            let Some(keys) = keys else { continue };
            gone += 1;
            for key in keys.as_deref().map(key_list).unwrap_or_default() {
                gone += delete_key.execute(params![key, seq.0])?;
            }
        }
        if let Some((before, limit)) = self.0.loose_keys {
            gone += connection
                .prepare_cached(
                    "DELETE FROM keys WHERE key IN \
                     (SELECT key FROM keys WHERE seq IS NULL AND written < ?1 LIMIT ?2)",
                )?
                .execute(params![before, limit])?;
        }
        Ok(gone)
    }
}

/// The keys as the commit listed them; a list that somebody else spoilt must not keep the event for ever.
fn key_list(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| {
        tracing::warn!(%error, "an event's list of keys cannot be read; its keys stay");
        Vec::new()
    })
}
