//! Warm instances that the deciding threads share with the threads that read requests.
//!
//! To hand a decision to another thread and to be woken with its answer takes longer than most decisions do. So the
//! thread that has read a request decides on it at once, if an instance is free and ready and decisions have been short
//! of late. What may take longer goes to the deciding threads, so that the threads that serve connections are not held
//! up: large bodies, a table that has changed, an instance that is to be replaced. What turns out to take longer is
//! broken off after a slice of its time and goes there as well.

use super::error::EngineError;
use super::instance::Fault;
use super::job::Decided;
use super::request::InboundRequest;
use super::warm::WarmInstance;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// The mean time of the latest decisions up to which they are made where the request was read: several times what a
/// decision takes, and about what a thread that serves connections may be away without anyone noticing.
const SHORT: Duration = Duration::from_micros(250);

/// The largest body that is decided on where it was read; the time for larger ones grows with them.
const LARGEST_BODY: usize = 64 << 10;

/// The weight of the newest decision in the mean is one in so many: a slow one is felt at once, and some dozens of fast
/// ones make up for it.
const WEIGHT: u64 = 8;

/// The instances that decide.
pub(super) struct Slots {
    slots: Vec<Mutex<WarmInstance>>,
    /// The moving mean of what decisions took, in nanoseconds. Threads may overwrite each other's part in it.
    mean: AtomicU64,
}

impl Slots {
    pub(super) fn new(instances: Vec<WarmInstance>) -> Self {
        Self { slots: instances.into_iter().map(Mutex::new).collect(), mean: AtomicU64::new(0) }
    }

    /// The decision, if it can be had on this thread and at once; `None` if it is one for the deciding threads.
    pub(super) fn decide_now(&self, request: &InboundRequest) -> Option<Result<Decided, EngineError>> {
        if request.body.len() > LARGEST_BODY || self.mean() > SHORT {
            return None;
        }
        // One instance is left to the deciding threads where there are several, and with it one of the threads that
        // serve connections is never in the component: whatever blocks there, the gateway goes on answering.
        let shared = self.slots.len().saturating_sub(1).max(1);
        let mut warm = self.slots.iter().take(shared).find_map(free)?;
        let started = Instant::now();
        // A panic here would end the connection and with it requests that have nothing to do with it.
        let call = AssertUnwindSafe(|| warm.call_if_ready(|instance| instance.decide_at_once(request)));
        let called = catch_unwind(call);
        let took = started.elapsed();
        if !matches!(called, Ok(None)) {
            self.took(took);
        }
        match called {
            Ok(None) => None,
            Ok(Some(Ok((decision, keys)))) => Some(Ok(Decided { decision, keys })),
            // It was a slice of its time that ended, and nothing was written.
            Ok(Some(Err(Fault::Deadline))) => {
                tracing::debug!("a decision takes long; it is made anew on a deciding thread");
                None
            }
            Ok(Some(Err(fault))) => {
                tracing::error!(%fault, "an instance of the component is replaced");
                Some(Err(fault.into()))
            }
            Err(_) => {
                tracing::error!("a decision broke off");
                Some(Err(EngineError::BrokenOff))
            }
        }
    }

    /// What a deciding thread does with its instance. It waits at most for one short decision.
    pub(super) fn with<T>(&self, index: usize, call: impl FnOnce(&mut WarmInstance) -> T) -> Option<T> {
        let slot = self.slots.get(index)?;
        let started = Instant::now();
        let answer = call(&mut slot.lock().unwrap_or_else(PoisonError::into_inner));
        self.took(started.elapsed());
        Some(answer)
    }

    fn mean(&self) -> Duration {
        Duration::from_nanos(self.mean.load(Ordering::Relaxed))
    }

    fn took(&self, time: Duration) {
        let mean = self.mean.load(Ordering::Relaxed);
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.mean.store(mean - mean / WEIGHT + time / WEIGHT, Ordering::Relaxed);
    }
}

/// The instance of a slot that nobody uses. One that a panic left behind has no instance and is made ready by its
/// thread.
fn free(slot: &Mutex<WarmInstance>) -> Option<MutexGuard<'_, WarmInstance>> {
    match slot.try_lock() {
        Ok(warm) => Some(warm),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_decision_sends_the_next_ones_away_and_fast_ones_bring_them_back() {
        let slots = Slots::new(Vec::new());
        slots.took(Duration::from_millis(100));
        assert!(slots.mean() > SHORT);
        let mut fast = 0;
        while slots.mean() > SHORT {
            slots.took(Duration::from_micros(20));
            fast += 1;
        }
        assert!((10..100).contains(&fast), "{fast}");
        for _ in 0..1000 {
            slots.took(Duration::from_micros(200));
        }
        assert!(slots.mean() <= SHORT);
        slots.took(Duration::MAX);
        slots.took(Duration::MAX);
    }
}
