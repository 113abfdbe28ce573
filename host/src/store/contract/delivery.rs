//! Deliveries: who works on which, and what came of it.

use crate::store::{
    Attempt, Delivery, DeliveryId, DeliveryQuery, Due, EventSeq, Lease, LeaseTerms, Leased, Oldest,
    OverflowCounts, Page, Recorded, Retried, Settlement, StoreError,
};
use anglerfish_core::config::BacklogConfig;
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;

/// How much data one lease hands out at most, the first delivery's aside, in bytes.
pub const LEASE_BYTES: usize = 1 << 20;

/// Deliveries: leased, attempted by whoever holds the lease, settled.
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// Leases up to `limit` deliveries of a subscription that are due at `now`: first attempts and retries in turn as long as
    /// there are both, of each line those first that are due for longest; behind the first one no more than
    /// [`LEASE_BYTES`] of data together. A delivery whose lease is past its deadline at `now` is leased
    /// anew, and the old lease is stale. With a limit of zero it only says when the next one falls due.
    ///
    /// # Errors
    ///
    /// Nothing is leased.
    async fn lease(
        &self,
        subscription: &str,
        now: UnixMillis,
        limit: usize,
        terms: LeaseTerms,
    ) -> Result<Leased, StoreError>;

    /// Up to `limit` subscriptions that have something due at `now`, and when the next delivery of any other falls due.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn due(&self, now: UnixMillis, limit: usize) -> Result<Due, StoreError>;

    /// Moves the deadline of leases, and says which of them are stale.
    ///
    /// # Errors
    ///
    /// No deadline was moved.
    async fn extend(&self, leases: &[Lease], until: UnixMillis) -> Result<Vec<Lease>, StoreError>;

    /// Gives leased deliveries back untouched, and says which of the leases are stale.
    ///
    /// # Errors
    ///
    /// They are still leased, until their deadline.
    async fn release(&self, leases: &[Lease]) -> Result<Vec<Lease>, StoreError>;

    /// Records attempts and what follows from each, and ends their leases, all in one transaction. Says of each, in the
    /// same order, what became of it. The failure of an attempt whose delivery was ended meanwhile does not open it
    /// again; that it arrived after all is told as it was.
    ///
    /// # Errors
    ///
    /// None was recorded, and all leases stand; the same call may be made again.
    async fn record(&self, settlements: Vec<Settlement>) -> Result<Vec<Recorded>, StoreError>;

    /// An attempt begins under a lease, after `before` that count. If the process is killed before the lease ends, whoever opens
    /// the store next finds it recorded as interrupted. Costs no sync. Says whether the lease stands: under a stale one nothing
    /// is to be attempted.
    fn begin(&self, lease: Lease, started: UnixMillis, before: u32) -> bool;

    /// Keeps, also for whoever opens the store after this process was killed, until when a rate counts as used. Costs no sync;
    /// a store that ends with the process does nothing.
    fn pace(&self, rate: &str, rests: UnixMillis) {
        let _ = (rate, rests);
    }

    /// Until when a rate counts as used, if it was; a time that never comes if nobody knows.
    fn paced(&self, rate: &str) -> Option<UnixMillis> {
        let _ = rate;
        None
    }

    /// After the clock was put back: deliveries that were planned more than a second later than `now` wait from now on
    /// as long as they were to wait then. Says how many there were.
    ///
    /// # Errors
    ///
    /// Some may have been planned anew.
    async fn replan(&self, now: UnixMillis) -> Result<u64, StoreError>;

    /// Makes new deliveries of a stored event for these subscriptions, due at `now`, not leased.
    ///
    /// # Errors
    ///
    /// None was made.
    async fn replay(
        &self,
        seq: EventSeq,
        subscriptions: &[String],
        now: UnixMillis,
    ) -> Result<Vec<DeliveryId>, StoreError>;

    /// Makes a delivery due at `now` whatever its status; its attempts stay, and it is as young as when it ends again.
    ///
    /// # Errors
    ///
    /// It is as it was.
    async fn retry(&self, id: DeliveryId, now: UnixMillis) -> Result<Retried, StoreError>;

    /// Lists deliveries, newest first.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError>;

    /// One delivery with its attempts, oldest first.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError>;

    /// Open deliveries by subscription.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn backlog(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// From now on no more than so many deliveries of a subscription are open; `None` ends that. It is not written down:
    /// whoever opens the store says it anew. What is open already stays, a commit that finds room is taken as a whole, and
    /// what is replayed or retried by hand comes on top.
    fn bound(&self, subscription: &str, bound: Option<BacklogConfig>);

    /// What full backlogs had no room for since the store was opened, by subscription.
    fn overflows(&self) -> Vec<(String, OverflowCounts)>;

    /// When the oldest open delivery was made, of all and of each of these subscriptions. Of one with hundreds of open
    /// deliveries an earlier time may be named, if its oldest have ended already; never a later one. It costs no more
    /// beside millions of deliveries than beside few.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn oldest(&self, subscriptions: &[String]) -> Result<Oldest, StoreError>;
}
