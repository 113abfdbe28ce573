//! What holds up the attempts of one subscription: its rate, its breaker, what its endpoint asked for, this machine; and how
//! long nothing has succeeded.

use super::backoff::Backoff;
use super::breaker::{Breaker, Probe};
use super::fault::{Fault, is_seeded};
use super::model::{Now, Waiting};
use super::rate::Limiter;
use crate::config::DeliveryConfig;
use crate::request::UnixMillis;
use std::time::Duration;

/// The waits of a subscription whose endpoint asked to be left alone without saying for how long: each twice the one
/// before, as long as it goes on to ask.
const THROTTLE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_mins(1));

/// By which share a probe is later than it is configured, at most, in thousandths: those that failed together do not come
/// back together.
const PROBE_JITTER: u64 = 200;

/// How long nothing but failures is worth being written down, as a share of the time after which it disables: an endpoint
/// that comes and goes costs no write.
const WORTH_KNOWING: u32 = 20;

/// Nothing but failures came back.
#[derive(Debug, Clone, Copy)]
struct Failing {
    /// Since when, by the time that passes.
    from: Duration,
    /// When the last of them came, by the time that passes.
    last: Duration,
    /// For how long when this process began.
    before: Duration,
    /// Since when, by the wall clock.
    since: UnixMillis,
    /// Whether it was written down.
    is_written: bool,
}

/// What holds up the attempts of one subscription.
#[derive(Debug, Default)]
pub(super) struct Flow {
    limiter: Limiter,
    breaker: Breaker,
    throttle_backoff: Backoff,
    throttle: Option<Duration>,
    local_backoff: Backoff,
    local: Option<Duration>,
    failing: Option<Failing>,
    /// How many attempts may run at once for now, after a trouble: a backlog does not fall on an endpoint all at once.
    window: Option<u32>,
}

/// What follows for the subscription from one of its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Effect {
    /// The breaker opens or closes.
    pub(super) breaker: Option<bool>,
    /// Nothing has succeeded for so long that the subscription is to be disabled.
    pub(super) disable: Option<Duration>,
    /// Since when nothing has succeeded is to be written down, or that something has.
    pub(super) is_worth_knowing: bool,
}

impl Flow {
    /// What holds an attempt up now, and until when if it is known.
    pub(super) fn holds(&self, policy: &DeliveryConfig, now: Duration) -> Option<Waiting> {
        if let Some(until) = self.local.filter(|until| *until > now) {
            return Some(Waiting::Local(until));
        }
        if let Some(until) = self.throttle.filter(|until| *until > now) {
            return Some(Waiting::Throttled(until));
        }
        if policy.breaker.is_some() && !self.breaker.admits(now) {
            return Some(Waiting::Breaker(self.breaker.until()));
        }
        let opens = self.limiter.opens(policy.rate.as_ref()?);
        (opens > now).then_some(Waiting::Rate(opens))
    }

    /// How many attempts may run at once for now, if fewer than usual.
    pub(super) fn window(&self) -> Option<usize> {
        self.window.filter(|_| !is_seeded(Fault::NoRamp)).and_then(|window| usize::try_from(window).ok())
    }

    /// Something is held up by the rate.
    pub(super) fn wait(&mut self) {
        self.limiter.wait();
    }

    /// There is nothing to attempt.
    pub(super) fn rest(&mut self) {
        self.limiter.rest();
    }

    /// An attempt starts. Says whether it is the probe of an open breaker.
    pub(super) fn start(&mut self, policy: &DeliveryConfig, now: Duration) -> Option<Probe> {
        if let Some(rate) = policy.rate.as_ref().filter(|_| !is_seeded(Fault::FreeRate)) {
            self.limiter.start(rate, now);
        }
        policy.breaker.and_then(|_| self.breaker.start())
    }

    /// When its rate is unused again.
    pub(super) fn rests(&self) -> Duration {
        self.limiter.rests()
    }

    /// An earlier process has used its rate until then.
    pub(super) fn resume(&mut self, policy: &DeliveryConfig, now: Duration, rests: Duration) {
        if let Some(rate) = policy.rate.as_ref().filter(|_| !is_seeded(Fault::FreshRate)) {
            self.limiter.resume(rate, now, rests);
        }
    }

    /// The policy is another one from now on. Says whether that closes a breaker.
    pub(super) fn change(&mut self, policy: &DeliveryConfig, now: Duration) -> bool {
        if let Some(rate) = &policy.rate {
            self.limiter.change(rate, now);
        }
        let closes = policy.breaker.is_none() && self.breaker.is_open();
        if closes {
            self.breaker.reset();
        }
        closes
    }

    /// An attempt that was allowed to start was not made.
    pub(super) fn undo(&mut self, policy: &DeliveryConfig, now: Now, probe: Option<Probe>) {
        if let Some(rate) = policy.rate.as_ref().filter(|_| !is_seeded(Fault::FreeRate)) {
            self.limiter.give_back(rate);
        }
        self.forgo(now, probe);
    }

