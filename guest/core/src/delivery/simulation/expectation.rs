//! What a world expects of the engine for one subscription, worked out in the plainest way.

use crate::config::{BreakerTrip, DeliveryConfig, RateConfig};
use crate::delivery::{AttemptId, DisableCause, Now, Standing};
use crate::policy::{self, AttemptOutcome, Past, Settled};
use crate::request::UnixMillis;
use std::time::Duration;

/// How long an endpoint that does not say for how long is left alone at most, and some.
const THROTTLED: Duration = Duration::from_secs(61);
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// By how much the engine may be late without its rate suffering.
const LATE: Duration = Duration::from_millis(20);
/// By how much a probe may be later than it is configured: a fifth of the longest wait that is tried.
const PROBE_LATE: Duration = Duration::from_secs(2);

/// What is expected of one subscription, as long as it has the same key.
#[derive(Debug, Clone, Default)]
pub(super) struct Expectation {
    /// How it stands.
    pub(super) standing: Standing,
    /// No attempt starts before this time, and they may not start before that one.
    throttled: (Duration, Duration),
    /// When attempts started, the newest last.
    starts: Vec<Duration>,
    /// How the last attempts ended: whether each failed.
    last: Vec<bool>,
    /// Until when at least an open breaker lets nothing start, and the attempt that finds out.
    open: Option<(Duration, Option<AttemptId>)>,
    /// Since when nothing but failures came back, when the last of them did, and for how long before this process.
    failing: Option<(Duration, Duration, Duration)>,
    /// How many attempts may run at once after a trouble: at most, and at least.
    window: (Option<usize>, Option<usize>),
}

impl Expectation {
    /// The next process, or the next queue of the same name, has the rate that this one has left.
    pub(super) fn next(&mut self) -> Self {
        Self { starts: std::mem::take(&mut self.starts), ..Self::default() }
    }

    /// The same, if the store knows this of it.
    pub(super) fn restored(&mut self, standing: Standing, failing: Option<UnixMillis>, now: Now) -> Self {
        let before = |since: UnixMillis| Duration::from_millis(now.wall.0.saturating_sub(since.0));
        let failing = failing.map(|since| (now.elapsed, now.elapsed, before(since)));
        Self { standing, failing, ..self.next() }
    }

    /// Somebody lets it stand like this.
    pub(super) fn stand(&mut self, standing: Standing) {
        if standing == Standing::Active {
            let starts = std::mem::take(&mut self.starts);
            *self = Self { starts, window: (Some(1), Some(1)), ..Self::default() };
        }
        self.standing = standing;
    }

    /// Whether attempts may have to wait although there is a place.
    pub(super) fn may_wait(&self, policy: &DeliveryConfig, now: Duration) -> bool {
        // Every rate that is tried here has several in a second.
        let is_paced = policy.rate.is_some() && self.starts.last().is_some_and(|at| *at + SECOND > now);
        is_paced
            || self.standing != Standing::Active
            || self.open.is_some_and(|(until, probe)| probe.is_some() || now <= until + PROBE_LATE)
            || now <= self.throttled.1
    }

    /// How many attempts may run at once in any case.
    pub(super) fn width(&self, policy: &DeliveryConfig) -> usize {
        self.window.1.unwrap_or(policy.concurrency).min(policy.concurrency)
    }

    /// An attempt starts; an error says why it must not.
    pub(super) fn start(
        &mut self,
        policy: &DeliveryConfig,
        id: AttemptId,
        now: Now,
        beside: usize,
    ) -> Result<(), String> {
        let now = now.elapsed;
        if self.window.0.is_some_and(|window| beside >= window) {
            return Err(format!("has {} attempts at once after a trouble", beside + 1));
        }
        if self.standing != Standing::Active {
            return Err(format!("goes on although it is {:?}", self.standing));
        }
        if now < self.throttled.0 {
            return Err(format!("is not left alone until {:?}", self.throttled.0));
        }
        if let (Some((until, probe)), true) = (&mut self.open, policy.breaker.is_some()) {
            if now < *until || probe.is_some() {
                return Err(format!("goes on although its breaker is open until {until:?}, {probe:?}"));
            }
            *probe = Some(id);
        }
        self.starts.push(now);
        policy.rate.map_or(Ok(()), |rate| keeps(rate, &self.starts, now))
    }

    /// Its policy is this one from now on: what started by the old one counts no more, and without a breaker none is open.
    pub(super) fn replace(&mut self, policy: &DeliveryConfig) {
        self.forget_starts();
        if policy.breaker.is_none() && self.open.take().is_some() {
            self.last.clear();
        }
    }

