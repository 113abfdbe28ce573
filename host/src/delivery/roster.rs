//! What outlives a driver that breaks down: the subscriptions, and the leases that it held.

use super::endpoint::Endpoint;
use anglerfish_core::config::DeliveryConfig;
use anglerfish_core::delivery::WorkLease;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Makes a subscription's endpoint, when its first attempt needs it.
pub(super) type MakeEndpoint = Box<dyn Fn() -> Option<Arc<dyn Endpoint>> + Send + Sync>;

/// What a subscription's attempts go by; replaced as a whole.
pub(super) struct Settings {
    pub(super) policy: Arc<DeliveryConfig>,
    pub(super) endpoint: MakeEndpoint,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Settings").field("policy", &self.policy).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    subscriptions: BTreeMap<Arc<str>, Arc<Settings>>,
    paused: BTreeMap<Arc<str>, bool>,
    is_closed: bool,
}

/// The subscriptions as they are to be, and the leases that are held.
#[derive(Debug, Default)]
pub(super) struct Roster {
    state: Mutex<State>,
    /// By delivery and token. Written by the driver alone, a batch at a time.
    leases: Mutex<HashSet<WorkLease>>,
}

impl Roster {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, HashSet<WorkLease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A subscription is to be there.
    pub(super) fn put(&self, name: Arc<str>, settings: Arc<Settings>) {
        self.state().subscriptions.insert(name, settings);
    }

    /// A subscription is to be gone; `false` if it is already.
    pub(super) fn remove(&self, name: &str) -> bool {
        let mut state = self.state();
        state.paused.remove(name);
        state.subscriptions.remove(name).is_some()
    }

    /// A subscription is to be paused, or not; `false` if it is not there.
    pub(super) fn pause(&self, name: &Arc<str>, paused: bool) -> bool {
        let mut state = self.state();
        let is_there = state.subscriptions.contains_key(name);
        if is_there {
            state.paused.insert(Arc::clone(name), paused);
        }
        is_there
    }

    /// Nothing comes any more; `false` if it was so already.
    pub(super) fn close(&self) -> bool {
        !std::mem::replace(&mut self.state().is_closed, true)
    }

    /// Whether the end has begun.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// All subscriptions, in their order, and whether they are paused.
    pub(super) fn subscriptions(&self) -> Vec<(Arc<str>, Arc<Settings>, bool)> {
        let state = self.state();
        let paused = |name: &Arc<str>| state.paused.get(name).copied().unwrap_or(false);
        state
            .subscriptions
            .iter()
            .map(|(name, settings)| (Arc::clone(name), Arc::clone(settings), paused(name)))
            .collect()
    }

    /// Leases are held from now on.
    pub(super) fn hold(&self, leases: impl IntoIterator<Item = WorkLease>) {
        self.leases().extend(leases);
    }

    /// Leases have ended.
    pub(super) fn end(&self, leases: impl IntoIterator<Item = WorkLease>) {
        let mut held = self.leases();
        for lease in leases {
            held.remove(&lease);
        }
    }

    /// The leases of a driver that is no more.
    pub(super) fn take_leases(&self) -> Vec<WorkLease> {
        take(&mut *self.leases()).into_iter().collect()
    }
}
