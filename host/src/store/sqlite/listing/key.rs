//! Keys by how they begin.

use crate::store::sqlite::plan::prepare;
use bytes::Bytes;
use rusqlite::{Connection, params};

/// Keys with a beginning; see [`crate::store::KeyStore::keys`].
pub(in crate::store::sqlite) fn keys(
    connection: &Connection,
    prefix: &str,
    limit: usize,
) -> rusqlite::Result<Vec<(String, Bytes)>> {
    let mut statement =
        prepare(connection, "SELECT key, value FROM keys WHERE key >= ?1 ORDER BY key LIMIT ?2")?;
    let mut rows = statement.query(params![prefix, limit])?;
    let mut keys = Vec::new();
    // The order of the keys is that of their bytes: those with the prefix follow each other.
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        keys.push((key, Bytes::from(row.get::<_, Vec<u8>>(1)?)));
    }
    Ok(keys)
}
