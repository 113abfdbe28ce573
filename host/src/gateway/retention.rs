//! Letting go of what is older than the retention, in small steps between the commits of ingest.

use crate::clock::WallClock;
use crate::store::Store;
use anglerfish_core::request::UnixMillis;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How many rows one step deletes: few enough that a commit behind it hardly waits.
const STEP: usize = 500;

/// The pause between two steps while there is more to delete.
const BREATH: Duration = Duration::from_millis(20);

/// The longest pause when there is nothing to delete.
const REST: Duration = Duration::from_secs(60);

/// Deletes what is older than what `retention` says until it is told to stop.
pub(super) async fn run(
    store: Arc<dyn Store>,
    mut retention: watch::Receiver<Duration>,
    clock: WallClock,
    stop: CancellationToken,
) {
    loop {
        let time = *retention.borrow_and_update();
        let kept = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let rest = REST.min(time / 10).max(BREATH);
        let before = UnixMillis(clock.now().0.saturating_sub(kept));
        let pause = match store.expire(before, STEP).await {
            Ok(0) => rest,
            Ok(rows) => {
                tracing::debug!(rows, "expired");
                BREATH
            }
            Err(error) => {
                tracing::warn!(%error, "what is older than the retention could not be deleted yet");
                rest
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = retention.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
