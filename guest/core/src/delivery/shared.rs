//! Rates that several subscriptions share, such as that of one host.

use super::fault::{Fault, is_seeded};
use super::model::SubscriptionKey;
use super::rate::Limiter;
use super::turn::Turn;
use crate::config::RateConfig;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A rate that all subscriptions share which have it by this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRate {
    /// What it is for.
    pub name: Arc<str>,
    /// How many attempts may start in which time.
    pub rate: RateConfig,
}

/// One of them, with those that wait for it.
#[derive(Debug, Default)]
struct Shared {
    rate: Option<RateConfig>,
    limiter: Limiter,
    waiting: Turn,
}

impl Shared {
    fn opens(&self) -> Duration {
        self.rate.as_ref().map_or(Duration::ZERO, |rate| self.limiter.opens(rate))
    }
}

/// All of them, by name. A handful: they are named in the configuration.
#[derive(Debug, Default)]
pub(super) struct SharedRates(BTreeMap<Arc<str>, Shared>);

impl SharedRates {
    /// When one more may start by this rate, which is the one in force from now on.
    pub(super) fn opens(&mut self, shared: &SharedRate, now: Duration) -> Duration {
        let entry = self.0.entry(Arc::clone(&shared.name)).or_default();
        if entry.rate.replace(shared.rate).is_some_and(|earlier| earlier != shared.rate) {
            entry.limiter.change(&shared.rate, now);
        }
        entry.opens()
    }

    /// An attempt that was allowed to start has not.
    pub(super) fn give_back(&mut self, shared: &SharedRate) {
        if let Some(entry) = self.0.get_mut(&shared.name) {
            entry.limiter.give_back(&shared.rate);
        }
    }

    /// A subscription waits for its turn; `is_in` tells whether it does so already.
    pub(super) fn wait(&mut self, shared: &SharedRate, key: SubscriptionKey, is_in: &mut bool) {
        let entry = self.0.entry(Arc::clone(&shared.name)).or_default();
        entry.limiter.wait();
        entry.waiting.push(key, is_in);
    }

    /// An attempt starts.
    pub(super) fn start(&mut self, shared: &SharedRate, now: Duration) {
        let entry = self.0.entry(Arc::clone(&shared.name)).or_default();
        if !is_seeded(Fault::FreeSharedRate) {
            entry.limiter.start(&shared.rate, now);
        }
        if entry.waiting.is_empty() {
            entry.limiter.rest();
        }
    }

    /// When each rate is unused again.
    pub(super) fn all_rests(&self) -> impl Iterator<Item = (Arc<str>, Duration)> + '_ {
        self.0.iter().map(|(name, entry)| (Arc::clone(name), entry.limiter.rests()))
    }

    /// When a rate is unused again.
    pub(super) fn rests(&self, shared: &SharedRate) -> Duration {
        self.0.get(&shared.name).map_or(Duration::ZERO, |entry| entry.limiter.rests())
    }

    /// An earlier process has used a rate until then.
    pub(super) fn resume(&mut self, shared: &SharedRate, now: Duration, rests: Duration) {
        if !is_seeded(Fault::FreshRate) {
            let entry = self.0.entry(Arc::clone(&shared.name)).or_default();
            entry.limiter.resume(&shared.rate, now, rests);
        }
    }

    /// Those whose turn it is: as many as their rates allow now.
    pub(super) fn admit(&mut self, now: Duration) -> Vec<SubscriptionKey> {
        let mut admitted = Vec::new();
        for shared in self.0.values_mut().filter(|shared| !shared.waiting.is_empty()) {
            let (Some(rate), mut ahead) = (shared.rate, shared.limiter) else { continue };
            while ahead.opens(&rate) <= now
                && let Some(key) = shared.waiting.pop()
            {
                ahead.start(&rate, now);
                admitted.push(key);
            }
        }
        admitted
    }

    /// When somebody's turn comes who waits, if that is later than now.
    pub(super) fn until(&self, now: Duration) -> Option<Duration> {
        let waiting = self.0.values().filter(|shared| !shared.waiting.is_empty());
        waiting.map(Shared::opens).filter(|opens| *opens > now).min()
    }

    /// When the turn of a subscription comes at the earliest.
    pub(super) fn turn(&self, shared: &SharedRate) -> Duration {
        self.0.get(&shared.name).map_or(Duration::ZERO, Shared::opens)
    }
}
