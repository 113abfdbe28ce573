//! The durable state: one log of events, the deliveries made from it, their attempts, the keys of decisions, and the
//! subscriptions written at run time.
//!
//! [`Store`] is written in the domain's words, so that other databases can implement it; SQLite is the embedded
//! default.

mod model;
mod sqlite;

pub use model::{
    Attempt, Commit, CommitOutcome, Delivery, DeliveryId, DeliveryQuery, DeliveryStatus, EventQuery,
    EventRecord, EventSeq, KeyOverlay, LeasedDelivery, NewEvent, Order, Page, RequestRecord, Settlement,
    StoreError, StoredSubscription,
};

pub use sqlite::{SqliteOptions, SqliteStore};

pub use anglerfish_core::policy::Settled;

use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// How much data one lease hands out at most, the first delivery's aside, in bytes.
pub const LEASE_BYTES: usize = 1 << 20;

/// Reads the keys that decisions wrote. Called from the threads that run the component, so it blocks.
pub trait KeyReader: Send + Sync {
    /// The value of a key as of the newest commit, or `None`.
    fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError>;
}

/// The durable state of one gateway.
///
/// What a method reports as done is on disk when it returns. All methods may be called from any task at once.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A reader of keys for one thread.
    fn key_reader(&self) -> Result<Arc<dyn KeyReader>, StoreError>;

    /// Writes an event, its deliveries and the keys of its decision in one transaction, if no key that the decision
    /// read has changed since. The new deliveries come back leased: the caller either works on each of them or gives
    /// it back with [`Store::release`].
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StoreError>;

    /// Leases up to `limit` deliveries of a subscription that are due at `now`, oldest due first; behind the first one
    /// no more than [`LEASE_BYTES`] of data together.
    async fn lease(
        &self,
        subscription: &str,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<LeasedDelivery>, StoreError>;

    /// When the next delivery of a subscription that is not leased falls due.
    async fn next_due(&self, subscription: &str) -> Result<Option<UnixMillis>, StoreError>;

    /// Gives leased deliveries back untouched.
    async fn release(&self, deliveries: &[DeliveryId]);

    /// Records an attempt and what follows from it; the lease ends.
    async fn settle(&self, settlement: Settlement) -> Result<(), StoreError>;

    /// Lists events of the log.
    async fn events(&self, query: EventQuery) -> Result<Page<EventRecord>, StoreError>;

    /// All events with this id: one per source that has it, usually one.
    async fn event(&self, id: &str) -> Result<Vec<EventRecord>, StoreError>;

    /// The data of an event, byte for byte.
    async fn data(&self, seq: EventSeq) -> Result<Option<Bytes>, StoreError>;

    /// Makes new deliveries of a stored event for these subscriptions, due at `now`, not leased.
    async fn replay(
        &self,
        seq: EventSeq,
        subscriptions: &[String],
        now: UnixMillis,
    ) -> Result<Vec<DeliveryId>, StoreError>;

    /// Lists deliveries, newest first.
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError>;

    /// One delivery with its attempts, oldest first.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError>;

    /// Makes a delivery due at `now` whatever its status; its attempts stay. `None` if there is no such delivery,
    /// `Some(false)` if it is being attempted at this moment.
    async fn retry(&self, id: DeliveryId, now: UnixMillis) -> Result<Option<bool>, StoreError>;

    /// Ends the open deliveries of a subscription as dead, for this reason, and says how many there were.
    async fn abandon(&self, subscription: &str, reason: &str, now: UnixMillis) -> Result<u64, StoreError>;

    /// Open deliveries by subscription.
    async fn backlog(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// The subscriptions written at run time.
    async fn subscriptions(&self) -> Result<Vec<StoredSubscription>, StoreError>;

    /// Writes or replaces a subscription.
    async fn put_subscription(&self, subscription: StoredSubscription) -> Result<(), StoreError>;

    /// Deletes a subscription; `false` if there is none.
    async fn delete_subscription(&self, id: &str) -> Result<bool, StoreError>;

    /// Deletes a bounded step of what is older than `before`: settled deliveries with their attempts, events without
    /// open deliveries, keys. Returns how many rows went; 0 means that nothing is left to delete.
    async fn expire(&self, before: UnixMillis, limit: usize) -> Result<usize, StoreError>;

    /// Whether the store can take commits now.
    async fn check(&self) -> Result<(), StoreError>;

    /// Finishes what was handed in and closes.
    async fn close(&self);
}
