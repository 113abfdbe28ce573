//! Which deliveries are being worked on.
//!
//! One process owns the file, so this is kept in memory: after a restart whatever is pending can be leased again.

use crate::store::DeliveryId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The leases of one store. No larger than what its callers hold.
#[derive(Debug, Default)]
pub(super) struct Leases {
    state: Mutex<State>,
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    subscription_of: HashMap<DeliveryId, Arc<str>>,
    held: HashMap<Arc<str>, HashSet<DeliveryId>>,
}

impl Leases {
    /// Keeps other callers from choosing deliveries to lease while this one does.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `begin` and says what a subscription held at that very moment. A lease ends only after what it led to is
    /// committed: a delivery that is pending in a snapshot begun here and not held is really to be done.
    pub(super) fn held_at<T>(
        &self,
        subscription: &str,
        begin: impl FnOnce() -> T,
    ) -> (T, HashSet<DeliveryId>) {
        let state = self.state();
        let begun = begin();
        (begun, state.held.get(subscription).cloned().unwrap_or_default())
    }

    /// Leases deliveries until the guard is dropped.
    pub(super) fn take(
        self: &Arc<Self>,
        deliveries: impl IntoIterator<Item = (DeliveryId, Arc<str>)>,
    ) -> LeaseGuard {
        let mut state = self.state();
        let mut taken = Vec::new();
        for (id, subscription) in deliveries {
            state.held.entry(Arc::clone(&subscription)).or_default().insert(id);
            state.subscription_of.insert(id, subscription);
            taken.push(id);
        }
        drop(state);
        LeaseGuard { leases: Arc::clone(self), taken }
    }

    /// Ends leases; one that does not exist is no error.
    pub(super) fn end(&self, deliveries: &[DeliveryId]) {
        if deliveries.is_empty() {
            return;
        }
        let mut state = self.state();
        for id in deliveries {
            let Some(subscription) = state.subscription_of.remove(id) else { continue };
            let Some(held) = state.held.get_mut(&subscription) else { continue };
            held.remove(id);
            if held.is_empty() {
                state.held.remove(&subscription);
            }
        }
    }

    /// Whether a delivery is leased.
    pub(super) fn holds(&self, delivery: DeliveryId) -> bool {
        self.state().subscription_of.contains_key(&delivery)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leases on their way to a caller. They end if the caller is gone before it gets them.
#[derive(Debug)]
pub(super) struct LeaseGuard {
    leases: Arc<Leases>,
    taken: Vec<DeliveryId>,
}

impl LeaseGuard {
    /// Hands the leases over.
    pub(super) fn keep(mut self) -> Vec<DeliveryId> {
        std::mem::take(&mut self.taken)
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.leases.end(&self.taken);
    }
}
