//! Which subscriptions there are, and which are gone.

use crate::store::{
    DeclaredSubscription, NewJob, RemovedSubscription, StoreError, StoredStanding, StoredSubscription,
};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;

/// Which subscriptions there are, and which are gone.
///
/// Between the decision that names a subscription and its commit the subscription may be deleted. So the store itself
/// remembers who is gone: what is committed for them later is dead from the start, and no delivery is left for nobody.
#[async_trait]
pub trait SubscriptionStore: Send + Sync + 'static {
    /// The subscriptions written at run time.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn subscriptions(&self) -> Result<Vec<StoredSubscription>, StoreError>;

    /// Writes or replaces a subscription; it is no longer abandoned.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn put_subscription(&self, subscription: StoredSubscription) -> Result<(), StoreError>;

    /// Writes a new subscription together with the job that gives it what is in the log already: both or none.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn begin_subscription(
        &self,
        subscription: StoredSubscription,
        start: NewJob,
    ) -> Result<(), StoreError>;

    /// Deletes a subscription, and cancels its jobs; `false` if there is none.
    ///
    /// # Errors
    ///
    /// Nothing was deleted.
    async fn delete_subscription(&self, id: &str) -> Result<bool, StoreError>;

    /// Says which subscriptions the configuration file has now; they are no longer abandoned. Returns those that it had
    /// before and has no more, in the order of their ids, with their jobs cancelled; what becomes of their deliveries is
    /// the caller's to say. Those that it did not have before begin with their job, if they have one.
    ///
    /// # Errors
    ///
    /// What the file had is remembered as it was.
    async fn declare(
        &self,
        declared: Vec<DeclaredSubscription>,
    ) -> Result<Vec<RemovedSubscription>, StoreError>;

    /// The subscriptions whose attempts were stopped, in the order of their ids.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn standings(&self) -> Result<Vec<StoredStanding>, StoreError>;

    /// Writes how a subscription stands; whether there is one of this id is not looked at.
    ///
    /// # Errors
    ///
    /// It stands as it did.
    async fn set_standing(&self, standing: StoredStanding) -> Result<(), StoreError>;

    /// Ends the open deliveries of a subscription as dead, for this reason, says how many there were, cancels its jobs
    /// and forgets how it stood. From now on whatever is committed for it is dead from the start, until it is written or
    /// declared again.
    ///
    /// # Errors
    ///
    /// Some deliveries may have ended; the same call may be made again.
    async fn abandon(&self, subscription: &str, reason: &str, now: UnixMillis) -> Result<u64, StoreError>;
}
