//! Gives every API its turn.

use super::calls::{Calls, Shared};
use super::lane::{Lane, Place};
use super::run::{Turn, run};
use crate::store::{StoreError, StoredCall};
use anglerfish_core::call::CallHistory;
use anglerfish_core::request::UnixMillis;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long nothing is looked at while nothing is due. Whoever adds something says so.
const REST: Duration = Duration::from_secs(60);

/// How long an API is left alone whose requests cannot be read.
const PAUSE: Duration = Duration::from_millis(500);

/// By how many milliseconds the clocks of one machine differ at most without one of them being set.
const DRIFT: i128 = 1000;

/// How long a request waits at most for the rate of its host before it is looked at again: a rate that is said anew should not find
/// it planned for days.
const LONGEST_TURN: Duration = Duration::from_secs(300);

/// How many requests are read at once.
const MOST: usize = 256;

impl Calls {
    /// Gives the APIs their turns until it is stopped or dropped.
    pub async fn run(self) {
        let shared = &self.shared;
        let mut wall = Wall::new();
        // An earlier process may have had a clock that was ahead of this one.
        let mut is_misplanned = true;
        loop {
            let mut next = Instant::now() + REST;
            let elapsed = wall.began.elapsed();
            is_misplanned |= wall.is_put_back(shared.now(), elapsed);
            if is_misplanned {
                match shared.ledger.store.replan_calls(shared.now()).await {
                    Ok(planned) => {
                        is_misplanned = false;
                        if planned > 0 {
                            tracing::warn!(calls = planned, "the clock was put back; these wait anew");
                        }
                        shared.lanes().iter().for_each(|lane| lane.wake());
                    }
                    Err(error) => {
                        tracing::warn!(%error, "calls cannot be planned anew now");
                        next = Instant::now() + PAUSE;
                    }
                }
            }
            if let Err(error) = self.record_policies().await {
                tracing::warn!(%error, "what is configured of apis cannot be written down now");
                next = next.min(Instant::now() + PAUSE);
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

/// The wall clock beside one that nobody sets.
struct Wall {
    began: Instant,
    /// What the one says more than the other, in milliseconds.
    ahead: Option<i128>,
}

impl Wall {
    fn new() -> Self {
        Self { began: Instant::now(), ahead: None }
    }

    /// Whether it was put back since this was asked for the last time.
    fn is_put_back(&mut self, wall: UnixMillis, elapsed: Duration) -> bool {
        let elapsed = i128::try_from(elapsed.as_millis()).unwrap_or(i128::MAX);
        let ahead = i128::from(wall.0) - elapsed;
        let before = self.ahead.replace(ahead).unwrap_or(ahead);
        ahead < before - DRIFT
    }
}

/// Starts what is due and has room, and says when to look again.
async fn step(shared: &Arc<Shared>, lane: &Arc<Lane>) -> Result<Instant, StoreError> {
    let rest = Instant::now() + REST;
    // Without it its requests wait.
    let Some(api) = lane.api() else { return Ok(rest) };
    // Said before it is looked who runs, so that who ends from now on wakes it, and taken back where nothing is left.
    lane.set_behind(true);
    if let Some(held) = lane.held(&api) {
        // Without a time whoever ends wakes it.
        return Ok(held.unwrap_or(rest));
    }
    let running = lane.count();
    let free = api.definition.config.concurrency.saturating_sub(lane.taken(&api));
    if free == 0 {
        // Whoever ends wakes it.
        return Ok(rest);
    }
    let now = shared.now();
    // Those that run are due again only if the clock was put forward: they are left out here.
    let most = (free + running).min(MOST) + lane.aside();
    let due = shared.ledger.store.due_calls(&lane.name, now, most).await?;
    let is_more = due.calls.len() == most;
    let (mut started, mut left, mut end) = (0, 0, None);
    let mut postponed = Vec::new();
    for call in due.calls {
        if started == free {
            end = Some(rest);
            break;
        }
        if lane.is_busy(&call.head.id) {
            continue;
        }
        let history = CallHistory::read(call.head.records.clone()).ok();
        let is_idle =
            |history: &CallHistory| history.pending().next().is_none() && history.awaited().next().is_none();
        if !api.takes(&call.head.request) && history.as_ref().is_some_and(is_idle) {
            // It waits for the API to be as it was when it was made.
            lane.leave_to_reload(&call.head.id);
            left += 1;
            continue;
        }
        // What somebody else left is only written down.
        let begins = history.as_ref().is_some_and(|history| {
            history.pending().next().is_none()
                && history.awaited().all(|attempt| lane.runs(&call.head.id, attempt))
        });
        let host =
            Some(&call.head.request).filter(|_| begins).and_then(|request| shared.hosts.of(&api, request));
        if let Some(host) = &host
            && let Err(wait) = shared.hosts.start(host, &call.head.id)
        {
            // Others of this API may go elsewhere meanwhile.
            postponed.push((call, wait.clamp(Duration::from_millis(1), LONGEST_TURN)));
            left += 1;
            continue;
        }
        // How many there are is all that tells them apart here; what cannot be read is told of when it is run.
        let attempt = history.map_or(0, |history| history.count());
        let id = call.head.id.clone();
        match lane.start(&api, &id, attempt) {
            Ok(place) => start(shared, Turn::Due(call), place),
            Err(opens) => {
                if let Some(host) = &host {
                    shared.hosts.give_back(host, Some(&id));
                }
                end = Some(opens.unwrap_or(rest));
                break;
            }
        }
        started += 1;
    }
    let soonest = postponed.iter().map(|(_, wait)| *wait).min().unwrap_or(REST);
    // All at once: they are one commit then.
    join_all(postponed.into_iter().map(|(call, wait)| postpone(shared, lane, call, wait))).await;
    if let Some(end) = end {
        return Ok(end);
    }
    if is_more && started + left > 0 {
        return Ok(Instant::now());
    }
    if !is_more {
        lane.set_behind(false);
    }
    let wait = due.next.map_or(REST, |next| Duration::from_millis(next.0.saturating_sub(now.0)));
    Ok(Instant::now() + wait.min(soonest).clamp(Duration::from_millis(1), REST))
}

/// Has a request wait for the rate of its host.
async fn postpone(shared: &Shared, lane: &Lane, call: StoredCall, wait: Duration) {
    let (id, now) = (call.head.id.clone(), shared.now());
    // Rounded up: a little early it would be found due for nothing.
    let due = now.after(wait.saturating_add(Duration::from_millis(1)));
    if let Err(error) = shared.ledger.wait_until(call, due, now).await {
        tracing::warn!(call = id, api = lane.name, %error, "a call cannot go on now");
        lane.rest(PAUSE);
    }
}

/// Lets a request have its turn, beside all others.
pub(super) fn start(shared: &Arc<Shared>, turn: Turn, place: Place) {
    let (shared, tasks) = (Arc::clone(shared), shared.tasks.clone());
    tasks.spawn(async move {
        let (supervisor, stop) = (shared.supervisor.clone(), shared.abort.clone());
        let (lane, woken) = (Arc::clone(&place.lane), Arc::clone(&shared));
        tokio::select! {
            _ = supervisor.guard("a call", run(shared, turn, place)) => {}
            () = stop.cancelled() => {}
        }
        if lane.is_woken() {
            woken.woken.notify_one();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_put_back_is_noticed_once_and_one_that_goes_on_or_is_put_forward_is_not() {
        let mut wall = Wall::new();
        let hour = 3_600_000;
        let seen = [
            (2 * hour, 0),
            (2 * hour + 5000, 5),
            (hour, 6),
            (hour + 4000, 10),
            (9 * hour, 11),
            (9 * hour - 500, 11),
        ];
        let seen = seen.map(|(now, elapsed)| wall.is_put_back(UnixMillis(now), Duration::from_secs(elapsed)));
        assert_eq!(seen, [false, false, true, false, false, false]);
    }
}
