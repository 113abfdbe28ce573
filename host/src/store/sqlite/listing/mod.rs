//! Listings.
//!
//! A listing collects the positions of its rows from indexes, newest first, and reads those rows. Where no index has what
//! is asked for, it is put together from several: the types of a source, the states of a subscription.

mod delivery;
mod event;
mod key;
mod oldest;

pub(super) use delivery::{deliveries, delivery};
pub(super) use event::{data, event, events};
pub(super) use key::keys;
pub(super) use oldest::oldest;

use super::plan::prepare;
use super::segment::Span;
use crate::store::{Order, Page};
use rusqlite::Params;
use rusqlite::{CachedStatement, Connection};

/// How many positions are collected at once: those that are shown and the one that tells of more, within these bounds.
/// With few at once, what a condition that no index knows leaves out would cost many looks; with many, more would be
/// collected than is ever shown.
const LOT: (usize, usize) = (32, 256);

/// Collects a page from what `collect` finds in a stretch of positions (at most so many, in the order of the listing) and
/// what `read` makes of each; `None` leaves it out.
fn page<T>(
    spans: Vec<Span>,
    order: Order,
    limit: usize,
    mut collect: impl FnMut(Span, usize) -> rusqlite::Result<Vec<i64>>,
    mut read: impl FnMut(i64) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Page<T>> {
    let mut items = Vec::new();
    let most = limit.saturating_add(1).clamp(LOT.0, LOT.1);
    let spans: Box<dyn Iterator<Item = Span>> = match order {
        Order::Newest => Box::new(spans.into_iter().rev()),
        Order::Oldest => Box::new(spans.into_iter()),
    };
    for (mut from, mut to) in spans {
        while from <= to {
            let lot = collect((from, to), most)?;
            for position in &lot {
                let Some(item) = read(*position)? else { continue };
                if items.len() == limit {
                    return Ok(Page { items, more: true });
                }
                items.push(item);
            }
            match lot.last() {
                Some(last) if lot.len() == most => match order {
                    Order::Newest => to = last - 1,
                    Order::Oldest => from = last + 1,
                },
                _ => break,
            }
        }
    }
    Ok(Page { items, more: false })
}

/// Cuts stretches to those positions that are behind a cursor.
fn behind(spans: Vec<Span>, order: Order, cursor: Option<i64>) -> Vec<Span> {
    let Some(cursor) = cursor else { return spans };
    let cut = |(from, to): Span| match order {
        Order::Newest => (from, to.min(cursor.saturating_sub(1))),
        Order::Oldest => (from.max(cursor.saturating_add(1)), to),
    };
    spans.into_iter().map(cut).filter(|(from, to)| from <= to).collect()
}

/// Brings positions from several indexes into the order of the listing.
fn merge(mut positions: Vec<i64>, order: Order, most: usize) -> Vec<i64> {
    match order {
        Order::Newest => positions.sort_unstable_by(|left, right| right.cmp(left)),
        Order::Oldest => positions.sort_unstable(),
    }
    positions.truncate(most);
    positions
}

/// The first column of a query's rows.
fn column<T: rusqlite::types::FromSql>(
    mut statement: CachedStatement<'_>,
    values: impl Params,
) -> rusqlite::Result<Vec<T>> {
    statement.query_map(values, |row| row.get(0))?.collect()
}

/// All values that follow each other in an index: `next` is a query for the first one behind another.
fn jump(connection: &Connection, next: &str, fixed: Option<&str>) -> rusqlite::Result<Vec<String>> {
    let mut statement = prepare(connection, next)?;
    let mut values: Vec<String> = Vec::new();
    loop {
        let last = values.last().map_or("", String::as_str);
        let mut rows = match fixed {
            Some(fixed) => statement.query([last, fixed])?,
            None => statement.query([last])?,
        };
        let Some(row) = rows.next()? else { break };
        let value = row.get(0)?;
        drop(rows);
        values.push(value);
    }
    Ok(values)
}
