//! Outgoing calls.

use crate::store::{CallHead, CallQuery, DueCalls, Page, StoreError, StoredApi, StoredCall};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;

/// Outgoing calls: requests to other systems' APIs. They are written by [`super::LogStore::commit`], together with the
/// entries that tell of them.
///
/// Whoever makes attempts writes first that it does, and until when. Whoever finds that time over may write that it goes
/// on instead; a write by a revision that is no longer the newest changes nothing. So two never both go on.
#[async_trait]
pub trait CallStore: Send + Sync + 'static {
    /// Up to `limit` requests to an API that are due at `now`, oldest due first, and when the next one is. With a limit of
    /// zero it only says that.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn due_calls(&self, api: &str, now: UnixMillis, limit: usize) -> Result<DueCalls, StoreError>;

    /// After the clock was put back: requests of which something was planned more than a second later than `now` wait from
    /// now on as long as they were to wait then. Says how many there were.
    ///
    /// # Errors
    ///
    /// Some may have been planned anew.
    async fn replan_calls(&self, now: UnixMillis) -> Result<u64, StoreError>;

    /// One request, by its id.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn call(&self, id: &str) -> Result<Option<StoredCall>, StoreError>;

    /// The request to an API that has this key.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn call_of_key(&self, api: &str, key: &str) -> Result<Option<StoredCall>, StoreError>;

    /// Lists requests, newest first.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn calls(&self, query: CallQuery) -> Result<Page<CallHead>, StoreError>;

    /// How many requests to each API have not ended.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn open_calls(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// What was said of APIs at run time and what was last recorded of them, by name.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn apis(&self) -> Result<Vec<StoredApi>, StoreError>;
}
