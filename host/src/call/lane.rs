//! One API's turn: how many attempts run, and when the next one may start.

use super::api::ReadyApi;
use anglerfish_core::call::{Gate, Held, Standing};
use anglerfish_core::delivery::Probe;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What is kept of an API in memory.
pub(super) struct Lane {
    pub(super) name: String,
    api: RwLock<Option<Arc<ReadyApi>>>,
    /// Something may be due.
    is_woken: AtomicBool,
    /// Something may be due that was not started, so that who ends has to wake it, and who comes waits behind it.
    is_behind: AtomicBool,
    /// Held by the one who says what of the API is to be otherwise: what two say at once would be what one of them says.
    pub(super) writing: tokio::sync::Mutex<()>,
    pace: Mutex<Pace>,
    running: Mutex<HashMap<(String, u32), Running>>,
    /// Requests that cannot be gone on with, whatever is tried.
    unreadable: Mutex<HashSet<String>>,
    /// Requests that the API does not take as it is configured now.
    unfitting: Mutex<HashSet<String>>,
}

/// When attempts may start.
struct Pace {
    gate: Gate,
    /// When the gate's time began.
    began: Instant,
    /// Nothing starts before, because of this side.
    hold: Option<Instant>,
    /// When it is looked again.
    next: Instant,
}

struct Running {
    token: CancellationToken,
    /// Its time is over, and its answer would still count.
    is_late: bool,
}

impl Lane {
    pub(super) fn new(name: &str) -> Self {
        let now = Instant::now();
        Self {
            name: name.to_owned(),
            api: RwLock::new(None),
            is_woken: AtomicBool::new(true),
            is_behind: AtomicBool::new(true),
            writing: tokio::sync::Mutex::default(),
            pace: Mutex::new(Pace { gate: Gate::default(), began: now, hold: None, next: now }),
            running: Mutex::default(),
            unreadable: Mutex::default(),
            unfitting: Mutex::default(),
        }
    }

