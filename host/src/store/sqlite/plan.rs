//! Statements of readers, and how SQLite goes about them.

use rusqlite::{CachedStatement, Connection};

/// Prepares a statement that reads. In tests it is held to a plan that looks up what it needs: one that goes through a
/// whole table, or sorts in a table of its own, panics.
pub(super) fn prepare<'c>(connection: &'c Connection, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
    #[cfg(test)]
    check(connection, sql)?;
    connection.prepare_cached(sql)
}

#[cfg(test)]
fn check(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let steps = explain.raw_query().mapped(|row| row.get::<_, String>(3));
    for step in steps {
        let step = step?;
        // Segments are a thousandth of the log.
        let scans = step.starts_with("SCAN") && step != "SCAN segments";
        assert!(!scans && !step.contains("TEMP B-TREE"), "{step}: {sql}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "SCAN t")]
    fn a_statement_that_scans_is_found() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER)").unwrap();
        let _ = prepare(&connection, "SELECT a FROM t WHERE a = 1");
    }
}
