//! What can be chosen about the store.

use std::time::Duration;

/// How a [`super::SqliteStore`] is run. The defaults suit a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// How long to wait for a lock that another process holds on the file, before a call fails as unavailable.
    pub busy_timeout: Duration,
    /// How many calls may wait for the writer; more wait for a place in the queue.
    pub queue: usize,
    /// How many calls go into one transaction at most.
    pub group: usize,
    /// The writer's page cache in KiB; each reader has an eighth of it.
    pub cache_kib: u32,
    /// How many bytes of the file are mapped into memory for reading. What is mapped is read a little faster; but where
    /// the file is cut short, or the disk fails, the system ends the process where reading would have failed.
    pub mapped_bytes: u64,
    /// How many connections read at the same time, beside those of [`crate::store::Store::key_reader`].
    pub readers: usize,
    /// The size that the file may grow to, in pages of 4 KiB; `None` leaves it to the disk.
    pub max_pages: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(2),
            queue: 1024,
            group: 512,
            cache_kib: 16 * 1024,
            mapped_bytes: 0,
            readers: 4,
            max_pages: None,
        }
    }
}
