//! Passive subscriptions: nothing is pushed to their subscribers, who lease their deliveries and answer for each, or have
//! some of them sent on demand.
//!
//! The leases are the store's, with a deadline of their own here: what is not answered for by then counts as an attempt
//! that failed, is recorded as one, and comes back at once.

mod expiry;
mod lease_table;
mod message_token;
mod metric;
mod registry;
mod sending;
mod subscription;

pub use lease_table::MOST_LEASES;
pub use message_token::MessageToken;
pub(super) use metric::PassiveMetrics;
pub(super) use registry::{PassiveRegistry, PassiveSettings};
pub(super) use sending::send;
pub use subscription::{
    Given, LeaseError, LeasedMessage, MOST_WAITING, PassiveSubscription, Returned, Wanted,
};
