//! What the registry asks of others.

use crate::subscription::RoutingError;
use anglerfish_core::config::SourceConfig;
use anglerfish_core::problem::Problem;
use async_trait::async_trait;
use std::sync::Arc;

/// Reads a source's document (JSON): with its references resolved, or every problem that it has.
pub type SourceReader = Arc<dyn Fn(&[u8]) -> Result<SourceConfig, Vec<Problem>> + Send + Sync>;

/// Where requests are taken in.
#[async_trait]
pub trait SourceTable: Send + Sync + 'static {
    /// Adds or replaces a source: every later request sees it. On an error the table is as it was.
    async fn put(&self, source: &SourceConfig) -> Result<(), RoutingError>;

    /// Removes a source: later requests to it are refused. An unknown name is no error; a source that a subscription
    /// names is, with a problem for each.
    async fn delete(&self, name: &str) -> Result<(), RoutingError>;
}
