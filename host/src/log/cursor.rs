//! A place in the log that moves on.

use super::{Log, ReadError};
use crate::store::{EventSeq, LogEntry};
use tokio::sync::watch;

/// How much is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// How many entries at most.
    pub entries: usize,
    /// How many bytes of data together, the first entry's aside.
    pub bytes: usize,
}

impl Default for ReadLimits {
    /// 100 entries, 1 MiB.
    fn default() -> Self {
        Self { entries: 100, bytes: 1 << 20 }
    }
}

/// A place in the log that moves on with what is read.
pub struct Cursor {
    log: Log,
    head: watch::Receiver<EventSeq>,
    position: EventSeq,
    limits: ReadLimits,
}

impl Cursor {
    pub(super) fn new(log: Log, after: EventSeq, limits: ReadLimits) -> Self {
        let head = log.head();
        Self { log, head, position: after, limits }
    }

    /// The last position that was read.
    #[must_use]
    pub fn position(&self) -> EventSeq {
        self.position
    }

    /// The next entries, at least one; waits while there is none. It may be dropped while it waits: nothing is skipped.
    ///
    /// # Errors
    ///
    /// [`ReadError::Gap`] if the cursor is behind what retention has deleted: [`Self::skip`] goes on behind the gap.
    /// [`ReadError::Store`] if the store cannot be read, or is closed.
    pub async fn next(&mut self) -> Result<Vec<LogEntry>, ReadError> {
        loop {
            // Marked as seen before the log is read: what is appended after that wakes the wait below.
            self.head.borrow_and_update();
            let entries = self.log.read(self.position, self.limits.entries, self.limits.bytes).await?;
            if let Some(last) = entries.last() {
                self.position = last.seq;
                return Ok(entries);
            }
            if self.head.changed().await.is_err() {
                return Err(crate::store::StoreError::Closed.into());
            }
        }
    }

    /// Goes on with the entry at this position.
    pub fn skip(&mut self, oldest: EventSeq) {
        self.position = EventSeq(oldest.0.saturating_sub(1)).max(self.position);
    }
}
