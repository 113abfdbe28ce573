//! Subscriptions whose attempts were stopped.

use super::batch::Batch;
use super::job::Write;
use super::row::{clamp, time};
use crate::store::StoredStanding;
use anglerfish_core::delivery::{DisableCause, Standing};
use anglerfish_core::request::UnixMillis;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Row, params};
use std::time::Duration;

/// All that do not stand as usual.
pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<StoredStanding>> {
    connection
        .prepare_cached(
            "SELECT subscription, standing, detail, since, failing FROM standings ORDER BY subscription",
        )?
        .query_map((), |row| {
            Ok(StoredStanding {
                subscription: row.get(0)?,
                standing: standing(row)?,
                since: time(row, 3)?,
                failing: row.get::<_, Option<u64>>(4)?.map(UnixMillis),
            })
        })?
        .collect()
}

fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let word: String = row.get(1)?;
    match word.as_str() {
        "active" => Ok(Standing::Active),
        "failing" => Ok(Standing::Disabled(DisableCause::Failing(Duration::from_millis(row.get(2)?)))),
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
        let StoredStanding { subscription, standing, since, failing } = &self.0;
        let (word, detail) = match standing {
            Standing::Active if failing.is_none() => return forget(batch, subscription),
            Standing::Active => ("active", 0),
            Standing::Paused => ("paused", 0),
            Standing::Disabled(DisableCause::Gone(status)) => ("gone", i64::from(*status)),
            Standing::Disabled(DisableCause::Failing(lasted)) => {
                ("failing", i64::try_from(lasted.as_millis()).unwrap_or(i64::MAX))
            }
        };
        batch
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO standings (subscription, standing, detail, since, failing) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![subscription, word, detail, clamp(*since), failing.map(clamp)])
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
