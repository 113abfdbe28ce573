//! Gives every API its turn.

use super::calls::{Calls, Shared};
use super::lane::Lane;
use super::run::run;
use crate::clock;
use crate::store::StoreError;
use anglerfish_core::call::CallHistory;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long nothing is looked at while nothing is due. Whoever adds something says so.
const REST: Duration = Duration::from_secs(60);

/// How long an API is left alone whose requests cannot be read.
const PAUSE: Duration = Duration::from_millis(500);

/// How many requests are read at once.
const MOST: usize = 256;

impl Calls {
    /// Gives the APIs their turns until it is stopped or dropped.
    pub async fn run(self) {
        let shared = &self.shared;
        loop {
            let mut next = Instant::now() + REST;
            if let Err(error) = self.record_policies().await {
                tracing::warn!(%error, "what is configured of apis cannot be written down now");
                next = Instant::now() + PAUSE;
            }
            for lane in shared.lanes() {
                if lane.take_turn() {
                    let again = match step(shared, &lane).await {
                        Ok(again) => again,
                        Err(error) => {
                            tracing::warn!(api = lane.name, %error, "the calls of an api cannot go on now");
                            Instant::now() + PAUSE
                        }
                    };
                    lane.set_next(again);
                }
                next = next.min(lane.next());
            }
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = shared.woken.notified() => {}
                () = shared.stop.cancelled() => return,
            }
        }
    }
}

/// Starts what is due and has room, and says when to look again.
async fn step(shared: &Arc<Shared>, lane: &Arc<Lane>) -> Result<Instant, StoreError> {
    let rest = Instant::now() + REST;
    // Without it its requests wait.
    let Some(api) = lane.api() else { return Ok(rest) };
    if let Some(held) = lane.held(&api) {
        // Without a time whoever ends wakes it.
        return Ok(held.unwrap_or(rest));
    }
    let running = lane.count();
    let free = api.definition.config.concurrency.saturating_sub(running);
    if free == 0 {
        // Whoever ends wakes it.
        return Ok(rest);
    }
    let now = clock::now();
    // Those that run are due again only if the clock was put forward: they are left out here.
    let most = (free + running).min(MOST) + lane.aside();
    let due = shared.ledger.store.due_calls(&lane.name, now, most).await?;
    let is_more = due.calls.len() == most;
    let mut started = 0;
    for call in due.calls {
        if started == free {
            return Ok(rest);
        }
        if lane.is_busy(&call.head.id) {
            continue;
        }
        let probe = match lane.start(&api) {
            Ok(probe) => probe,
            Err(opens) => return Ok(opens.unwrap_or(rest)),
        };
        // How many there are is all that tells them apart here; what cannot be read is told of when it is run.
        let attempt = CallHistory::read(call.head.records.clone()).map_or(0, |history| history.count());
        let place = lane.enter(&api, &call.head.id, attempt, probe);
        let shared = Arc::clone(shared);
        started += 1;
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            let supervisor = shared.supervisor.clone();
            let woken = Arc::clone(&shared);
            let stop = shared.abort.clone();
            tokio::select! {
                _ = supervisor.guard("a call", run(shared, call, place)) => {}
                () = stop.cancelled() => {}
            }
            woken.woken.notify_one();
        });
    }
    if is_more && started > 0 {
        return Ok(Instant::now());
    }
    let wait = due.next.map_or(REST, |next| Duration::from_millis(next.0.saturating_sub(now.0)));
    Ok(Instant::now() + wait.clamp(Duration::from_millis(1), REST))
}
