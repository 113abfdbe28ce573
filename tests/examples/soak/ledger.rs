//! What was answered with 2xx.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What senders share.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) next: AtomicU64,
    pub(crate) stop: AtomicBool,
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
    accepted: Mutex<BTreeSet<u64>>,
    odd: Mutex<Vec<String>>,
    waits: Mutex<Vec<Duration>>,
}

impl Ledger {
    pub(crate) fn accepted(&self, number: u64, waited: Duration) {
        self.accepted.lock().unwrap().insert(number);
        self.waits.lock().unwrap().push(waited);
    }

    pub(crate) fn odd(&self, what: String) {
        let mut odd = self.odd.lock().unwrap();
        if odd.len() < 20 {
            odd.push(what);
        }
    }

    pub(crate) fn take_odd(&self) -> Vec<String> {
        std::mem::take(&mut self.odd.lock().unwrap())
    }

    pub(crate) fn count(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// The median and the 99th percentile of the answers since the last call, in milliseconds.
    pub(crate) fn waits(&self) -> (f64, f64) {
        let mut waits = std::mem::take(&mut *self.waits.lock().unwrap());
        waits.sort_unstable();
        let at = |part: f64| {
            let index = (waits.len() as f64 * part) as usize;
            waits.get(index).map_or(0.0, |wait| wait.as_secs_f64() * 1e3)
        };
        (at(0.5), at(0.99))
    }

    /// The accepted events that a receiver should have and that its notes do not name, and how often it was sent one
    /// again.
    pub(crate) fn missing(&self, notes: &Path, wants: fn(u64) -> bool) -> (Vec<String>, usize) {
        let text = std::fs::read_to_string(notes).unwrap_or_default();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for line in text.lines() {
            *times.entry(line).or_default() += 1;
        }
        let accepted = self.accepted.lock().unwrap();
        let missing = accepted
            .iter()
            .filter(|number| wants(**number))
            .map(|number| format!("e-{number}"))
            .filter(|id| !times.contains_key(id.as_str()))
            .collect();
        (missing, times.values().map(|count| count - 1).sum())
    }
}
