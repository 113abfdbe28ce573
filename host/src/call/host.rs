//! The rates of hosts (`outbound.host_rates`), which the calls of all APIs share.

use super::api::ReadyApi;
use crate::outbound::canonical;
use anglerfish_core::call::{CallRequest, HostTurns};
use anglerfish_core::config::RateConfig;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The hosts that have a rate, by their canonical form, with whose turn it is there.
pub(super) struct Hosts {
    rates: BTreeMap<String, RateConfig>,
    turns: Mutex<BTreeMap<String, HostTurns>>,
    /// When the time of the turns began.
    began: Instant,
}

/// The host of a URL in its canonical form: however it is spelt, it is the same.
pub(super) fn host_of(url: &str) -> Option<String> {
    canonical(url.parse::<http::Uri>().ok()?.host()?)
}

impl Hosts {
    pub(super) fn new(rates: BTreeMap<String, RateConfig>) -> Self {
        Self { rates, turns: Mutex::default(), began: Instant::now() }
    }

    /// The host with a rate that a request goes to, if it does.
    pub(super) fn of(&self, api: &ReadyApi, request: &CallRequest) -> Option<(String, RateConfig)> {
        if self.rates.is_empty() {
            return None;
        }
        let host = match request.url() {
            Some(url) => host_of(url),
            None => host_of(api.definition.config.endpoint.url.reveal()),
        }?;
        let rate = *self.rates.get(&host)?;
        Some((host, rate))
    }

    /// A request that has just been made starts, if nobody waits and the rate has room. Says whether it may.
    pub(super) fn start_at_once(&self, (host, rate): &(String, RateConfig)) -> bool {
        let now = self.began.elapsed();
        self.turns().entry(host.clone()).or_default().start_at_once(rate, now)
    }

    /// A request starts, or waits for its turn.
    ///
    /// # Errors
    ///
    /// After which time it is to be looked at again.
    pub(super) fn start(&self, (host, rate): &(String, RateConfig), id: &str) -> Result<(), Duration> {
        let now = self.began.elapsed();
        let started = self.turns().entry(host.clone()).or_default().start(rate, id, now);
        started.map_err(|turn| turn.saturating_sub(now))
    }

    /// A request that was let start has not; with its id it waits for its turn.
    pub(super) fn give_back(&self, (host, rate): &(String, RateConfig), id: Option<&str>) {
        let now = self.began.elapsed();
        self.turns().entry(host.clone()).or_default().give_back(rate, id, now);
    }

    /// A request has ended and waits for no host.
    pub(super) fn leave(&self, id: &str) {
        if !self.rates.is_empty() {
            self.turns().values_mut().for_each(|turns| turns.leave(id));
        }
    }

    /// For which host a request waits, and how long.
    pub(super) fn waits(&self, id: &str) -> Option<(String, Duration)> {
        if self.rates.is_empty() {
            return None;
        }
        let now = self.began.elapsed();
        let turns = self.turns();
        turns.iter().find_map(|(host, turns)| Some((host.clone(), turns.turn(id)?.saturating_sub(now))))
    }

    fn turns(&self) -> MutexGuard<'_, BTreeMap<String, HostTurns>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
