//! Attempts that were under way when an earlier process was killed.

use super::attempt_journal::BegunAttempt;
use crate::store::INTERRUPTED;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

/// Why such an attempt was interrupted.
const KILLED: &str = "the gateway ended while the attempt was made";

/// Records attempts that have no record. None of them is used up, and their deliveries are as due as they were. Says how many
/// there were.
pub(super) fn record(connection: &mut Connection, begun: &[BegunAttempt]) -> rusqlite::Result<usize> {
    if begun.is_empty() {
        return Ok(0);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut recorded = 0;
    let error = format!("{INTERRUPTED}{KILLED}");
    {
        // One that began then or later was recorded after it, or is the attempt itself.
        let mut find = transaction.prepare(
            "SELECT attempts FROM deliveries WHERE id = ?1 AND due IS NOT NULL AND tries = ?2 AND NOT EXISTS \
             (SELECT 1 FROM attempts WHERE delivery = ?1 AND started >= ?3)",
        )?;
        let mut insert = transaction.prepare(
            "INSERT INTO attempts (delivery, number, started, duration_us, status, error, answer) \
             VALUES (?1, ?2, ?3, 0, NULL, ?4, NULL)",
        )?;
        let mut count = transaction.prepare("UPDATE deliveries SET attempts = ?2 WHERE id = ?1")?;
        for BegunAttempt { delivery, started, before } in begun {
            let found = find.query_row(params![delivery, before, started], |row| row.get::<_, u32>(0));
            let Some(attempts) = found.optional()? else { continue };
            let number = attempts.saturating_add(1);
            insert.execute(params![delivery, number, started, error])?;
            count.execute(params![delivery, number])?;
            recorded += 1;
        }
    }
    transaction.commit()?;
    Ok(recorded)
}
