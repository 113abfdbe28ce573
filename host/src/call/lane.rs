//! One API's turn: how many attempts run, how fast they start, and whether it is left alone.

use super::api::ReadyApi;
use anglerfish_core::delivery::Limiter;
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
    /// Held by the one who says what of the API is to be otherwise: what two say at once would be what one of them says.
    pub(super) writing: tokio::sync::Mutex<()>,
    pace: Mutex<Pace>,
    running: Mutex<HashMap<(String, u32), Running>>,
    /// Requests that cannot be gone on with, whatever is tried.
    unreadable: Mutex<HashSet<String>>,
}

/// When attempts may start.
struct Pace {
    limiter: Limiter,
    began: Instant,
    /// Nothing starts before.
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
            writing: tokio::sync::Mutex::default(),
            pace: Mutex::new(Pace { limiter: Limiter::default(), began: now, hold: None, next: now }),
            running: Mutex::default(),
            unreadable: Mutex::default(),
        }
    }

    /// The API as it is configured now; `None` if it is no more.
    pub(super) fn api(&self) -> Option<Arc<ReadyApi>> {
        self.api.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace(&self, api: Option<Arc<ReadyApi>>) {
        *self.api.write().unwrap_or_else(PoisonError::into_inner) = api;
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

    /// When it is looked at again.
    pub(super) fn next(&self) -> Instant {
        self.pace().next
    }

    pub(super) fn set_next(&self, next: Instant) {
        self.pace().next = next;
    }

    /// Nothing starts for so long.
    pub(super) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut pace = self.pace();
        pace.hold = Some(pace.hold.map_or(until, |hold| hold.max(until)));
    }

    /// Until when nothing starts, if that is later than now.
    pub(super) fn held(&self) -> Option<Instant> {
        self.pace().hold.filter(|hold| *hold > Instant::now())
    }

    /// Takes one start from the rate, or says when there is one.
    pub(super) fn start(&self, api: &ReadyApi) -> Result<(), Instant> {
        let Some(rate) = &api.definition.config.rate else { return Ok(()) };
        let mut pace = self.pace();
        let now = pace.began.elapsed();
        let opens = pace.limiter.opens(rate);
        if opens > now {
            pace.limiter.wait();
            return Err(pace.began + opens);
        }
        pace.limiter.start(rate, now);
        Ok(())
    }

    /// How many attempts run.
    pub(super) fn count(&self) -> usize {
        self.running().len()
    }

    /// Leaves a request aside until the next start.
    pub(super) fn leave_aside(&self, id: &str) {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    /// How many are left aside.
    pub(super) fn aside(&self) -> usize {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether this process is about an attempt of the request, or leaves it aside.
    pub(super) fn is_busy(&self, id: &str) -> bool {
        if self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).contains(id) {
            return true;
        }
        self.running().iter().any(|((running, _), one)| running == id && !one.is_late)
    }

    /// Takes a place for an attempt. It is free again when what is returned is dropped.
    pub(super) fn enter(self: &Arc<Self>, id: &str, attempt: u32) -> Place {
        let token = CancellationToken::new();
        let key = (id.to_owned(), attempt);
        self.running().insert(key.clone(), Running { token: token.clone(), is_late: false });
        Place { lane: Arc::clone(self), key, token }
    }

    /// Breaks off all attempts of a request.
    pub(super) fn cancel(&self, id: &str) {
        for ((running, _), one) in self.running().iter() {
            if running == id {
                one.token.cancel();
            }
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<(String, u32), Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an attempt.
pub(super) struct Place {
    pub(super) lane: Arc<Lane>,
    key: (String, u32),
    /// Told when nobody wants it any more.
    pub(super) token: CancellationToken,
}

impl Place {
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
        self.lane.wake();
    }
}
