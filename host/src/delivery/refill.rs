//! Exchanging deliveries with the store.

use crate::clock::now;
use crate::store::{DeliveryId, LeasedDelivery, Store, StoreError};
use anglerfish_core::request::UnixMillis;

/// What came of one exchange.
#[derive(Debug)]
pub(super) struct Refill {
    /// How many were asked for.
    pub(super) asked: usize,
    /// Deliveries to attempt.
    pub(super) leased: Vec<LeasedDelivery>,
    /// When there is more: `None` means now, else what [`Store::next_due`] said.
    pub(super) next: Option<Option<UnixMillis>>,
    /// Why it broke off.
    pub(super) error: Option<StoreError>,
}

/// Gives deliveries back, then leases up to `room` that are due.
pub(super) async fn refill(
    store: &dyn Store,
    subscription: &str,
    returns: &[DeliveryId],
    room: usize,
) -> Refill {
    if !returns.is_empty() {
        store.release(returns).await;
    }
    let mut refill = Refill { asked: room, leased: Vec::new(), next: None, error: None };
    if room == 0 {
        return refill;
    }
    match store.lease(subscription, now(), room).await {
        Ok(leased) => refill.leased = leased,
        Err(error) => {
            refill.error = Some(error);
            return refill;
        }
    }
    if refill.leased.len() < room {
        match store.next_due(subscription).await {
            Ok(next) => refill.next = Some(next),
            Err(error) => refill.error = Some(error),
        }
    }
    refill
}
