//! Whether the gateway can work, told by what still holds it back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What holds the gateway back. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    latches: BTreeMap<u64, String>,
}

/// Holds the gateway back until it is dropped.
///
/// A part takes one before it begins to start and drops it when it is up; one more is taken when the gateway stops.
#[derive(Debug)]
#[must_use = "a latch that is dropped at once holds nothing back"]
pub struct Latch {
    held: Arc<Mutex<Held>>,
    number: u64,
}

impl Readiness {
    /// Nothing holds it back.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds the gateway back for this reason: `the engine is loading`.
    pub fn latch(&self, reason: impl Into<String>) -> Latch {
        let mut held = lock(&self.held);
        let number = held.next;
        held.next += 1;
        held.latches.insert(number, reason.into());
        Latch { held: Arc::clone(&self.held), number }
    }

    /// What holds the gateway back, oldest first; empty means that it is ready.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        lock(&self.held).latches.values().cloned().collect()
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        lock(&self.held).latches.remove(&self.number);
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[test]
    fn is_ready_when_the_last_latch_is_dropped() {
        let readiness = Readiness::new();
        let engine = readiness.latch("the engine is loading");
        let store = readiness.clone().latch("the store is opening");
        drop(engine);
        assert_eq!(readiness.reasons(), ["the store is opening"]);
        drop(store);
        assert!(readiness.reasons().is_empty());
        let _stopping = readiness.latch("the gateway is stopping");
        assert_eq!(readiness.reasons(), ["the gateway is stopping"]);
    }
}
