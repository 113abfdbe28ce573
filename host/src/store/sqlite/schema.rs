//! The tables, their versions, and how a file is recognised as ours and told from others.

use super::error::classify;
use crate::store::{EventSeq, LogId, Opening, StoreError};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::path::Path;

/// `Angl`, in SQLite's field for telling applications' files apart.
pub(super) const APPLICATION_ID: i32 = 0x416e_676c;

/// Each entry takes the schema from the version that is its index to the next one.
const MIGRATIONS: &[&str] = &[
    include_str!("migration/0001.sql"),
    include_str!("migration/0002.sql"),
    include_str!("migration/0003.sql"),
    include_str!("migration/0004.sql"),
    include_str!("migration/0005.sql"),
    include_str!("migration/0006.sql"),
    include_str!("migration/0007.sql"),
    include_str!("migration/0008.sql"),
    include_str!("migration/0009.sql"),
    include_str!("migration/0010.sql"),
    include_str!("migration/0011.sql"),
    include_str!("migration/0012.sql"),
    include_str!("migration/0013.sql"),
    include_str!("migration/0014.sql"),
];

/// Refuses foreign files untouched, then brings ours to the newest version, one transaction for each step.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            StoreError::Unusable(format!("{} is not an SQLite database", path.display()))
        }
        _ => name_file(classify(&error), path),
    };
    recognise(connection, path, fail)?;
    set_journal(connection, path, fail)?;
    for (version, migration) in (0i32..).zip(MIGRATIONS) {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        if pragma(&transaction, "user_version").map_err(fail)? != version {
            continue;
        }
        transaction.execute_batch(migration).map_err(fail)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
        transaction.pragma_update(None, "user_version", version + 1).map_err(fail)?;
        transaction.commit().map_err(fail)?;
    }
    Ok(())
}

/// What tells this log from others, drawn when it is first asked for, and the openings of the store with this one. They stand
/// among the rows that say how far the log has come, which older versions leave as they are.
pub(super) fn identity(connection: &mut Connection) -> rusqlite::Result<LogId> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT OR IGNORE INTO sequence (name, last) VALUES ('identity', random() & 0xffffffff)",
        (),
    )?;
    // An opening in which nothing was appended gave no position out: this one takes its place.
    transaction.execute(
        "INSERT OR REPLACE INTO sequence (name, last)
         SELECT 'opened behind ' || coalesce(max(event), 0), 1 + (random() & 0x7fffffff) FROM segments",
        (),
    )?;
    let store: i64 =
        transaction.query_row("SELECT last FROM sequence WHERE name = 'identity'", (), |row| row.get(0))?;
    let openings = transaction
        .prepare(
            "SELECT CAST(substr(name, length('opened behind ') + 1) AS INTEGER) AS behind, last
             FROM sequence WHERE name GLOB 'opened behind *' ORDER BY behind",
        )?
        .query_map((), |row| Ok(Opening { behind: EventSeq(row.get(0)?), mark: row.get(1)? }))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    transaction.commit()?;
    Ok(LogId::new(u32::try_from(store & 0xffff_ffff).unwrap_or_default(), openings))
}

/// The newest version of the schema.
pub(super) fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

fn recognise(
    connection: &Connection,
    path: &Path,
    fail: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<(), StoreError> {
    let path = path.display();
    let application = pragma(connection, "application_id").map_err(&fail)?;
    let version = pragma(connection, "user_version").map_err(&fail)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(&fail)?;
    let new = application == 0 && version == 0 && tables == 0;
    if !new && application != APPLICATION_ID {
        return Err(StoreError::Unusable(format!(
            "{path} is an SQLite database of another application (application id {application:#010x}, \
             expected {APPLICATION_ID:#010x})"
        )));
    }
    if version > newest() || version < 0 {
        return Err(StoreError::Unusable(format!(
            "{path} has schema version {version}, this program knows versions up to {}: run the newer program",
            newest()
        )));
    }
    Ok(())
}

fn set_journal(
    connection: &Connection,
    path: &Path,
    fail: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<(), StoreError> {
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).map_err(fail)?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "{} cannot use a write-ahead log (journal mode stays {mode}): is it on a network file system?",
        path.display()
    )))
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Puts the file's name before an error's text.
pub(super) fn name_file(error: StoreError, path: &Path) -> StoreError {
    let path = path.display();
    match error {
        StoreError::Unavailable(text) => StoreError::Unavailable(format!("{path}: {text}")),
        StoreError::Unusable(text) => StoreError::Unusable(format!("{path}: {text}")),
        StoreError::Internal(text) => StoreError::Internal(format!("{path}: {text}")),
        StoreError::Lost(text) => StoreError::Lost(format!("{path}: {text}")),
        StoreError::Closed => StoreError::Closed,
    }
}
