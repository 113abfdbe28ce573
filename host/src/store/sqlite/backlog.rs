//! How many deliveries are open, by subscription: counted once when the store opens, then kept.

use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A change of one subscription's backlog.
pub(super) type Change = (Arc<str>, i64);

/// The open deliveries of every subscription that has some.
#[derive(Debug)]
pub(super) struct Backlog(Mutex<HashMap<Arc<str>, i64>>);

impl Backlog {
    /// Counts what is in the file.
    pub(super) fn count(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare(
            "SELECT subscription, count(*) FROM deliveries WHERE due IS NOT NULL GROUP BY subscription",
        )?;
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self(Mutex::new(rows.collect::<rusqlite::Result<_>>()?)))
    }

    /// Applies what a committed transaction changed.
    pub(super) fn apply(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut counts = self.counts();
        for (subscription, change) in changes {
            let count = counts.entry(subscription).or_default();
            *count += change;
        }
        counts.retain(|_, count| *count != 0);
    }

    /// The counts now, ordered by subscription.
    pub(super) fn list(&self) -> Vec<(String, u64)> {
        let mut list: Vec<_> = self
            .counts()
            .iter()
            .map(|(subscription, count)| (subscription.to_string(), u64::try_from(*count).unwrap_or(0)))
            .collect();
        list.sort_unstable();
        list
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Arc<str>, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
