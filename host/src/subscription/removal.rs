//! Subscriptions that were taken out of the configuration file.

use super::Origin;
use super::registry::Subscription;
use crate::store::{DeclaredSubscription, Store, StoreError};
use anglerfish_core::request::UnixMillis;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What ends their open deliveries.
pub(super) const REMOVED: &str = "the subscription was removed from the configuration file";

/// The subscriptions of the file, as the store is told of them.
pub(super) fn declared(entries: &BTreeMap<String, Arc<Subscription>>) -> Vec<DeclaredSubscription> {
    let file = entries.values().filter(|entry| entry.origin == Origin::File);
    file.map(|entry| DeclaredSubscription { id: entry.id.clone(), waits: false }).collect()
}

/// Tells the store which subscriptions the file has now, and ends the open deliveries of those that it had before and
/// that are nowhere any more.
pub(super) async fn reconcile(
    store: &dyn Store,
    entries: &BTreeMap<String, Arc<Subscription>>,
    now: UnixMillis,
) -> Result<(), StoreError> {
    for removed in store.declare(declared(entries)).await? {
        if removed.waits || entries.contains_key(&removed.id) {
            continue;
        }
        let open = store.abandon(&removed.id, REMOVED, now).await?;
        tracing::info!(subscription = removed.id, open, "open deliveries ended: {REMOVED}");
    }
    Ok(())
}
