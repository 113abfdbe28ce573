//! The parts of the configuration that the pure core knows: subscriptions with their endpoints and delivery policies.

mod secret;
mod subscription;

pub use secret::Secret;
pub use subscription::{DeliveryConfig, EndpointConfig, RetryConfig, StatusSet, SubscriptionConfig};
