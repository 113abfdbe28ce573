//! When the oldest open deliveries were made.

use crate::store::Oldest;
use crate::store::sqlite::backlog::Backlog;
use crate::store::sqlite::plan::prepare;
use crate::store::sqlite::row::time;
use anglerfish_core::request::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Params};

/// Of so many open deliveries of a subscription the oldest is found by going through their entries in an index.
const FEW_OPEN: u64 = 512;

/// The oldest of all and of each; see [`crate::store::DeliveryStore::oldest`].
pub(in crate::store::sqlite) fn oldest(
    connection: &Connection,
    backlog: &Backlog,
    subscriptions: &[String],
) -> rusqlite::Result<Oldest> {
    let snapshot = connection.unchecked_transaction()?;
    let of_all = match backlog.oldest_stretch() {
        Some((from, to)) => created(
            &snapshot,
            "SELECT created FROM deliveries WHERE id BETWEEN ?1 AND ?2 AND due IS NOT NULL ORDER BY id LIMIT 1",
            [from, to],
        )?,
        None => None,
    };
    let of_each = subscriptions.iter().map(|id| match backlog.begin_of(id) {
        None => Ok(None),
        Some((open, _)) if open <= FEW_OPEN => created(
            &snapshot,
            "SELECT created FROM deliveries WHERE id = (SELECT min(id) FROM deliveries INDEXED BY delivery_due \
             WHERE subscription = ?1 AND due IS NOT NULL)",
            [id],
        ),
        // What ended is still there, or what follows it is: no open one is older.
        Some((_, first)) => {
            created(&snapshot, "SELECT created FROM deliveries WHERE id >= ?1 ORDER BY id LIMIT 1", [first])
        }
    });
    Ok(Oldest { of_all, of_each: of_each.collect::<rusqlite::Result<_>>()? })
}

fn created(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Option<UnixMillis>> {
    prepare(connection, sql)?.query_row(params, |row| time(row, 0)).optional()
}
