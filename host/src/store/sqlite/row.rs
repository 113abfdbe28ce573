//! Values as they are in the tables.

use super::details::Details;
use super::lane::PARKED;
use super::repetition;
use crate::store::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, EventRecord, EventSeq, LeaseToken, LeasedDelivery,
    LogEntry, WAITS,
};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Row, RowIndex};
use std::time::Duration;

/// A time to compare with; what is beyond the column's range is its end, in 292 million years.
pub(super) fn clamp(time: UnixMillis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// A time to keep exactly, whatever it is; the opposite of [`read_exact`].
pub(super) fn exact(time: UnixMillis) -> i64 {
    time.0.cast_signed()
}

fn read_exact(time: i64) -> UnixMillis {
    UnixMillis(time.cast_unsigned())
}

/// A time from a column; the opposite of [`clamp`].
pub(super) fn time(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<UnixMillis> {
    row.get::<_, u64>(column).map(UnixMillis)
}

impl ToSql for DeliveryStatus {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Discarded => "discarded",
            Self::Dead => "dead",
        }
        .into())
    }
}

impl FromSql for DeliveryStatus {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "pending" => Ok(Self::Pending),
            "delivered" => Ok(Self::Delivered),
            "discarded" => Ok(Self::Discarded),
            "dead" => Ok(Self::Dead),
            other => Err(FromSqlError::Other(format!("unknown delivery status {other:?}").into())),
        }
    }
}

/// Columns for [`event`], of a table or an alias `e`.
pub(super) const EVENT: &str = "e.id, e.source, e.type, e.subject, e.time, e.datacontenttype";

/// Reads [`EVENT`] from the first columns.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        id: row.get(0)?,
        source: row.get(1)?,
        kind: row.get(2)?,
        subject: row.get(3)?,
        time: read_exact(row.get(4)?),
        datacontenttype: row.get(5)?,
        ..Event::default()
    })
}

/// The JSON of `details` in a column.
fn details<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<Details<'r>> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

/// Columns behind [`EVENT`] for [`record`].
pub(super) const RECORD: &str = "e.seq, e.details, e.received, length(e.data), \
     (SELECT count(*) FROM deliveries d WHERE d.seq = e.seq), r.count, r.times";

/// Where [`EVENT`] and [`RECORD`] come from.
pub(super) const RECORDS: &str = "events e LEFT JOIN repetitions r ON r.seq = e.seq";

/// Reads [`EVENT`] and [`RECORD`].
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    let (mut event, seq) = (event(row)?, EventSeq(row.get(6)?));
    let told = details(row, 7)?.tell(&mut event, seq);
    let repetitions = match row.get::<_, Option<u64>>(11)? {
        Some(count) => repetition::read(count, row.get_ref(12)?.as_str()?),
        None => Default::default(),
    };
    Ok(EventRecord {
        event,
        seq,
        origin: told.origin,
        cause: told.cause,
        request: told.request,
        secret: told.secret,
        failures: told.failures,
        received: time(row, 8)?,
        size: row.get(9)?,
        deliveries: row.get(10)?,
        repetitions,
    })
}

/// Columns behind [`EVENT`] for [`entry`].
pub(super) const ENTRY: &str = "e.seq, e.details, e.received, e.data";

/// Reads [`EVENT`] and [`ENTRY`].
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<LogEntry> {
    let (mut event, seq) = (event(row)?, EventSeq(row.get(6)?));
    let told = details(row, 7)?.tell(&mut event, seq);
    Ok(LogEntry {
        event,
        seq,
        origin: told.origin,
        cause: told.cause,
        request: told.request,
        received: time(row, 8)?,
        data: Bytes::from(row.get::<_, Vec<u8>>(9)?),
    })
}

/// Columns behind [`EVENT`] for [`leased`], with the delivery as `d`.
/// Those attempts that count for nothing are the interrupted ones, and those before a retry by hand.
pub(super) const LEASED: &str = "d.id, d.subscription, d.seq, d.tries, d.created, e.details, e.data, \
     CASE WHEN d.attempts > d.tries THEN EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = d.id \
     AND a.status IS NULL AND a.error LIKE 'interrupted: %') ELSE 0 END, d.outlived";

/// Reads [`EVENT`] and [`LEASED`]; whoever leases it puts the token and the deadline in.
pub(super) fn leased(row: &Row<'_>) -> rusqlite::Result<LeasedDelivery> {
    let (mut event, seq) = (event(row)?, EventSeq(row.get(8)?));
    let told = details(row, 11)?.tell(&mut event, seq);
    Ok(LeasedDelivery {
        headers: told.request.map(|request| request.headers).unwrap_or_default().into(),
        event,
        id: DeliveryId(row.get(6)?),
        token: LeaseToken(0),
        until: UnixMillis(0),
        subscription: row.get(7)?,
        seq,
        attempts: row.get(9)?,
        created: time(row, 10)?,
        data: Bytes::from(row.get::<_, Vec<u8>>(12)?),
        interrupted: row.get(13)?,
        outlived: row.get(14)?,
    })
}

/// When a delivery that is not open ended, with the delivery as `d`.
pub(super) const ENDED: &str = "coalesce(d.created + d.ended_after, \
     (SELECT max(a.started + a.duration_us / 1000) FROM attempts a WHERE a.delivery = d.id), d.created)";

/// Columns for [`delivery`], with the delivery as `d` and its event as `e`.
pub(super) const DELIVERY: &str = "d.id, d.subscription, d.seq, e.id, e.source, e.type, d.status, d.attempts, \
     d.created, d.due, d.reason, d.ended_after, \
     CASE WHEN d.due IS NULL AND d.ended_after IS NULL THEN \
     (SELECT max(a.started + a.duration_us / 1000) FROM attempts a WHERE a.delivery = d.id) END";

/// Reads [`DELIVERY`].
pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let (created, due) = (time(row, 8)?, row.get::<_, Option<u64>>(9)?.map(UnixMillis));
    let is_parked = due.is_some_and(|due| clamp(due) == PARKED);
    // As [`ENDED`] has it.
    let ended = match (row.get::<_, Option<i64>>(11)?, row.get::<_, Option<u64>>(12)?) {
        _ if due.is_some() => None,
        (Some(after), _) => Some(UnixMillis(created.0.saturating_add_signed(after))),
        (None, Some(last)) => Some(UnixMillis(last)),
        (None, None) => Some(created),
    };
    Ok(Delivery {
        id: DeliveryId(row.get(0)?),
        subscription: row.get(1)?,
        seq: EventSeq(row.get(2)?),
        event_id: row.get(3)?,
        source: row.get(4)?,
        kind: row.get(5)?,
        status: row.get(6)?,
        attempts: row.get(7)?,
        created,
        due: due.filter(|_| !is_parked),
        ended,
        reason: if is_parked { Some(WAITS.to_owned()) } else { row.get(10)? },
    })
}

/// Columns for [`attempt`].
pub(super) const ATTEMPT: &str = "number, started, duration_us, status, error, answer";

/// Reads [`ATTEMPT`].
pub(super) fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        number: row.get(0)?,
        started: time(row, 1)?,
        duration: Duration::from_micros(row.get(2)?),
        status: row.get(3)?,
        error: row.get(4)?,
        answer: row.get(5)?,
    })
}
