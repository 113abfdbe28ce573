//! Connections to the file.

use super::error::classify;
use super::options::SqliteOptions;
use super::private;
use super::schema::name_file;
use crate::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Opens the connection that writes; makes the file and its directory if need be.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    // SQLite would make the file readable for everyone; the logs beside it get the permissions that it has. One that is
    // there is not touched, and what goes wrong SQLite says better.
    let _ = private::file_options().create_new(true).open(path);
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE, options)?;
    let fail = |error: rusqlite::Error| name_file(classify(&error), path);
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(fail)? {
        return Err(StoreError::Unavailable(format!("{} cannot be written", path.display())));
    }
    Ok(connection)
}

/// What the writing connection needs beside, once the file is known to be ours.
pub(super) fn tune_writer(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    // Every commit is on disk before it is answered.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    // A log that grew under a long read shrinks again when it starts over.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    if let Some(pages) = options.max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

/// Opens a connection that only reads. (Write-ahead logs need the file to be opened for writing nevertheless.)
pub(super) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options)?;
    let fail = |error: rusqlite::Error| name_file(classify(&error), path);
    connection.pragma_update(None, "query_only", true).map_err(fail)?;
    connection.pragma_update(None, "mmap_size", options.mapped_bytes.cast_signed()).map_err(fail)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib / 8)).map_err(fail)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let fail = |error: rusqlite::Error| name_file(classify(&error), path);
    // Each connection is used by one thread at a time, so SQLite needs no lock of its own.
    let connection =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fail)?;
    connection.busy_timeout(options.busy_timeout).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Otherwise a plan depends on the values that are bound, and statements are compiled anew when those change.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fail)?;
    Ok(connection)
}
