//! Listings of deliveries.
//!
//! The ended ones are in indexes. The open ones are not, since every delivery would go into them and out again at once;
//! they are found by the stretches of numbers that the process knows to have some.

use super::{behind, column, jump, merge, page};
use crate::store::sqlite::backlog::Backlog;
use crate::store::sqlite::plan::prepare;
use crate::store::sqlite::row::{self, ATTEMPT, DELIVERY, clamp};
use crate::store::sqlite::segment::{Axis, Span, spans};
use crate::store::{Attempt, Delivery, DeliveryId, DeliveryQuery, DeliveryStatus, EventSeq, Order, Page};
use rusqlite::{Connection, OptionalExtension, params};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Up to so many open deliveries of a subscription are gone through in the order in which they fall due; of more, the
/// newest are looked for among all that are open.
const FEW_OPEN: u64 = 100_000;

/// With more subscriptions than this, delivered ones of all of them are looked for one by one from the newest on.
const FEW_SUBSCRIPTIONS: usize = 2_000;

/// Lists deliveries; see [`crate::store::DeliveryStore::deliveries`].
pub(in crate::store::sqlite) fn deliveries(
    connection: &Connection,
    backlog: &Backlog,
    query: &DeliveryQuery,
) -> rusqlite::Result<Page<Delivery>> {
    let snapshot = connection.unchecked_transaction()?;
    let DeliveryQuery { subscription, status, event, since, until, cursor, limit } = query;
    let (since, until) = (since.map(clamp), until.map(clamp));
    let spans = spans(&snapshot, Axis::Delivery, since, until)?;
    let spans = behind(spans, Order::Newest, cursor.map(|DeliveryId(id)| id));
    let finder = Finder { connection: &snapshot, backlog };
    let subscription = subscription.as_deref();
    let mut row = prepare(
        &snapshot,
        &format!(
            "SELECT {DELIVERY} FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.id = ?1 \
         AND (?2 IS NULL OR d.created >= ?2) AND (?3 IS NULL OR d.created < ?3) \
         AND (?4 IS NULL OR d.subscription = ?4) AND (?5 IS NULL OR d.status = ?5)"
        ),
    )?;
    page(
        spans,
        Order::Newest,
        *limit,
        |span, most| match (event, subscription, status) {
            (Some(seq), _, _) => finder.of_event(*seq, span, most),
            (None, None, None) => finder.any(span, most),
            (None, Some(id), None) => finder.of_subscription(id, span, most),
            (None, Some(id), Some(status)) => finder.in_state(id, *status, span, most),
            (None, None, Some(status)) => finder.with_status(*status, span, most),
        },
        |id| row.query_row(params![id, since, until, subscription, status], row::delivery).optional(),
    )
}

struct Finder<'f> {
    connection: &'f Connection,
    backlog: &'f Backlog,
}

