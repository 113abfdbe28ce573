//! Exchanging deliveries with the store.

use crate::clock::now;
use crate::store::{Lease, LeaseTerms, LeasedDelivery, Store, StoreError};
use anglerfish_core::request::UnixMillis;

/// What came of one exchange.
#[derive(Debug)]
pub(super) struct Refill {
    /// How many were asked for.
    pub(super) asked: usize,
    /// Deliveries to attempt.
    pub(super) leased: Vec<LeasedDelivery>,
    /// When there is more: `None` means now, else what the store said.
    pub(super) next: Option<Option<UnixMillis>>,
    /// Why it broke off.
    pub(super) error: Option<StoreError>,
}

/// Gives deliveries back, then leases up to `room` that are due.
pub(super) async fn refill(store: &dyn Store, subscription: &str, returns: &[Lease], room: usize) -> Refill {
    let mut refill = Refill { asked: room, leased: Vec::new(), next: None, error: None };
    if !returns.is_empty()
        && let Err(error) = store.release(returns).await
    {
        tracing::error!(subscription, %error, "deliveries cannot be given back");
    }
    if room == 0 {
        return refill;
    }
    match store.lease(subscription, now(), room, LeaseTerms::default()).await {
        Ok(leased) => {
            if leased.deliveries.len() < room {
                refill.next = Some(leased.next);
            }
            refill.leased = leased.deliveries;
        }
        Err(error) => refill.error = Some(error),
    }
    refill
}
