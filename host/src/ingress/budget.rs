//! How much memory requests may hold before they are verified, all together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// What a request costs besides its head and its body, in bytes.
const OVERHEAD: usize = 1024;

/// A budget of bytes. Cheap to clone; all clones are one.
///
/// Whoever sends a body has shown nothing yet, so a body that is not whole holds memory only as long as nobody else
/// needs it: when there is none left, the oldest unfinished one gives way. An honest sender's body is whole within
/// moments; those that are sent to fill memory are old by then.
#[derive(Debug, Clone)]
pub(super) struct BodyBudget {
    ledger: Arc<Mutex<Ledger>>,
}

#[derive(Debug)]
struct Ledger {
    total: u64,
    held: u64,
    next: u64,
    /// Bodies that are not whole, oldest first.
    unfinished: BTreeMap<u64, Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    bytes: u64,
    revoked: CancellationToken,
}

/// What one request holds of the budget, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    ledger: Arc<Mutex<Ledger>>,
    number: u64,
    revoked: CancellationToken,
    /// What it holds, once it is whole.
    whole: Option<u64>,
}

impl BodyBudget {
    /// A budget of so many bytes.
    pub(super) fn new(total: u64) -> Self {
        let ledger = Ledger { total, held: 0, next: 0, unfinished: BTreeMap::new() };
        Self { ledger: Arc::new(Mutex::new(ledger)) }
    }

    /// Changes its size. What is held beyond a smaller one is not taken back.
    pub(super) fn resize(&self, total: u64) {
        lock(&self.ledger).total = total;
    }

    /// A request with a head of so many bytes begins to send its body; `None` if there is no room for it.
    pub(super) fn open(&self, head: usize) -> Option<Share> {
        let revoked = CancellationToken::new();
        let bytes = head.saturating_add(OVERHEAD) as u64;
        let mut ledger = lock(&self.ledger);
        if !ledger.make_room(bytes, None) {
            return None;
        }
        let number = ledger.next;
        ledger.next += 1;
        ledger.held += bytes;
        ledger.unfinished.insert(number, Unfinished { bytes, revoked: revoked.clone() });
        drop(ledger);
        Some(Share { ledger: Arc::clone(&self.ledger), number, revoked, whole: None })
    }

    /// How many bytes are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> u64 {
        lock(&self.ledger).held
    }
}

impl Ledger {
    /// Lets the oldest ones give way until there is room; `own` is who asks, and gives way last.
    fn make_room(&mut self, bytes: u64, own: Option<u64>) -> bool {
        while self.held.saturating_add(bytes) > self.total {
            let oldest = self.unfinished.keys().copied().find(|number| Some(*number) != own);
            let Some(one) = oldest.and_then(|number| self.unfinished.remove(&number)) else { return false };
            // It is free a moment before its task has let it go: a request's worth, for as long as a wake-up takes.
            self.held = self.held.saturating_sub(one.bytes);
            one.revoked.cancel();
        }
        true
    }
}

impl Share {
    /// Cancelled when it has to give way.
    pub(super) fn revoked(&self) -> CancellationToken {
        self.revoked.clone()
    }

    /// Takes so many bytes more; `false` if it cannot have them.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let mut ledger = lock(&self.ledger);
        if !ledger.unfinished.contains_key(&self.number) || !ledger.make_room(bytes, Some(self.number)) {
            return false;
        }
        ledger.held += bytes;
        if let Some(own) = ledger.unfinished.get_mut(&self.number) {
            own.bytes += bytes;
        }
        true
    }

    /// The body is whole, so it gives way to nobody any more; `false` if it had to already.
    pub(super) fn complete(&mut self) -> bool {
        if self.whole.is_none() {
            self.whole = lock(&self.ledger).unfinished.remove(&self.number).map(|own| own.bytes);
        }
        self.whole.is_some()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Whoever gave way has nothing to give back.
        if self.complete()
            && let Some(bytes) = self.whole
        {
            let mut ledger = lock(&self.ledger);
            ledger.held = ledger.held.saturating_sub(bytes);
        }
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_unfinished_one_gives_way_and_whole_ones_do_not() {
        let budget = BodyBudget::new(100_000);
        let mut whole = budget.open(40_000).unwrap();
        assert!(whole.complete());
        let old = budget.open(20_000).unwrap();
        let mut young = budget.open(20_000).unwrap();
        assert!(young.grow(30_000));
        assert!(old.revoked().is_cancelled() && !young.revoked().is_cancelled());
        drop(old);
        assert!(budget.held() <= 100_000);
        // Only whole ones and itself are left.
        assert!(!young.grow(60_000));
        assert!(young.complete());
        assert!(budget.open(30_000).is_none());
        drop((whole, young));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn what_had_to_give_way_is_not_whole_afterwards() {
        let budget = BodyBudget::new(10_000);
        let mut first = budget.open(5_000).unwrap();
        let second = budget.open(5_000).unwrap();
        assert!(!first.grow(1) && !first.complete());
        drop(first);
        drop(second);
        assert_eq!(budget.held(), 0);
    }
}
