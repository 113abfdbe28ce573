//! Which open deliveries of a subscription are the oldest, for a full backlog that drops those.
//!
//! No index has the open deliveries of one subscription in the order of the log: every delivery would go into it and out
//! again. What is needed here is needed only while a backlog is full, and then for each new event; so the index of what
//! falls due is gone through once for many, and what was found is kept. Each is looked at once more before it is taken.

use super::batch::Batch;
use rusqlite::params;
use std::collections::{BinaryHeap, HashMap, VecDeque};

/// How many are found at once: going through a backlog of 100 000 costs some milliseconds.
const FOUND: usize = 1024;

/// The oldest open deliveries of subscriptions as they were found, oldest first. Those that ended since are still among them;
/// none that is open and older is missing.
#[derive(Debug, Default)]
pub(super) struct OldestOpen(HashMap<String, VecDeque<i64>>);

impl OldestOpen {
    /// Takes what is known of a subscription.
    pub(super) fn take(&mut self, subscription: &str) -> VecDeque<i64> {
        self.0.remove(subscription).unwrap_or_default()
    }

    /// Keeps what is known of a subscription.
    pub(super) fn keep(&mut self, subscription: &str, oldest: VecDeque<i64>) {
        if !oldest.is_empty() {
            self.0.insert(subscription.to_owned(), oldest);
        }
    }

    /// An old delivery of a subscription is open again.
    pub(super) fn forget(&mut self, subscription: &str) {
        self.0.remove(subscription);
    }

    /// What was taken out may be open after all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Batch<'_, '_> {
    /// The oldest open deliveries of a subscription behind a number, oldest first: so many of them that nobody looks for
    /// more soon.
    pub(super) fn find_oldest(&self, subscription: &str, after: i64) -> rusqlite::Result<VecDeque<i64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM deliveries INDEXED BY delivery_due WHERE subscription = ?1 AND due IS NOT NULL \
             AND id > ?2",
        )?;
        let mut rows = statement.query(params![subscription, after])?;
        // The oldest of them, the newest of those on top.
        let mut oldest = BinaryHeap::with_capacity(FOUND + 1);
        while let Some(row) = rows.next()? {
            oldest.push(row.get::<_, i64>(0)?);
            if oldest.len() > FOUND {
                oldest.pop();
            }
        }
        Ok(oldest.into_sorted_vec().into())
    }
}
