//! Resources, and who subscribed to them.

use crate::store::{StoreError, StoredFollower, StoredResource};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use bytes::Bytes;

/// Resources, and who subscribed to them. Documents are keys, which last until they are deleted: see
/// [`anglerfish_core::resource::is_lasting`].
#[async_trait]
pub trait ResourceStore: Send + Sync + 'static {
    /// All resources, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn resources(&self) -> Result<Vec<StoredResource>, StoreError>;

    /// Writes or replaces a resource; one that is there keeps the time at which it was made.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn put_resource(&self, resource: StoredResource) -> Result<(), StoreError>;

    /// Deletes a resource; `false` if there is none. Its documents go with it.
    ///
    /// # Errors
    ///
    /// Nothing was deleted.
    async fn delete_resource(&self, id: &str) -> Result<bool, StoreError>;

    /// Notes that a subscription is one of a resource, and says since when: each gets a greater generation than all before. One
    /// that is noted already stays as it is, unless its resource is another. With another `filter` it keeps its generation, and is
    /// noted as one that is to be told what that makes of what it has.
    ///
    /// With `backfill`, a new one is noted as one that is to be told of everything that is there.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn enrol(
        &self,
        subscription: &str,
        resource: &str,
        backfill: bool,
        filter: Option<&str>,
        now: UnixMillis,
    ) -> Result<StoredFollower, StoreError>;

    /// Notes how far a subscriber was told of what is there; `None` means that it was told of all of it, and that its filter has
    /// looked at all of it. A subscriber that is not being told begins to be. `false`, and nothing is noted, if it is gone or
    /// has another filter than the one that it has since `filter_since`.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn backfilled(
        &self,
        subscription: &str,
        filter_since: u64,
        place: Option<&str>,
    ) -> Result<bool, StoreError>;

    /// All subscribers, in the order in which they subscribed.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn followers(&self) -> Result<Vec<StoredFollower>, StoreError>;

    /// One subscriber.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn follower(&self, subscription: &str) -> Result<Option<StoredFollower>, StoreError>;

    /// The subscribers of a resource, in the order in which they subscribed: up to `limit` of those behind the first `offset`.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn followers_of(
        &self,
        resource: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<StoredFollower>, StoreError>;

    /// How many subscribers a resource has.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn count_followers(&self, resource: &str) -> Result<usize, StoreError>;

    /// The ids of those that are being told of what was there before.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn backfilling(&self) -> Result<Vec<String>, StoreError>;

    /// Makes deliveries of a document due at `now` that were given up, by their ordering key: of each subscriber the newest, unless
    /// it has an open one. Says for whom.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn revive_document(&self, lane: &str, now: UnixMillis) -> Result<Vec<String>, StoreError>;

    /// The same of a subscriber's deliveries that tell the end of documents. Says whether there is one.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn revive_ends(&self, subscription: &str, now: UnixMillis) -> Result<bool, StoreError>;

    /// How many deliveries there is room for in a subscription's backlog, as far as it has a bound; none while it catches up.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn room(&self, subscription: &str) -> Result<usize, StoreError>;

    /// Forgets a subscriber, and what it had; an unknown one is no error.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn dismiss(&self, subscription: &str) -> Result<(), StoreError>;

    /// Up to `limit` keys with this beginning that come behind `after`, in their order, with their values.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn keys_behind(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Bytes)>, StoreError>;
}
