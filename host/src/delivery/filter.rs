//! What stands in front of endpoints.

use super::endpoint::Endpoint;
use anglerfish_core::config::{PluginUse, SubscriptionConfig};
use anglerfish_core::problem::Problem;
use std::fmt;
use std::sync::Arc;

/// Puts the plugins that a subscription uses in front of its endpoint.
pub trait EndpointFilter: fmt::Debug + Send + Sync + 'static {
    /// What is wrong with the plugins that a subscription uses.
    fn check(&self, subscription: &SubscriptionConfig) -> Vec<Problem>;

    /// The endpoint behind these plugins.
    fn filtered(&self, uses: Vec<PluginUse>, endpoint: Arc<dyn Endpoint>) -> Arc<dyn Endpoint>;
}
