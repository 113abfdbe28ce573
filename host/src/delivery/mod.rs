//! Getting events to their subscribers: one queue per subscription, each an island with its own concurrency, its own
//! connections and a bounded part of the backlog in memory; the rest of it waits in the store.
//!
//! What a queue works on it has leased from the store, and it ends every lease: by recording the attempt, however long
//! the store takes to record it, or by giving the delivery back. A lease that is lost with the process ends with it,
//! so the same event may arrive twice, but never not at all.

mod dispatch;
mod endpoint;
mod inbox;
mod metric;
mod queue;
mod refill;
mod settle;
#[cfg(test)]
mod test;
mod timer;

pub use dispatch::{Deliveries, DeliveryOptions};
pub use metric::DeliveryMetrics;
