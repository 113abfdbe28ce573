//! The log of events.

use crate::store::{
    Commit, CommitOutcome, EventQuery, EventRecord, EventSeq, LogId, LogPart, Page, StoreError,
};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

/// The log of events: appended to, read in order, listed.
///
/// Whoever has seen a position never sees a lower one appear later.
#[async_trait]
pub trait LogStore: Send + Sync + 'static {
    /// Appends entries, makes their deliveries and writes the keys of their decision in one transaction, if no key that
    /// the decision read has changed since and no entry of the same source and id is there.
    ///
    /// The new deliveries come back leased if [`Commit::lease`] asks for it: the caller either works on each of them or
    /// gives it back with [`super::DeliveryStore::release`]. Those for a subscription that was abandoned are dead from
    /// the start, with the reason why, and do not come back.
    ///
    /// # Errors
    ///
    /// Nothing was written, except where the store is [`StoreError::Lost`].
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StoreError>;

    /// Entries behind a position in the order of the log, none left out: up to `limit`, and behind the first one no more
    /// than `bytes` of data together.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn read(&self, after: EventSeq, limit: usize, bytes: usize) -> Result<LogPart, StoreError>;

    /// What tells this log from others, and what was appended to it from what a copy of it was given at the same positions.
    fn identity(&self) -> LogId;

    /// The position of the newest entry, to be waited on; zero while there has been none.
    fn head(&self) -> watch::Receiver<EventSeq>;

    /// The position to read behind in order to get what was received at this time or later: everything before it was
    /// received earlier.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn at(&self, time: UnixMillis) -> Result<EventSeq, StoreError>;

    /// Lists entries.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn events(&self, query: EventQuery) -> Result<Page<EventRecord>, StoreError>;

    /// All entries with this id: one per source that has it, usually one.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn event(&self, id: &str) -> Result<Vec<EventRecord>, StoreError>;

    /// The data of an entry, byte for byte.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn data(&self, seq: EventSeq) -> Result<Option<Bytes>, StoreError>;
}