impl Finder<'_> {
    fn any(&self, (from, to): Span, most: usize) -> rusqlite::Result<Vec<i64>> {
        let sql = "SELECT id FROM deliveries WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT ?3";
        column(prepare(self.connection, sql)?, params![from, to, most])
    }

    fn of_event(&self, seq: EventSeq, (from, to): Span, most: usize) -> rusqlite::Result<Vec<i64>> {
        let sql = "SELECT id FROM deliveries INDEXED BY delivery_event WHERE seq = ?1 AND id BETWEEN ?2 AND ?3 \
                   ORDER BY id DESC LIMIT ?4";
        column(prepare(self.connection, sql)?, params![seq.0, from, to, most])
    }

    fn of_subscription(&self, id: &str, span: Span, most: usize) -> rusqlite::Result<Vec<i64>> {
        use DeliveryStatus::{Dead, Delivered, Discarded, Pending};
        let mut found = Vec::new();
        for status in [Pending, Delivered, Discarded, Dead] {
            found.extend(self.in_state(id, status, span, most)?);
        }
        Ok(merge(found, Order::Newest, most))
    }

    fn in_state(
        &self,
        id: &str,
        status: DeliveryStatus,
        (from, to): Span,
        most: usize,
    ) -> rusqlite::Result<Vec<i64>> {
        if status == DeliveryStatus::Pending {
            return self.open_of(id, (from, to), most);
        }
        let sql = "SELECT id FROM deliveries INDEXED BY delivery_ended WHERE due IS NULL AND subscription = ?1 \
                   AND status = ?2 AND id BETWEEN ?3 AND ?4 ORDER BY id DESC LIMIT ?5";
        column(prepare(self.connection, sql)?, params![id, status, from, to, most])
    }

    fn with_status(
        &self,
        status: DeliveryStatus,
        (from, to): Span,
        most: usize,
    ) -> rusqlite::Result<Vec<i64>> {
        match status {
            DeliveryStatus::Pending => self.open(None, (from, to), most),
            DeliveryStatus::Delivered => self.delivered((from, to), most),
            DeliveryStatus::Discarded | DeliveryStatus::Dead => {
                let sql = "SELECT id FROM deliveries INDEXED BY delivery_failed \
                           WHERE status IN ('dead', 'discarded') AND status = ?1 AND id BETWEEN ?2 AND ?3 \
                           ORDER BY id DESC LIMIT ?4";
                column(prepare(self.connection, sql)?, params![status, from, to, most])
            }
        }
    }

    /// Delivered ones of all subscriptions: nearly all are, so the newest are looked at first.
    fn delivered(&self, (from, to): Span, most: usize) -> rusqlite::Result<Vec<i64>> {
        let newest = self.any((from, to), most * 4)?;
        let mut status = prepare(self.connection, "SELECT status FROM deliveries WHERE id = ?1")?;
        let mut found = Vec::new();
        for id in &newest {
            if status.query_row([id], |row| row.get::<_, DeliveryStatus>(0))? == DeliveryStatus::Delivered {
                found.push(*id);
            }
        }
        if found.len() >= most || newest.len() < most * 4 {
            found.truncate(most);
            return Ok(found);
        }
        let next = "SELECT subscription FROM deliveries INDEXED BY delivery_ended WHERE due IS NULL \
                    AND subscription > ?1 ORDER BY subscription LIMIT 1";
        let subscriptions = jump(self.connection, next, None)?;
        if subscriptions.len() > FEW_SUBSCRIPTIONS {
            let sql = "SELECT id FROM deliveries WHERE id BETWEEN ?1 AND ?2 AND status = 'delivered' \
                       ORDER BY id DESC LIMIT ?3";
            return column(prepare(self.connection, sql)?, params![from, to, most]);
        }
        let mut found = Vec::new();
        for subscription in subscriptions {
            found.extend(self.in_state(&subscription, DeliveryStatus::Delivered, (from, to), most)?);
            if found.len() > most * 16 {
                found = merge(found, Order::Newest, most);
            }
        }
        Ok(merge(found, Order::Newest, most))
    }

    fn open_of(&self, subscription: &str, (from, to): Span, most: usize) -> rusqlite::Result<Vec<i64>> {
        if self.backlog.of(subscription) > FEW_OPEN {
            return self.open(Some(subscription), (from, to), most);
        }
        let mut statement = prepare(
            self.connection,
            "SELECT id FROM deliveries INDEXED BY delivery_due WHERE subscription = ?1 AND due IS NOT NULL",
        )?;
        let mut rows = statement.query([subscription])?;
        // The newest of them, the oldest on top.
        let mut newest = BinaryHeap::with_capacity(most + 1);
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if (from..=to).contains(&id) {
                newest.push(Reverse(id));
                if newest.len() > most {
                    newest.pop();
                }
            }
        }
        Ok(merge(newest.into_iter().map(|Reverse(id)| id).collect(), Order::Newest, most))
    }

    /// Open ones, of one subscription or of all, stretch by stretch.
    fn open(
        &self,
        subscription: Option<&str>,
        (from, mut to): Span,
        most: usize,
    ) -> rusqlite::Result<Vec<i64>> {
        let mut found: Vec<i64> = Vec::new();
        while found.len() < most
            && let Some((begin, end)) = self.backlog.newest_stretch(from, to)
        {
            let sql = "SELECT id FROM deliveries WHERE id BETWEEN ?1 AND ?2 AND due IS NOT NULL \
                       AND (?3 IS NULL OR subscription = ?3) ORDER BY id DESC LIMIT ?4";
            let statement = prepare(self.connection, sql)?;
            found.extend(column::<i64>(statement, params![begin, end, subscription, most - found.len()])?);
            to = begin - 1;
        }
        Ok(found)
    }
}

/// A delivery with its attempts.
pub(in crate::store::sqlite) fn delivery(
    connection: &Connection,
    id: DeliveryId,
) -> rusqlite::Result<Option<(Delivery, Vec<Attempt>)>> {
    let snapshot = connection.unchecked_transaction()?;
    let delivery = prepare(
        &snapshot,
        &format!("SELECT {DELIVERY} FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.id = ?1"),
    )?
    .query_row([id.0], row::delivery)
    .optional()?;
    let Some(delivery) = delivery else { return Ok(None) };
    let attempts =
        prepare(&snapshot, &format!("SELECT {ATTEMPT} FROM attempts WHERE delivery = ?1 ORDER BY number"))?
            .query_map([id.0], row::attempt)?
            .collect::<rusqlite::Result<_>>()?;
    Ok(Some((delivery, attempts)))
}