    /// The API as it is configured now; `None` if it is no more.
    pub(super) fn api(&self) -> Option<Arc<ReadyApi>> {
        self.api.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace(&self, api: Option<Arc<ReadyApi>>) {
        *self.api.write().unwrap_or_else(PoisonError::into_inner) = api;
        self.unfitting().clear();
        self.wake();
    }

    /// Says that something may be due.
    pub(super) fn wake(&self) {
        self.is_woken.store(true, Ordering::Release);
    }

    /// Whether it is to be looked at; from now on it is not any more.
    pub(super) fn take_turn(&self) -> bool {
        let is_woken = self.is_woken.swap(false, Ordering::AcqRel);
        is_woken || self.pace().next <= Instant::now()
    }

    /// Whether it is to be looked at.
    pub(super) fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::Acquire)
    }

    /// Says whether something may be due that was not started.
    pub(super) fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::SeqCst);
    }

    /// When it is looked at again.
    pub(super) fn next(&self) -> Instant {
        self.pace().next
    }

    pub(super) fn set_next(&self, next: Instant) {
        self.pace().next = next;
    }

    /// Nothing starts for so long, because of this side.
    pub(super) fn rest(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut pace = self.pace();
        pace.hold = Some(pace.hold.map_or(until, |hold| hold.max(until)));
    }

    /// Nothing starts for so long, because the API has asked for that.
    pub(super) fn throttle(&self, wait: Duration) {
        let mut pace = self.pace();
        let until = pace.began.elapsed().saturating_add(wait);
        pace.gate.hold(until);
    }

    /// Attempts start again, whatever the API has asked for.
    pub(super) fn resume(&self) {
        self.pace().gate.resume();
        self.wake();
    }

    /// Whether the breaker of its API is open.
    pub(super) fn is_open(&self) -> bool {
        self.api().is_some_and(|api| self.pace().gate.is_open(&api.definition.config))
    }

    /// When it may be tried again to start something, if nothing may now; with no time once an attempt has ended.
    pub(super) fn held(&self, api: &ReadyApi) -> Option<Option<Instant>> {
        let pace = self.pace();
        if let Some(hold) = pace.hold.filter(|hold| *hold > Instant::now()) {
            return Some(Some(hold));
        }
        let held = pace.gate.held(&api.definition.config, pace.began.elapsed())?;
        Some(held.until().map(|until| pace.began + until))
    }

    /// What of the API holds up what is to be sent there, and until when, if that is known.
    pub(super) fn waits(&self, api: &ReadyApi) -> Option<(&'static str, Option<Duration>)> {
        let pace = self.pace();
        let now = pace.began.elapsed();
        let config = &api.definition.config;
        let held = pace.gate.held(config, now);
        let left = |until: Duration| until.saturating_sub(now);
        match held {
            Some(Held::Asked(until)) => Some(("throttled", Some(left(until)))),
            Some(held) => Some(("breaker", held.until().map(left))),
            None if pace.gate.is_open(config) => Some(("breaker", Some(Duration::ZERO))),
            // These are no news where nothing waits.
            None if !self.is_behind.load(Ordering::SeqCst) => None,
            None => match pace.gate.rate_opens(config, now) {
                Some(until) => Some(("rate", Some(left(until)))),
                None => {
                    drop(pace);
                    (self.taken(api) >= config.concurrency).then_some(("concurrency", None))
                }
            },
        }
    }

    /// Starts an attempt of a request that has just been made, if nothing is due before it and there is room.
    pub(super) fn start_at_once(
        self: &Arc<Self>,
        api: &Arc<ReadyApi>,
        id: &str,
        attempt: u32,
    ) -> Option<Place> {
        let is_behind = self.is_behind.load(Ordering::SeqCst);
        if is_behind || self.pace().hold.is_some_and(|hold| hold > Instant::now()) {
            return None;
        }
        self.start(api, id, attempt).ok()
    }

    /// Starts an attempt, as the probe of an open breaker if it says so: takes a place, which is free again when what is returned is
    /// dropped. Or says when it may be tried again; without a time once an attempt has ended.
    pub(super) fn start(
        self: &Arc<Self>,
        api: &Arc<ReadyApi>,
        id: &str,
        attempt: u32,
    ) -> Result<Place, Option<Instant>> {
        let token = CancellationToken::new();
        let key = (id.to_owned(), attempt);
        let probe = {
            // Held until it is in: there are never more than there is room for.
            let mut running = self.running();
            let most = api.definition.config.concurrency;
            if taken(&running, most) >= most {
                return Err(None);
            }
            let mut pace = self.pace();
            let now = pace.began.elapsed();
            let began = pace.began;
            let probe = pace
                .gate
                .start(&api.definition.config, now)
                .map_err(|held| held.until().map(|until| began + until))?;
            running.insert(key.clone(), Running { token: token.clone(), is_late: false });
            probe
        };
        Ok(Place {
            lane: Arc::clone(self),
            api: Arc::clone(api),
            key,
            token,
            probe,
            is_last: AtomicBool::new(false),
        })
    }

    /// An attempt has ended, which says so much of the API. Says whether that opened its breaker (`true`) or closed it.
    fn end(&self, api: &ReadyApi, probe: Option<Probe>, standing: Standing) -> Option<bool> {
        let mut pace = self.pace();
        let now = pace.began.elapsed();
        pace.gate.handle_ended(&api.definition.config, now, probe, standing, fastrand::u64(..))
    }

    /// How many attempts run.
    pub(super) fn count(&self) -> usize {
        self.running().len()
    }

    /// How many places are taken.
    pub(super) fn taken(&self, api: &ReadyApi) -> usize {
        taken(&self.running(), api.definition.config.concurrency)
    }

    /// Leaves a request aside until the next start.
    pub(super) fn leave_aside(&self, id: &str) {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    /// Leaves a request aside until the API is configured anew.
    pub(super) fn leave_to_reload(&self, id: &str) {
        self.unfitting().insert(id.to_owned());
    }

    /// How many are left aside.
    pub(super) fn aside(&self) -> usize {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).len() + self.unfitting().len()
    }

    /// Whether this process is about an attempt of the request, or leaves it aside.
    pub(super) fn is_busy(&self, id: &str) -> bool {
        if self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
            || self.unfitting().contains(id)
        {
            return true;
        }
        self.running().iter().any(|((running, _), one)| running == id && !one.is_late)
    }

    /// Whether this process is about this attempt of the request.
    pub(super) fn runs(&self, id: &str, attempt: u32) -> bool {
        self.running().contains_key(&(id.to_owned(), attempt))
    }

    /// Breaks off all attempts of a request.
    pub(super) fn cancel(&self, id: &str) {
        self.unfitting().remove(id);
        for ((running, _), one) in self.running().iter() {
            if running == id {
                one.token.cancel();
            }
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unfitting(&self) -> MutexGuard<'_, HashSet<String>> {
        self.unfitting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<(String, u32), Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many places are taken of so many. An attempt whose answer still counts after its time has given its place back; of those
/// there may be as many again, and what is more takes places, so that they are not without number where nobody ever answers.
fn taken(running: &HashMap<(String, u32), Running>, most: usize) -> usize {
    let late = running.values().filter(|one| one.is_late).count();
    running.len() - late.min(most)
}

/// The place of an attempt.
pub(super) struct Place {
    pub(super) lane: Arc<Lane>,
    pub(super) api: Arc<ReadyApi>,
    key: (String, u32),
    /// Which probe of an open breaker it is, if it is one.
    probe: Option<Probe>,
    /// Told when nobody wants it any more.
    pub(super) token: CancellationToken,
    /// Its request has ended.
    is_last: AtomicBool,
}

impl Place {
    /// What the attempt says of the API. Says whether that opened its breaker (`true`) or closed it.
    pub(super) fn tell(&self, standing: Standing) -> Option<bool> {
        self.lane.end(&self.api, self.probe, standing)
    }

    /// Its request has ended with it: nothing of it is due any more.
    pub(super) fn be_last(&self) {
        self.is_last.store(true, Ordering::SeqCst);
    }

    /// The next attempt may begin beside it.
    pub(super) fn be_late(&self) {
        if let Some(running) = self.lane.running().get_mut(&self.key) {
            running.is_late = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lane.running().remove(&self.key);
        // Where it told of the API this says nothing more.
        let _ = self.tell(Standing::Unknown);
        // Where nothing waits for the place, nobody needs to look who does.
        if !self.is_last.load(Ordering::SeqCst) || self.lane.is_behind.load(Ordering::SeqCst) {
            self.lane.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_whose_answers_are_awaited_after_their_time_take_no_place_until_they_are_as_many_again() {
        let running = |late: u32, others: u32| -> HashMap<(String, u32), Running> {
            let one = |is_late| Running { token: CancellationToken::new(), is_late };
            let late = (0..late).map(|n| (("late".to_owned(), n), one(true)));
            late.chain((0..others).map(|n| (("other".to_owned(), n), one(false)))).collect()
        };
        assert_eq!(
            [(0, 2), (1, 0), (3, 1), (5, 1)].map(|(late, others)| taken(&running(late, others), 3)),
            [2, 0, 1, 3]
        );
    }
}
