//! Counts events that came again.

use super::batch::Batch;
use super::row::clamp;
use crate::store::{Repetition, Repetitions};
use anglerfish_core::request::UnixMillis;
use rusqlite::{OptionalExtension, params};

/// Counts one, if the event is still in the log.
pub(super) fn count(batch: &Batch<'_, '_>, repetition: &Repetition) -> rusqlite::Result<()> {
    let Repetition { source, id, received } = repetition;
    let connection = batch.connection;
    let seq: Option<i64> = connection
        .prepare_cached("SELECT seq FROM events WHERE id = ?1 AND source = ?2")?
        .query_row([id, source], |row| row.get(0))
        .optional()?;
    let Some(seq) = seq else { return Ok(()) };
    let known: Option<(u64, String)> = connection
        .prepare_cached("SELECT count, times FROM repetitions WHERE seq = ?1")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let mut known = known.map(|(count, times)| read(count, &times)).unwrap_or_default();
    known.count += 1;
    known.times.push(*received);
    let surplus = known.times.len().saturating_sub(Repetitions::MOST_TIMES);
    known.times.drain(..surplus);
    let times: Vec<String> = known.times.iter().map(|time| clamp(*time).to_string()).collect();
    connection
        .prepare_cached(
            "INSERT INTO repetitions (seq, count, times) VALUES (?1, ?2, ?3) \
             ON CONFLICT (seq) DO UPDATE SET count = excluded.count, times = excluded.times",
        )?
        .execute(params![seq, known.count, format!("[{}]", times.join(","))])
        .map(drop)
}

/// What a row says. Times that somebody else spoilt are left out.
pub(super) fn read(count: u64, times: &str) -> Repetitions {
    let times: Vec<u64> = serde_json::from_str(times).unwrap_or_default();
    Repetitions { count, times: times.into_iter().map(UnixMillis).collect() }
}
