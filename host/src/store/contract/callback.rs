//! Callbacks.

use crate::store::{CallbackAcked, EventRecord, EventSeq, StoreError, StoredCallback};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;

/// Callbacks: addresses that programs await. What comes in is committed by [`super::LogStore::commit`], if its address is open
/// at that moment and its inbox has room; its entry stays in the log for as long as it waits there.
#[async_trait]
pub trait CallbackStore: Send + Sync + 'static {
    /// Takes hold of the address of this name: of the one that there is, if [`StoredCallback::is_held_again`] at `now`, or of
    /// `new`, which is written then. Whoever held it before is fenced off. What is asked of those who come is what `new` says,
    /// unless it `keeps` what is asked there.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn hold_callback(
        &self,
        new: StoredCallback,
        keeps: bool,
        now: UnixMillis,
    ) -> Result<StoredCallback, StoreError>;

    /// One, by its name; the last one that had it.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn callback(&self, name: &str) -> Result<Option<StoredCallback>, StoreError>;

    /// Up to `limit` of them behind a name, by name.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn callbacks(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredCallback>, StoreError>;

    /// The first behind a position that came in there and is not done with.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn waiting_callback(&self, name: &str, after: EventSeq) -> Result<Option<EventRecord>, StoreError>;

    /// Moves the cursor of whoever holds it to this position, never back and not behind the log's end.
    ///
    /// # Errors
    ///
    /// It is where it was.
    async fn ack_callback(&self, name: &str, holder: u64, seq: EventSeq)
    -> Result<CallbackAcked, StoreError>;

    /// Takes nothing there any more. Returns how it stands, `None` if there is none.
    ///
    /// # Errors
    ///
    /// It is as it was.
    async fn close_callback(&self, name: &str, now: UnixMillis)
    -> Result<Option<StoredCallback>, StoreError>;
}
