//! What documents need of the routing table.

use crate::engine::{DocumentAnswer, DocumentQuestion, EngineError, TableError};
use crate::store::{KeyOverlay, StoredFollower};
use anglerfish_core::config::ResourceConfig;
use async_trait::async_trait;

/// The component, as far as it decides about documents.
#[async_trait]
pub trait DocumentDecider: Send + Sync + 'static {
    /// Asks it; with the keys that it read and wrote.
    async fn ask(&self, question: DocumentQuestion) -> Result<(DocumentAnswer, KeyOverlay), EngineError>;

    /// Adds or replaces a resource.
    async fn put_resource(&self, resource: &ResourceConfig) -> Result<(), TableError>;

    /// Removes a resource; one that has subscriptions stays.
    async fn delete_resource(&self, id: &str) -> Result<(), TableError>;

    /// Whether a subscriber is in the table as the store has it, with the filter that it has.
    fn knows(&self, follower: &StoredFollower) -> bool;

    /// A subscriber was told of all that is there: from now on it is in the table as the store has it.
    async fn caught_up(&self, follower: &StoredFollower) -> Result<(), TableError>;
}
