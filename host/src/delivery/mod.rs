//! Getting events to their subscribers: one driver around the core's engine ([`anglerfish_core::delivery`]), which says
//! what to lease, attempt, record and give back, and endpoints that make the attempts. Each subscription is an island
//! with its own concurrency, its own connections and a bounded part of the backlog in memory; the rest of it waits in
//! the store.
//!
//! What is worked on is leased from the store, and every lease is ended: by recording the attempt, however long the store
//! takes to record it, or by giving the delivery back. A lease that is lost with the process ends with it, so the same
//! event may arrive twice, but never not at all.

#![deny(clippy::disallowed_methods)]

mod clock;
mod dispatch;
mod driver;
mod endpoint;
mod exchange;
mod filter;
mod function;
mod inbox;
mod metric;
mod notice;
mod passive;
mod render;
mod report;
mod roster;
#[cfg(test)]
pub(crate) mod test;

pub use dispatch::{Deliveries, DeliveryOptions};
pub(crate) use endpoint::Target;
pub use endpoint::{AttemptFailure, Attempted, Endpoint};
pub use filter::EndpointFilter;
pub use function::{FlowEndpoints, Functions};
#[cfg(feature = "cli")]
pub(crate) use function::{no_flows, no_function};
pub use metric::DeliveryMetrics;
pub use notice::StandingNotice;
pub use passive::{
    Given, LeaseError, LeasedMessage, MOST_LEASES, MOST_WAITING, MessageToken, PassiveSubscription, Returned,
    Wanted,
};
pub use render::{DocumentNotices, RenderError, Renderer};
