//! When attempts at the requests of one API may start: its rate, what it has asked for, and its breaker.

use crate::config::{ApiConfig, CallPolicy};
use crate::delivery::{Breaker, Limiter, Probe};
use crate::policy::AttemptOutcome;
use std::time::Duration;

/// When attempts at the requests of one API may start. Time counts from when it was made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gate {
    limiter: Limiter,
    /// The API has asked for nothing to start before.
    asked: Option<Duration>,
    breaker: Breaker,
}

/// Why nothing may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The API has asked to be left alone until then.
    Asked(Duration),
    /// Its breaker is open: an attempt finds out then, or is about to where there is no time.
    Breaker(Option<Duration>),
    /// Its rate is used up until then.
    Rate(Duration),
}

impl Held {
    /// When it may be tried again; `None` once an attempt that is under way has ended.
    #[must_use]
    pub const fn until(self) -> Option<Duration> {
        match self {
            Self::Asked(until) | Self::Rate(until) => Some(until),
            Self::Breaker(until) => until,
        }
    }
}

/// What an attempt says of its API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Somebody is there.
    Well,
    /// It is what a breaker is there for.
    Broken,
    /// Nothing: it never left, it was broken off, or the API has asked to be left alone, which is another matter.
    Unknown,
}

/// What the outcome of an attempt says of its API. An answer that is not tried again is one of somebody who is there.
#[must_use]
pub fn standing(api: &ApiConfig, policy: &CallPolicy, outcome: AttemptOutcome<'_>) -> Standing {
    match outcome {
        AttemptOutcome::Failed(_) => Standing::Broken,
        AttemptOutcome::Answered(answer) if policy.success.contains(answer.status) => Standing::Well,
        AttemptOutcome::Answered(answer) if api.throttle_on.contains(answer.status) => Standing::Unknown,
        AttemptOutcome::Answered(answer) if answer.is_abort || policy.discard.contains(answer.status) => {
            Standing::Well
        }
        AttemptOutcome::Answered(answer) if policy.retry.on.statuses.contains(answer.status) => {
            Standing::Broken
        }
        AttemptOutcome::Answered(_) => Standing::Well,
        _ => Standing::Unknown,
    }
}

impl Gate {
    /// Why nothing may start now, apart from the rate.
    #[must_use]
    pub fn held(&self, api: &ApiConfig, now: Duration) -> Option<Held> {
        if let Some(until) = self.asked.filter(|until| *until > now) {
            return Some(Held::Asked(until));
        }
        let is_open = api.breaker.is_some() && !self.breaker.admits(now);
        is_open.then(|| Held::Breaker(self.breaker.until()))
    }

    /// When its rate lets one start, if not now.
    #[must_use]
    pub fn rate_opens(&self, api: &ApiConfig, now: Duration) -> Option<Duration> {
        api.rate.as_ref().map(|rate| self.limiter.opens(rate)).filter(|opens| *opens > now)
    }

    /// Whether its breaker is open, so that only one attempt after another finds out.
    #[must_use]
    pub fn is_open(&self, api: &ApiConfig) -> bool {
        api.breaker.is_some() && self.breaker.is_open()
    }

    /// An attempt starts; says whether it is the one that finds out for an open breaker.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn start(&mut self, api: &ApiConfig, now: Duration) -> Result<Option<Probe>, Held> {
        if let Some(held) = self.held(api, now) {
            return Err(held);
        }
        if let Some(rate) = &api.rate {
            let opens = self.limiter.opens(rate);
            if opens > now {
                self.limiter.wait();
                return Err(Held::Rate(opens));
            }
            self.limiter.start(rate, now);
        }
        Ok(api.breaker.and_then(|_| self.breaker.start()))
    }

    /// Nothing starts before this time.
    pub fn hold(&mut self, until: Duration) {
        self.asked = Some(self.asked.map_or(until, |asked| asked.max(until)));
    }

    /// Whatever the API has asked for, attempts may start again. Says whether it had asked for something.
    pub fn resume(&mut self) -> bool {
        self.asked.take().is_some()
    }

    /// An attempt has ended; `random` places the time of the next probe. Says whether that opened the breaker (`true`) or
    /// closed it.
    pub fn handle_ended(
        &mut self,
        api: &ApiConfig,
        now: Duration,
        probe: Option<Probe>,
        standing: Standing,
        random: u64,
    ) -> Option<bool> {
        let Some(breaker) = &api.breaker else {
            self.breaker.reset();
            return None;
        };
        match standing {
            Standing::Well => self.breaker.succeed().then_some(false),
            Standing::Broken => {
                let jitter = u32::try_from(random % (LATEST + 1)).unwrap_or_default();
                self.breaker.fail(breaker, now, probe, jitter).then_some(true)
            }
            Standing::Unknown => {
                self.breaker.forgo(now, probe);
                None
            }
        }
    }
}

/// How much later than said a probe may be, in thousandths: those that failed together do not come back together.
const LATEST: u64 = 200;
