//! Values as they are in the tables.

use crate::store::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, EventRecord, EventSeq, LeasedDelivery, RequestRecord,
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

/// Columns behind [`EVENT`] for [`record`].
pub(super) const RECORD: &str = "e.seq, e.request, e.received, length(e.data), \
     (SELECT count(*) FROM deliveries d WHERE d.seq = e.seq)";

/// Reads [`EVENT`] and [`RECORD`].
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    let request = row.get_ref(7)?.as_str()?;
    let request: RequestRecord = serde_json::from_str(request)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(7, Type::Text, error.into()))?;
    Ok(EventRecord {
        event: event(row)?,
        seq: EventSeq(row.get(6)?),
        request,
        received: time(row, 8)?,
        size: row.get(9)?,
        deliveries: row.get(10)?,
    })
}

/// Columns behind [`EVENT`] for [`leased`], with the delivery as `d`.
pub(super) const LEASED: &str = "d.id, d.subscription, d.seq, d.tries, e.data";

/// Reads [`EVENT`] and [`LEASED`].
pub(super) fn leased(row: &Row<'_>) -> rusqlite::Result<LeasedDelivery> {
    Ok(LeasedDelivery {
        event: event(row)?,
        id: DeliveryId(row.get(6)?),
        subscription: row.get(7)?,
        seq: EventSeq(row.get(8)?),
        attempts: row.get(9)?,
        data: Bytes::from(row.get::<_, Vec<u8>>(10)?),
    })
}

/// Columns for [`delivery`], with the delivery as `d` and its event as `e`.
pub(super) const DELIVERY: &str = "d.id, d.subscription, d.seq, e.id, e.source, e.type, d.status, d.attempts, \
     d.created, d.due, d.reason";

/// Reads [`DELIVERY`].
pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: DeliveryId(row.get(0)?),
        subscription: row.get(1)?,
        seq: EventSeq(row.get(2)?),
        event_id: row.get(3)?,
        source: row.get(4)?,
        kind: row.get(5)?,
        status: row.get(6)?,
        attempts: row.get(7)?,
        created: time(row, 8)?,
        due: row.get::<_, Option<u64>>(9)?.map(UnixMillis),
        reason: row.get(10)?,
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
