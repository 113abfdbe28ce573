//! What outlives a driver that breaks down: the subscriptions, and the leases that it held.

use super::endpoint::Endpoint;
use crate::store::StoredStanding;
use anglerfish_core::config::DeliveryConfig;
use anglerfish_core::delivery::{SharedRate, Standing, WorkLease};
use anglerfish_core::request::UnixMillis;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Makes a subscription's endpoint, when its first attempt needs it.
pub(super) type MakeEndpoint = Box<dyn Fn() -> Option<Arc<dyn Endpoint>> + Send + Sync>;

/// What a subscription's attempts go by; replaced as a whole.
pub(super) struct Settings {
    pub(super) policy: Arc<DeliveryConfig>,
    /// A rate that it has together with others.
    pub(super) shared: Option<Arc<SharedRate>>,
    pub(super) endpoint: MakeEndpoint,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Settings").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// How a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StandingRecord {
    pub(super) standing: Standing,
    /// Since when; zero if it has always stood so.
    pub(super) since: UnixMillis,
    /// Since when nothing but failures came back, if that is to be known after a restart.
    pub(super) failing: Option<UnixMillis>,
    /// Whether the store is to be told still.
    pub(super) is_new: bool,
}

#[derive(Debug, Default)]
struct State {
    subscriptions: BTreeMap<Arc<str>, Arc<Settings>>,
    /// Of those that do not stand as usual, whether they are there or not.
    standings: BTreeMap<Arc<str>, StandingRecord>,
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
        self.state().subscriptions.remove(name).is_some()
    }

    /// Whether a subscription is to be there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.state().subscriptions.contains_key(name)
    }

    /// A subscription stands like this from now on. Says whether that is new.
    pub(super) fn stand(
        &self,
        name: &Arc<str>,
        standing: Standing,
        failing: Option<UnixMillis>,
        now: UnixMillis,
    ) -> bool {
        let mut state = self.state();
        let record = state.standings.entry(Arc::clone(name)).or_default();
        let is_other = record.standing != standing;
        let since = if is_other { now } else { record.since };
        *record = StandingRecord { standing, since, failing, is_new: true };
        is_other
    }

    /// The store knows how a subscription stands.
    pub(super) fn stood(&self, name: &str) {
        let mut state = self.state();
        if let Some(record) = state.standings.get_mut(name) {
            record.is_new = false;
            if record.standing == Standing::Active && record.failing.is_none() {
                state.standings.remove(name);
            }
        }
    }

    /// Subscriptions stand like this since before the start.
    pub(super) fn restore(&self, stored: StoredStanding) {
        let StoredStanding { subscription, standing, since, failing } = stored;
        let record = StandingRecord { standing, since, failing, is_new: false };
        self.state().standings.insert(subscription.into(), record);
    }

    /// A subscription is gone for good; another one of its name stands as usual.
    pub(super) fn forget(&self, name: &str) {
        self.state().standings.remove(name);
    }

    /// How a subscription stands.
    pub(super) fn standing(&self, name: &str) -> StandingRecord {
        self.state().standings.get(name).copied().unwrap_or_default()
    }

    /// Nothing comes any more; `false` if it was so already.
    pub(super) fn close(&self) -> bool {
        !std::mem::replace(&mut self.state().is_closed, true)
    }

    /// Whether the end has begun.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// All subscriptions, in their order.
    pub(super) fn subscriptions(&self) -> Vec<(Arc<str>, Arc<Settings>)> {
        let subscriptions = &self.state().subscriptions;
        subscriptions.iter().map(|(name, settings)| (Arc::clone(name), Arc::clone(settings))).collect()
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
