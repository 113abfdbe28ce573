//! What a store promises, in traits by purpose.
//!
//! What a method reports as done is on disk when it returns. All methods may be called from any task at once. No store
//! may need a row for what was delivered long ago, or look at every subscription to find the ones with work.

mod bulk;
mod call;
mod callback;
mod delivery;
mod key;
mod log;
mod resource;
mod retention;
mod source;
mod subscription;

pub use bulk::JobStore;
pub use call::CallStore;
pub use callback::CallbackStore;
pub use delivery::{DeliveryStore, LEASE_BYTES};
pub use key::{KeyReader, KeyStore};
pub use log::LogStore;
pub use resource::ResourceStore;
pub use retention::RetentionStore;
pub use source::SourceStore;
pub use subscription::SubscriptionStore;

use super::StoreError;
use async_trait::async_trait;

/// The durable state of one gateway.
#[async_trait]
pub trait Store:
    LogStore
    + DeliveryStore
    + JobStore
    + CallStore
    + ResourceStore
    + CallbackStore
    + SourceStore
    + SubscriptionStore
    + KeyStore
    + RetentionStore
{
    /// Whether the store can take commits now.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    async fn check(&self) -> Result<(), StoreError>;

    /// Finishes what was handed in and closes.
    async fn close(&self);
}
