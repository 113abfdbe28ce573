//! Reading the log in its order: from a position or a time on, to its end or beyond.
//!
//! Whoever has seen a position never sees a lower one appear later, so a position is all that a reader keeps. A reader
//! that stayed away for longer than the retention is told that it has missed something, and where the log is whole again.

mod cursor;
mod error;
#[cfg(test)]
mod test;

pub use cursor::{Cursor, ReadLimits};
pub use error::ReadError;

use crate::store::{EventSeq, LogEntry, LogPart, LogStore};
use anglerfish_core::request::UnixMillis;
use std::sync::Arc;
use tokio::sync::watch;

/// The log of a gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Log {
    store: Arc<dyn LogStore>,
}

impl Log {
    /// The log in a store.
    #[must_use]
    pub fn new(store: Arc<dyn LogStore>) -> Self {
        Self { store }
    }

    /// The entries behind a position, none left out: up to `limit`, and behind the first one no more than `bytes` of data
    /// together. None means that the log has no more now.
    ///
    /// # Errors
    ///
    /// [`ReadError::Gap`] if entries behind the position have been deleted; [`ReadError::Store`] if the store cannot be
    /// read.
    pub async fn read(
        &self,
        after: EventSeq,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<LogEntry>, ReadError> {
        match self.store.read(after, limit, bytes).await? {
            LogPart::Entries(entries) => Ok(entries),
            LogPart::Gap { oldest } => Err(ReadError::Gap { after, oldest }),
        }
    }

    /// The position of the newest entry, to be waited on; zero while there has been none.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<EventSeq> {
        self.store.head()
    }

    /// The position to read behind in order to get what was received at this time or later.
    ///
    /// # Errors
    ///
    /// [`ReadError::Store`] if the store cannot be read.
    pub async fn at(&self, time: UnixMillis) -> Result<EventSeq, ReadError> {
        Ok(self.store.at(time).await?)
    }

    /// Reads on from behind a position, also what is yet to come.
    #[must_use]
    pub fn cursor(&self, after: EventSeq, limits: ReadLimits) -> Cursor {
        Cursor::new(self.clone(), after, limits)
    }
}
