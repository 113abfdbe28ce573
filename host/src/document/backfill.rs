//! Telling subscribers of what was there before they subscribed, in small steps.

use super::changes::{ChangeError, Documents};
use super::port::DocumentDecider;
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;

/// Documents that are looked at in one step.
const STEP: usize = 100;
/// How long it is until somebody new is looked for.
const PAUSE: Duration = Duration::from_millis(500);

/// Goes on until it is dropped.
pub(super) async fn run(documents: Documents, decider: Arc<dyn DocumentDecider>, store: Arc<dyn Store>) {
    loop {
        match round(&documents, &*decider, &*store).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "subscribers cannot be told now of what was there before"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One step for each subscriber that is being told; whether there may be more at once.
async fn round(
    documents: &Documents,
    decider: &dyn DocumentDecider,
    store: &dyn Store,
) -> Result<bool, ChangeError> {
    let mut is_more = false;
    for follower in store.followers().await? {
        let Some(place) = &follower.backfilled else { continue };
        let (page, next) = documents.page(&follower.resource, place, STEP).await?;
        for document in page {
            documents.announce(&follower.subscription, document.url, false).await?;
        }
        // A step that is done again tells nothing twice: what a subscriber was told is written down.
        store.backfilled(&follower.subscription, next.as_deref()).await?;
        if next.is_none() {
            let caught_up = decider.caught_up(&follower.subscription).await;
            caught_up.map_err(|error| ChangeError::Broken(error.to_string()))?;
        }
        is_more |= next.is_some();
    }
    Ok(is_more)
}
