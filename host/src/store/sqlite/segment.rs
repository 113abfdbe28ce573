//! The stretch of the log that is being written, with the positions handed out and the times in it.

use super::plan::prepare;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};

/// How many entries or deliveries end a segment.
const LENGTH: i64 = 1024;

/// The least and the greatest of some times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Times {
    fn include(times: &mut Option<Self>, time: i64) {
        let times = times.get_or_insert(Self { from: time, to: time });
        times.from = times.from.min(time);
        times.to = times.to.max(time);
    }

    /// Whether one of them may be at `since` or later and before `until`.
    pub(super) fn overlap(&self, since: Option<i64>, until: Option<i64>) -> bool {
        since.is_none_or(|since| self.to >= since) && until.is_none_or(|until| self.from < until)
    }
}

/// One segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    number: i64,
    /// The last positions before it.
    before: (i64, i64),
    /// The last event handed out.
    pub(super) event: i64,
    /// The last delivery handed out.
    pub(super) delivery: i64,
    pub(super) received: Option<Times>,
    pub(super) created: Option<Times>,
}

/// Columns for [`read_row`].
pub(super) const SEGMENT: &str =
    "number, event, delivery, received_from, received_to, created_from, created_to";

/// Reads [`SEGMENT`].
fn read_row(row: &Row<'_>) -> rusqlite::Result<Segment> {
    let times = |from: usize| -> rusqlite::Result<Option<Times>> {
        let (from, to): (Option<i64>, Option<i64>) = (row.get(from)?, row.get(from + 1)?);
        Ok(from.zip(to).map(|(from, to)| Times { from, to }))
    };
    let (event, delivery) = (row.get(1)?, row.get(2)?);
    Ok(Segment {
        number: row.get(0)?,
        before: (event, delivery),
        event,
        delivery,
        received: times(3)?,
        created: times(5)?,
    })
}

impl Segment {
    /// The one that is being written.
    pub(super) fn last(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = format!("SELECT {SEGMENT} FROM segments ORDER BY number DESC LIMIT 2");
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query_map((), read_row)?;
        let Some(mut last) = rows.next().transpose()? else {
            let nothing =
                Self { number: 1, before: (0, 0), event: 0, delivery: 0, received: None, created: None };
            return Ok(nothing);
        };
        last.before = rows.next().transpose()?.map_or((0, 0), |one: Self| (one.event, one.delivery));
        Ok(last.go_on())
    }

    /// Notes an event of the next position.
    pub(super) fn add_event(&mut self, received: i64) {
        self.event += 1;
        Times::include(&mut self.received, received);
    }

    /// Notes a delivery of the next number.
    pub(super) fn add_delivery(&mut self, created: i64) {
        self.delivery += 1;
        Times::include(&mut self.created, created);
    }

    /// The segment to write next: itself, or an empty one behind it.
    pub(super) fn go_on(self) -> Self {
        if self.event - self.before.0 < LENGTH && self.delivery - self.before.1 < LENGTH {
            return self;
        }
        Self {
            number: self.number + 1,
            before: (self.event, self.delivery),
            received: None,
            created: None,
            ..self
        }
    }

    /// The statement for [`Self::write`].
    pub(super) const PUT: &str = "INSERT INTO segments (number, event, delivery, received_from, received_to, created_from, created_to) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (number) DO UPDATE SET event = excluded.event, \
         delivery = excluded.delivery, received_from = excluded.received_from, received_to = excluded.received_to, \
         created_from = excluded.created_from, created_to = excluded.created_to";

    /// Writes it as it is now.
    pub(super) fn write(&self, put: &mut Statement<'_>) -> rusqlite::Result<()> {
        let Self { number, event, delivery, received, created, .. } = self;
        let from = |times: &Option<Times>| times.map(|times| times.from);
        let to = |times: &Option<Times>| times.map(|times| times.to);
        put.execute(params![
            number,
            event,
            delivery,
            from(received),
            to(received),
            from(created),
            to(created)
        ])
        .map(drop)
    }
}

/// A stretch of positions, both ends included.
pub(super) type Span = (i64, i64);

/// Which of the positions a range of time is looked for in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Axis {
    Event,
    Delivery,
}

/// The stretches of positions that may have something from `since` on and before `until`, oldest first.
pub(super) fn spans(
    connection: &Connection,
    axis: Axis,
    since: Option<i64>,
    until: Option<i64>,
) -> rusqlite::Result<Vec<Span>> {
    if since.is_none() && until.is_none() {
        return Ok(vec![(0, i64::MAX)]);
    }
    let mut statement = prepare(connection, &format!("SELECT {SEGMENT} FROM segments ORDER BY number"))?;
    let mut rows = statement.query(())?;
    let mut spans: Vec<Span> = Vec::new();
    let mut before = 0;
    while let Some(row) = rows.next()? {
        let segment = read_row(row)?;
        let (last, times) = match axis {
            Axis::Event => (segment.event, segment.received),
            Axis::Delivery => (segment.delivery, segment.created),
        };
        if times.is_some_and(|times| times.overlap(since, until)) {
            match spans.last_mut() {
                Some(span) if span.1 == before => span.1 = last,
                _ => spans.push((before + 1, last)),
            }
        }
        before = last;
    }
    Ok(spans)
}

/// Forgets the segments of which nothing is left; the last one stays.
pub(super) fn forget(connection: &Connection) -> rusqlite::Result<usize> {
    let first = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0)).optional();
    let event = first("SELECT seq FROM events ORDER BY seq LIMIT 1")?.unwrap_or(i64::MAX);
    let delivery = first("SELECT id FROM deliveries ORDER BY id LIMIT 1")?.unwrap_or(i64::MAX);
    connection.execute(
        "DELETE FROM segments WHERE event < ?1 AND delivery < ?2 \
         AND number < (SELECT max(number) FROM segments) - 1",
        [event, delivery],
    )
}
