//! Subscriptions whose attempts were stopped.

use super::batch::Batch;
use super::job::Write;
use super::row::{clamp, time};
use crate::store::StoredStanding;
use anglerfish_core::delivery::{DisableCause, Standing};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Row, params};

/// All that do not stand as usual.
pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<StoredStanding>> {
    connection
        .prepare_cached("SELECT subscription, standing, detail, since FROM standings ORDER BY subscription")?
        .query_map((), |row| {
            Ok(StoredStanding { subscription: row.get(0)?, standing: standing(row)?, since: time(row, 3)? })
        })?
        .collect()
}

fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let word: String = row.get(1)?;
    match word.as_str() {
        "paused" => Ok(Standing::Paused),
        "gone" => Ok(Standing::Disabled(DisableCause::Gone(row.get(2)?))),
        _ => {
            let error = FromSqlError::Other(format!("unknown standing {word:?}").into());
            Err(rusqlite::Error::FromSqlConversionFailure(1, Type::Text, error.into()))
        }
    }
}

/// Writes how one stands.
#[derive(Debug)]
pub(super) struct Stand(pub(super) StoredStanding);

impl Write for Stand {
    type Out = ();

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        let StoredStanding { subscription, standing, since } = &self.0;
        let (word, detail) = match standing {
            Standing::Active => return forget(batch, subscription),
            Standing::Paused => ("paused", 0),
            Standing::Disabled(DisableCause::Gone(status)) => ("gone", i64::from(*status)),
        };
        batch
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO standings (subscription, standing, detail, since) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![subscription, word, detail, clamp(*since)])
            .map(drop)
    }
}

/// Forgets how one stood.
pub(super) fn forget(batch: &Batch<'_, '_>, subscription: &str) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached("DELETE FROM standings WHERE subscription = ?1")?
        .execute([subscription])
        .map(drop)
}
