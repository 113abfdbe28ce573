//! Subscriptions that were taken out of the configuration file.

use super::registry::Subscription;
use super::{Dispatch, Origin, start};
use crate::store::{DeclaredSubscription, Store, StoreError};
use anglerfish_core::config::WhenRemoved;
use anglerfish_core::request::UnixMillis;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What ends their open deliveries.
pub(super) const REMOVED: &str = "the subscription was removed from the configuration file";

/// The subscriptions of the file, as the store is told of them.
pub(super) async fn declared(
    store: &dyn Store,
    entries: &BTreeMap<String, Arc<Subscription>>,
    now: UnixMillis,
) -> Result<Vec<DeclaredSubscription>, StoreError> {
    let mut declared = Vec::new();
    for entry in entries.values().filter(|entry| entry.origin == Origin::File) {
        let point = entry.config().map(|config| config.start).unwrap_or_default();
        declared.push(DeclaredSubscription {
            id: entry.id.clone(),
            waits: entry.when_removed() == WhenRemoved::Wait,
            start: start::job(store, &entry.id, point, now).await?,
        });
    }
    Ok(declared)
}

/// Tells the store which subscriptions the file has now, and ends the open deliveries of those that it had before and
/// that are nowhere any more.
pub(super) async fn reconcile(
    store: &dyn Store,
    dispatch: &dyn Dispatch,
    entries: &BTreeMap<String, Arc<Subscription>>,
    now: UnixMillis,
) -> Result<(), StoreError> {
    for removed in store.declare(declared(store, entries, now).await?).await? {
        if removed.waits || entries.contains_key(&removed.id) {
            continue;
        }
        end(store, dispatch, &removed.id, now).await?;
    }
    Ok(())
}

/// Ends the open deliveries of a subscription that the file has no longer.
pub(super) async fn end(
    store: &dyn Store,
    dispatch: &dyn Dispatch,
    id: &str,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let open = store.abandon(id, REMOVED, now).await?;
    dispatch.forget(id);
    if open > 0 {
        tracing::info!(subscription = id, open, "open deliveries ended: {REMOVED}");
    }
    Ok(())
}

/// Says in the log what waits for a subscription that is gone.
pub(super) fn warn_of_waiting(id: &str, open: u64) {
    tracing::warn!(
        subscription = id,
        open,
        "open deliveries of a subscription that is gone wait for it to come back; \
         deleting it through the management API ends them"
    );
}
