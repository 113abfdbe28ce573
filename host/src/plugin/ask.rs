//! Asking a plugin from where nothing may block.

use super::pool::{Judged, Plugin};
use std::sync::Arc;
use std::time::Instant;

/// Calls a plugin on a thread that may wait, once there is a place for the call; or says why it was not asked.
pub(super) async fn ask(
    plugin: Arc<Plugin>,
    until: Instant,
    call: impl FnOnce(&Plugin) -> Judged + Send + 'static,
) -> Result<Judged, &'static str> {
    let place = Arc::clone(&plugin.places).acquire_owned();
    let Ok(Ok(place)) = tokio::time::timeout_at(until.into(), place).await else {
        return Err("waited for a place among the plugin's calls");
    };
    let asked = tokio::task::spawn_blocking(move || {
        // The place is taken until the call has ended, also if nobody waits for it any more.
        let _place = place;
        call(&plugin)
    });
    asked.await.map_err(|_| "the call of a plugin broke off")
}
