//! Which deliveries are being worked on.
//!
//! One process owns the file, so this is kept in memory: after a restart whatever is pending can be leased again, and no
//! lease of an earlier process is known.

use super::attempt_journal::{AttemptJournal, BegunAttempt, Slot};
use crate::store::{DeliveryId, Lease, LeaseTerms, LeaseToken, Owner};
use anglerfish_core::request::UnixMillis;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The leases of one store. No larger than what its callers hold.
#[derive(Debug, Default)]
pub(super) struct Leases {
    state: Mutex<State>,
    turn: Mutex<()>,
    /// Where the next process finds what was begun under them.
    pub(super) journal: AttemptJournal,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    held: HashMap<DeliveryId, Held>,
    by_subscription: HashMap<Arc<str>, HashSet<DeliveryId>>,
}

#[derive(Debug)]
struct Held {
    subscription: Arc<str>,
    owner: Owner,
    token: LeaseToken,
    until: UnixMillis,
    /// Whether nobody works on the delivery before an attempt begins.
    is_ahead: bool,
    /// The attempt that is made under it, in the journal.
    begun: Option<Slot>,
    /// Whether it is being settled: nobody gets the delivery meanwhile, whatever the deadline says.
    settling: bool,
}

impl Held {
    fn stands_at(&self, now: UnixMillis) -> bool {
        self.settling || self.until > now
    }
}

impl Leases {
    /// Without any.
    pub(super) fn new(journal: AttemptJournal) -> Self {
        Self { journal, ..Self::default() }
    }

    /// An attempt begins under a lease. Nothing comes of a stale one; says whether it is not.
    pub(super) fn begin(&self, lease: Lease, started: i64, before: u32) -> bool {
        let attempt = BegunAttempt { delivery: lease.delivery.0, started, before };
        let mut state = self.state();
        let Some(held) = state.get_mut(lease) else { return false };
        held.is_ahead = false;
        let earlier = std::mem::replace(&mut held.begun, self.journal.begin(attempt));
        drop(state);
        earlier.into_iter().for_each(|slot| self.journal.end(slot, false));
        true
    }

    /// Whether nobody works on a delivery. A lease ahead of its attempt is stale from then on.
    pub(super) fn give_way(&self, delivery: DeliveryId, now: UnixMillis) -> bool {
        let mut state = self.state();
        let Some(held) = state.held.get(&delivery).filter(|held| held.stands_at(now)) else { return true };
        if !held.is_ahead || held.settling {
            return false;
        }
        let subscription = Arc::clone(&held.subscription);
        state.held.remove(&delivery);
        state.forget(&subscription, delivery);
        true
    }

    /// Keeps other callers from choosing deliveries to lease while this one does.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `begin` and says what of a subscription was leased at that very moment. A lease ends only after what it led
    /// to is committed: a delivery that is pending in a snapshot begun here and not leased is really to be done.
    pub(super) fn held_at<T>(
        &self,
        subscription: &str,
        now: UnixMillis,
        begin: impl FnOnce() -> T,
    ) -> (T, HashSet<DeliveryId>) {
        let state = self.state();
        let begun = begin();
        let held = state.by_subscription.get(subscription).into_iter().flatten();
        let stands = |id: &&DeliveryId| state.held.get(id).is_some_and(|held| held.stands_at(now));
        (begun, held.filter(stands).copied().collect())
    }

    /// Leases deliveries until the guard is dropped. Earlier leases of them are stale from now on.
    pub(super) fn take(
        self: &Arc<Self>,
        deliveries: impl IntoIterator<Item = (DeliveryId, Arc<str>)>,
        terms: &LeaseTerms,
    ) -> LeaseGuard {
        let mut state = self.state();
        let mut taken = Vec::new();
        for (delivery, subscription) in deliveries {
            state.last += 1;
            let token = LeaseToken(state.last);
            state.by_subscription.entry(Arc::clone(&subscription)).or_default().insert(delivery);
            let (owner, until) = (terms.owner.clone(), terms.until);
            let is_ahead = terms.is_ahead;
            let held = Held { subscription, owner, token, until, is_ahead, begun: None, settling: false };
            if let Some(slot) = state.held.insert(delivery, held).and_then(|earlier| earlier.begun) {
                self.journal.end(slot, false);
            }
            taken.push(Lease { delivery, token });
        }
        drop(state);
        LeaseGuard { leases: Arc::clone(self), taken }
    }

    /// Ends leases, after what came of them `is_recorded` or not; returns the stale ones.
    pub(super) fn end(&self, leases: &[Lease], is_recorded: bool) -> Vec<Lease> {
        if leases.is_empty() {
            return Vec::new();
        }
        let mut state = self.state();
        let mut stale = Vec::new();
        for lease in leases {
            if state.get_mut(*lease).is_none() {
                stale.push(*lease);
                continue;
            }
            let Some(held) = state.held.remove(&lease.delivery) else { continue };
            let Held { subscription, owner, begun, .. } = held;
            begun.into_iter().for_each(|slot| self.journal.end(slot, is_recorded));
            tracing::trace!(delivery = %lease.delivery, token = %lease.token, owner = owner.name(), "lease ended");
            state.forget(&subscription, lease.delivery);
        }
        stale
    }

    /// Moves the deadline of leases; returns the stale ones.
    pub(super) fn extend(&self, leases: &[Lease], until: UnixMillis) -> Vec<Lease> {
        let mut state = self.state();
        let mut stale = Vec::new();
        for lease in leases {
            match state.get_mut(*lease) {
                Some(held) => held.until = until,
                None => stale.push(*lease),
            }
        }
        stale
    }

    /// Marks a lease as being settled; `false` if it is stale, or being settled already.
    pub(super) fn begin_settling(&self, lease: Lease) -> bool {
        let mut state = self.state();
        let Some(held) = state.get_mut(lease).filter(|held| !held.settling) else { return false };
        held.settling = true;
        true
    }

    /// What was being settled is not: the transaction was undone.
    pub(super) fn undo_settling(&self, leases: &[Lease]) {
        let mut state = self.state();
        for lease in leases {
            if let Some(held) = state.get_mut(*lease) {
                held.settling = false;
            }
        }
    }

    /// Whether a delivery is leased.
    pub(super) fn holds(&self, delivery: DeliveryId, now: UnixMillis) -> bool {
        self.state().held.get(&delivery).is_some_and(|held| held.stands_at(now))
    }

    /// The lease of a delivery, whoever has it.
    #[cfg(test)]
    pub(super) fn of(&self, delivery: DeliveryId) -> Option<Lease> {
        self.state().held.get(&delivery).map(|held| Lease { delivery, token: held.token })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn get_mut(&mut self, lease: Lease) -> Option<&mut Held> {
        self.held.get_mut(&lease.delivery).filter(|held| held.token == lease.token)
    }

    fn forget(&mut self, subscription: &Arc<str>, delivery: DeliveryId) {
        let Some(held) = self.by_subscription.get_mut(subscription) else { return };
        held.remove(&delivery);
        if held.is_empty() {
            self.by_subscription.remove(subscription);
        }
    }
}

/// Leases on their way to a caller. They end if the caller is gone before it gets them.
#[derive(Debug)]
pub(super) struct LeaseGuard {
    leases: Arc<Leases>,
    taken: Vec<Lease>,
}

impl LeaseGuard {
    /// The leases.
    pub(super) fn leases(&self) -> &[Lease] {
        &self.taken
    }

    /// Hands the leases over.
    pub(super) fn keep(mut self) -> Vec<Lease> {
        std::mem::take(&mut self.taken)
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.leases.end(&self.taken, false);
    }
}