    /// What started before counts for no rate.
    pub(super) fn forget_starts(&mut self) {
        self.starts.clear();
    }

    /// An attempt ended like this, made by `made` and judged by `policy`.
    pub(super) fn end(
        &mut self,
        made: &DeliveryConfig,
        policy: &DeliveryConfig,
        id: AttemptId,
        outcome: AttemptOutcome<'static>,
        now: Now,
    ) {
        let is_probe = self.open.is_some_and(|(_, probe)| probe == Some(id));
        let past = Past { before: 0, created: now.wall };
        let Some(consequences) = policy::classify(made, outcome, past, now.wall, 0) else {
            if is_probe {
                self.open = Some((now.elapsed, None));
            }
            return;
        };
        let mut cause = consequences.gone.map(DisableCause::Gone);
        if matches!(consequences.settled, Settled::Delivered | Settled::Discarded) {
            self.failing = None;
            if self.open.take().is_some() {
                self.last.clear();
            }
            self.last.push(false);
            self.widen(|window| Some(window * 2).filter(|window| *window < policy.concurrency));
        } else {
            let is_apart = |last| policy.failures_apart().is_some_and(|most| now.elapsed - last > most);
            let known = self.failing.filter(|(_, last, _)| !is_apart(*last));
            let (from, _, before) = known.unwrap_or((now.elapsed, now.elapsed, Duration::ZERO));
            self.failing = Some((from, now.elapsed, before));
            let lasted = now.elapsed - from + before;
            let disabled = policy.disable_after.filter(|most| lasted >= *most);
            cause = cause.or(disabled.map(|_| DisableCause::Failing(lasted)));
            self.narrow(now.elapsed);
            self.fail(policy, is_probe, now.elapsed);
        }
        if let Some(asked) = consequences.throttle {
            self.throttle(policy, asked, now.elapsed);
        }
        if let Some(cause) = cause
            && !matches!(self.standing, Standing::Disabled(_))
        {
            self.standing = Standing::Disabled(cause);
        }
    }

    fn widen(&mut self, to: impl Fn(usize) -> Option<usize>) {
        self.window = (self.window.0.and_then(&to), self.window.1.and_then(&to));
    }

    /// Half as many run at once, but for those that were under way when the endpoint asked to be left alone: until when that
    /// is is only known within bounds.
    fn narrow(&mut self, now: Duration) {
        let half = |window: usize| (window / 2).max(1);
        self.window.1 = self.window.1.map(half);
        if now > self.throttled.1 {
            self.window.0 = self.window.0.map(half);
        }
    }

    fn throttle(&mut self, policy: &DeliveryConfig, asked: Duration, now: Duration) {
        let half = (policy.concurrency / 2).max(1);
        self.window.1.get_or_insert(half);
        if now > self.throttled.1 {
            self.window.0.get_or_insert(half);
        }
        let (least, most) = (now + asked, now + asked.max(THROTTLED));
        self.throttled = (self.throttled.0.max(least), self.throttled.1.max(most));
    }

    fn fail(&mut self, policy: &DeliveryConfig, is_probe: bool, now: Duration) {
        let Some(breaker) = policy.breaker else { return };
        self.last.push(true);
        let trips = match breaker.trip {
            BreakerTrip::Failures(most) => {
                self.last.iter().rev().take_while(|failed| **failed).count() >= most as usize
            }
            BreakerTrip::Ratio { thousandths, of } => {
                let of = of as usize;
                let failed = self.last.iter().rev().take(of).filter(|failed| **failed).count();
                self.last.len() >= of && failed * 1000 >= of * thousandths as usize
            }
        };
        if self.open.is_none() && trips {
            self.window = (Some(1), Some(1));
        }
        if is_probe || self.open.is_none() && trips {
            self.open = Some((now + breaker.probe, None));
        }
    }
}

/// Whether no window of time has more of these starts than a rate allows, now that there is one more.
pub(super) fn keeps(rate: RateConfig, starts: &[Duration], now: Duration) -> Result<(), String> {
    for window in [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(10)] {
        let inside = starts.iter().rev().take_while(|at| **at + window > now).count();
        let share = (window + LATE).as_millis() as u64 * u64::from(rate.count)
            / rate.period.as_millis() as u64
            + u64::from(rate.burst)
            + 1;
        if inside as u64 > share {
            return Err(format!("has {inside} attempts within {window:?}, at {rate:?}"));
        }
    }
    Ok(())
}