    /// Whether its breaker is open.
    pub(super) fn is_broken(&self) -> bool {
        self.breaker.is_open()
    }

    /// The endpoint took something, or said itself what is to become of it.
    pub(super) fn succeed(&mut self, policy: &DeliveryConfig) -> Effect {
        let wider = self.window.map(|window| window.saturating_mul(2));
        self.window =
            wider.filter(|window| usize::try_from(*window).is_ok_and(|window| window < policy.concurrency));
        self.throttle_backoff.reset();
        self.local_backoff.reset();
        let failing = self.failing.take();
        Effect {
            breaker: self.breaker.succeed().then_some(false),
            disable: None,
            is_worth_knowing: failing.is_some_and(|failing| failing.is_written),
        }
    }

    /// An attempt failed.
    pub(super) fn fail(
        &mut self,
        policy: &DeliveryConfig,
        now: Now,
        probe: Option<Probe>,
        random: u64,
    ) -> Effect {
        self.local_backoff.reset();
        let (from, since) = (now.elapsed, now.wall);
        let fresh = Failing { from, last: from, before: Duration::ZERO, since, is_written: false };
        let apart = policy.failures_apart();
        let known =
            self.failing.filter(|failing| apart.is_none_or(|most| from.saturating_sub(failing.last) <= most));
        let is_outdated = known.is_none() && self.failing.is_some_and(|failing| failing.is_written);
        let failing = self.failing.insert(known.unwrap_or(fresh));
        failing.last = from;
        let lasted = now.elapsed.saturating_sub(failing.from).saturating_add(failing.before);
        let long = policy.disable_after.is_some_and(|most| lasted >= most / WORTH_KNOWING);
        let is_worth_knowing = is_outdated || long && !failing.is_written;
        failing.is_written |= long;
        let jitter = u32::try_from(random % (PROBE_JITTER + 1)).unwrap_or_default();
        let opens = policy
            .breaker
            .as_ref()
            .is_some_and(|config| self.breaker.fail(config, now.elapsed, probe, jitter));
        if opens {
            self.window = Some(1);
        } else if self.throttle.is_none_or(|until| until <= now.elapsed) {
            // What was under way together when the endpoint asked to be left alone counts as one.
            self.window = self.window.map(|window| (window / 2).max(1));
        }
        Effect {
            breaker: opens.then_some(true),
            disable: policy.disable_after.filter(|most| lasted >= *most).map(|_| lasted),
            is_worth_knowing,
        }
    }

    /// The endpoint asks to be left alone, for so long at least, and for less at once afterwards. What was under way together
    /// counts as one.
    pub(super) fn throttle(&mut self, policy: &DeliveryConfig, now: Now, asked: Duration, random: u64) {
        let wait = match self.throttle.filter(|until| *until > now.elapsed) {
            Some(_) => asked,
            None => {
                let concurrency = u32::try_from(policy.concurrency).unwrap_or(u32::MAX);
                self.window.get_or_insert((concurrency / 2).max(1));
                asked.max(self.throttle_backoff.next_within(THROTTLE.0, THROTTLE.1, random))
            }
        };
        self.throttle = self.throttle.max(Some(now.elapsed.saturating_add(wait)));
    }

    /// This machine could not make an attempt. Says until when none is made.
    pub(super) fn fall_short(&mut self, now: Now, random: u64) -> Duration {
        let until = now.elapsed + self.local_backoff.next(random);
        self.local = Some(until);
        until
    }

    /// Nothing is attempted before this time.
    pub(super) fn hold(&mut self, until: Duration) {
        self.local = Some(until);
    }

    /// An attempt, which may have been a probe, came to nothing that says anything.
    pub(super) fn forgo(&mut self, now: Now, probe: Option<Probe>) {
        self.breaker.forgo(now.elapsed, probe);
    }

    /// Somebody lets it go on: nothing but the rate holds it up any more, but it begins with one attempt.
    pub(super) fn reset(&mut self) {
        self.breaker.reset();
        *self = Self { limiter: self.limiter, breaker: self.breaker, window: Some(1), ..Self::default() };
    }

    /// Since when nothing but failures came back, by the wall clock.
    pub(super) fn failing(&self) -> Option<UnixMillis> {
        self.failing.map(|failing| failing.since)
    }

    /// The same, if it is long enough to be known after a restart.
    pub(super) fn written(&self) -> Option<UnixMillis> {
        self.failing.filter(|failing| failing.is_written).map(|failing| failing.since)
    }

    /// Nothing but failures came back to the process before this one.
    pub(super) fn restore(&mut self, now: Now, since: UnixMillis) {
        let before = Duration::from_millis(now.wall.0.saturating_sub(since.0));
        let (from, last) = (now.elapsed, now.elapsed);
        self.failing = Some(Failing { from, last, before, since, is_written: true });
    }

    /// Forgets what is over.
    pub(super) fn tick(&mut self, now: Duration) {
        self.throttle = self.throttle.filter(|until| *until > now);
        self.local = self.local.filter(|until| *until > now);
    }
}
