//! Deletes what is old, in steps that are looked up beside the writer and take little of its time.
//!
//! A delivery goes once it has ended long ago: one that is retried by hand is as young as its new end. One of a document that was
//! given up stays for as long as it is all that is left to tell its subscriber.
//! The log is gone through from its oldest event. An event goes, with the keys that were written with it, once it has
//! no deliveries left and waits in no callback's inbox; so a repeated event is recognised for as long as the first one is kept. Where a full backlog leaves
//! events in the log, nothing goes from there on.
//! The file does not shrink: what is freed is used again by what comes next.

use super::batch::Batch;
use super::job::Write;
use super::row::ENDED;
use super::{bulk, call, callback, resource, segment, subscription};
use crate::store::{DeliveryId, EventSeq, FailedFilter};
use anglerfish_core::request::UnixMillis;
use rusqlite::{Connection, OptionalExtension, params};

/// The clock may have been wrong for a while: so many younger events in a row end the search, not the first one.
const YOUNGER: usize = 256;

/// How much longer than the retention an abandoned subscription stays marked, in milliseconds: longer than any decision
/// that names it is on its way, however short the retention is.
const MARKED: i64 = 600_000;

/// What one step is to delete.
#[derive(Debug, Default)]
pub(super) struct Step {
    deliveries: Vec<DeliveryId>,
    events: Vec<EventSeq>,
    /// What is older than this time.
    before: i64,
    /// Keys that no event owns, at most so many.
    loose_keys: Option<i64>,
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
    // What is to be delivered once there is room stays, as what has open deliveries does.
    let last = bulk::awaited(&snapshot)?.unwrap_or(i64::MAX);
    let mut events = snapshot
        .prepare_cached("SELECT seq, received FROM events WHERE seq > ?1 AND seq <= ?2 ORDER BY seq")?;
    let mut deliveries = snapshot.prepare_cached(&format!(
        "SELECT d.id, d.due IS NULL AND {ENDED} < ?2, d.status = 'dead' AND d.lane IS NOT NULL \
         FROM deliveries d WHERE d.seq = ?1"
    ))?;
    let mut inbox = snapshot.prepare_cached(callback::WAITS)?;
    let mut step = Step { next: behind, seen: behind, before, ..Step::default() };
    let mut younger = 0;
    let mut rows = events.query([behind, last])?;
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
        let mut kept = inbox.exists([seq])?;
        let mut of_event = deliveries.query(params![seq, before])?;
        while let Some(row) = of_event.next()? {
            let id = DeliveryId(row.get(0)?);
            if !row.get::<_, bool>(1)? || row.get::<_, bool>(2)? && resource::is_owed(&snapshot, id)? {
                kept = true;
            } else if step.deliveries.len() + step.events.len() >= limit {
                // The rest of this event's deliveries is left to the next step.
                return Ok(step);
            } else {
                step.deliveries.push(id);
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
    step.loose_keys = Some(i64::try_from(limit).unwrap_or(i64::MAX));
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
        let Step { deliveries, events, before, loose_keys, .. } = &self.0;
        let mut gone = 0;
        // It may have been retried and have ended again since it was looked up.
        let mut delete_delivery = connection.prepare_cached(&format!(
            "DELETE FROM deliveries AS d WHERE d.id = ?1 AND d.due IS NULL AND {ENDED} < ?2"
        ))?;
        let mut delete_attempts = connection.prepare_cached("DELETE FROM attempts WHERE delivery = ?1")?;
        for id in deliveries {
            // A delivery that is abandoned while it is attempted will still want to record the attempt.
            if !batch.leases.holds(*id, UnixMillis(0)) && delete_delivery.execute(params![id.0, before])? == 1
            {
                gone += 1 + delete_attempts.execute([id.0])?;
            }
        }
        let mut last = 0;
        for seq in events {
            let rows = delete_event(connection, *seq)?;
            if rows > 0 {
                gone += rows;
                last = last.max(seq.0);
            }
        }
        if last > 0 {
            // In the same transaction: a reader of the log never finds something missing without being told.
            connection
                .prepare_cached("UPDATE sequence SET last = max(last, ?1) WHERE name = 'expired'")?
                .execute([last])?;
        }
        if let Some(limit) = loose_keys {
            gone += connection
                .prepare_cached(
                    "DELETE FROM keys WHERE key IN \
                     (SELECT key FROM keys WHERE seq IS NULL AND written < ?1 LIMIT ?2)",
                )?
                .execute(params![before, limit])?;
            gone += call::forget(connection, *before, *limit)?;
            gone += callback::forget(connection, *before, *limit)?;
            segment::forget(connection)?;
            subscription::forget_abandoned(connection, before.saturating_sub(MARKED))?;
            bulk::forget(connection, *before)?;
        }
        Ok(gone)
    }
}

/// Deletes an event that has no deliveries left with what belongs to it; says how many rows went.
fn delete_event(connection: &Connection, seq: EventSeq) -> rusqlite::Result<usize> {
    let deleted: Option<(Option<String>, Option<String>)> = connection
        .prepare_cached(
            "DELETE FROM events WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE seq = ?1) \
             RETURNING keys, details ->> '$.failures'",
        )?
        .query_row([seq.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((keys, failures)) = deleted else { return Ok(0) };
    let mut gone = 1;
    let mut delete_key = connection.prepare_cached("DELETE FROM keys WHERE key = ?1 AND seq = ?2")?;
    for key in keys.as_deref().map(key_list).unwrap_or_default() {
        gone += delete_key.execute(params![key, seq.0])?;
    }
    connection.prepare_cached("DELETE FROM repetitions WHERE seq = ?1")?.execute([seq.0])?;
    let failures: Vec<FailedFilter> =
        failures.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    for failure in failures {
        connection
            .prepare_cached("DELETE FROM failed_filters WHERE subscription = ?1 AND seq = ?2")?
            .execute(params![failure.subscription, seq.0])?;
    }
    Ok(gone)
}

/// The keys as the commit listed them; a list that somebody else spoilt must not keep the event for ever.
fn key_list(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| {
        tracing::warn!(%error, "an event's list of keys cannot be read; its keys stay");
        Vec::new()
    })
}
