//! What befalls a world.

use super::random::Random;
use crate::config::{
    BackoffConfig, BreakerConfig, BreakerTrip, DeliveryConfig, Growth, OrderingConfig, RateConfig,
    RetryConfig, Schedule, StatusSet,
};
use std::time::Duration;

/// How long things befall it, in milliseconds; then all is well.
pub(super) const TROUBLED: u64 = 60_000;

/// How an endpoint behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Fine,
    /// Some answers are errors.
    Flaky,
    /// Every answer takes seconds.
    Slow,
    /// Nothing but errors, at once.
    Dead,
    /// No answer before the timeout.
    Hanging,
    /// This machine cannot call it.
    Local,
    /// Most answers ask to be left alone.
    Busy,
    /// Some answers say that nobody is there any more.
    Gone,
}

/// What happens, each at its time. Subscriptions are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// An event for each subscription whose bit is set, so many times.
    Commit {
        subscriptions: u8,
        times: u8,
    },
    /// An endpoint's mood changes.
    Mood {
        subscription: u8,
        mood: Mood,
    },
    /// A subscription comes, or gets its other policy.
    Put {
        subscription: u8,
    },
    /// It is deleted, and its open deliveries are ended.
    Remove {
        subscription: u8,
    },
    /// It is taken away and put again at once.
    Replace {
        subscription: u8,
    },
    Pause {
        subscription: u8,
        paused: bool,
    },
    /// Its dead deliveries are retried by hand.
    Retry {
        subscription: u8,
    },
    /// A job makes its ended deliveries due again, or delivers all of them anew.
    Job {
        subscription: u8,
        is_retry: bool,
    },
    /// The store is out of reach for so many milliseconds.
    Outage {
        millis: u16,
    },
    /// The store refuses records for so many milliseconds.
    Refusal {
        millis: u16,
    },
    /// The process dies and comes again.
    Crash,
    /// It ends in order and comes again.
    Restart,
    /// The wall clock is set by so many milliseconds.
    Clock {
        millis: i64,
    },
    /// Somebody else takes what is free and due.
    Rival,
    /// Its oldest open deliveries are ended for newer ones, those aside that are being attempted.
    Drop {
        subscription: u8,
        count: u8,
    },
}

/// One history to come.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) subscriptions: u8,
    /// How long a lease lasts; `None` for ever.
    pub(super) lease: Option<Duration>,
    /// How many attempts may run at once in all.
    pub(super) attempts: usize,
    /// How fine time is, in microseconds.
    pub(super) grain: u64,
    /// By how many milliseconds the engine may be woken late.
    pub(super) late: u64,
    /// A rate that all subscriptions share.
    pub(super) shared: Option<RateConfig>,
    pub(super) actions: Vec<(u64, Action)>,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 1);
        let subscriptions = u8::try_from(random.range(1, 5)).unwrap();
        let lease = random.one_in(2).then(|| Duration::from_millis(random.range(2_000, 30_000)));
        let attempts = usize::try_from(random.pick(&[2, 3, 8, 100, 100])).unwrap();
        let late = random.pick(&[0, 0, 3, 50]);
        // One kind of trouble in some, all kinds in others.
        let kinds = random.range(1, 1 << 12) & random.range(1, 1 << 12);
        let count = random.range(4, 40);
        let mut actions = Vec::new();
        for _ in 0..count {
            let at = random.range(0, TROUBLED);
            let kind = random.range(0, 22);
            let action = action(&mut random, kind, subscriptions);
            if kind >= 12 || kinds & (1 << kind) != 0 {
                actions.push((at, action));
            }
        }
        let mut bulk = Random::new(seed, 6);
        if bulk.one_in(3) {
            for _ in 0..bulk.range(1, 4) {
                let subscription = u8::try_from(bulk.range(0, u64::from(subscriptions))).unwrap();
                let job = Action::Job { subscription, is_retry: bulk.one_in(2) };
                actions.push((bulk.range(1_000, TROUBLED), job));
            }
        }
        let mut full = Random::new(seed, 8);
        if full.one_in(3) {
            for _ in 0..full.range(1, 8) {
                let subscription = u8::try_from(full.range(0, u64::from(subscriptions))).unwrap();
                let count = u8::try_from(full.range(1, 20)).unwrap();
                actions.push((full.range(0, TROUBLED), Action::Drop { subscription, count }));
            }
        }
        actions.sort_by_key(|(at, _)| *at);
        let mut own = Random::new(seed, 5);
        let count = u32::try_from(own.range(30, 200)).unwrap();
        let shared = own.one_in(4).then_some(RateConfig {
            count,
            period: Duration::from_secs(1),
            burst: own.pick(&[1, 4, 20]),
        });
        Self { seed, subscriptions, lease, attempts, grain: 1, late, shared, actions }
    }

    /// In how many lanes its deliveries are ordered, if they are.
    pub(super) fn lanes(&self, subscription: u8) -> Option<u64> {
        let mut random = Random::new(self.seed, 200 + u64::from(subscription));
        random.one_in(4).then(|| random.pick(&[1, 1, 3]))
    }

    /// One of a subscription's two policies.
    pub(super) fn policy(&self, subscription: u8, second: bool) -> DeliveryConfig {
        let is_ordered = self.lanes(subscription).is_some();
        let ordering = if is_ordered { OrderingConfig::Subscription } else { OrderingConfig::None };
        DeliveryConfig { ordering, ..policy(self.seed, subscription, second) }
    }
}

pub(super) fn policy(seed: u64, subscription: u8, second: bool) -> DeliveryConfig {
    let mut random = Random::new(seed, 100 + u64::from(subscription) * 2 + u64::from(second));
    let retries = random.range(0, 5);
    let delays = (0..retries).map(|_| Duration::from_millis(random.pick(&[1, 10, 500, 3_000, 20_000])));
    let mut retry = RetryConfig::with_delays(delays.collect());
    retry.jitter = random.pick(&[0.0, 0.2, 0.5]);
    let (timeout, concurrency) = (
        Duration::from_millis(random.pick(&[500, 2_000, 15_000])),
        usize::try_from(random.range(1, 5)).unwrap(),
    );
    if random.one_in(4) {
        let growth =
            random.pick(&[Growth::Fixed, Growth::Linear(Duration::from_secs(1)), Growth::Exponential(3000)]);
        let first = Duration::from_millis(random.pick(&[1, 200, 4_000]));
        let max_attempts = u32::try_from(random.range(1, 6)).unwrap();
        let max_delay = Duration::from_secs(20);
        retry.schedule = Schedule::Backoff(BackoffConfig { growth, first, max_delay, max_attempts });
    }
    if random.one_in(8) {
        retry.max_age = Some(Duration::from_secs(random.pick(&[1, 10, 60])));
    }
    retry.on.timeout = !random.one_in(8);
    let [throttle_on, disable_on] = [429, 410].map(|status| {
        if random.one_in(3) {
            StatusSet::default()
        } else {
            StatusSet::new(vec![(status, status), (502, 504)])
        }
    });
    let rate = random.one_in(3).then(|| RateConfig {
        count: u32::try_from(random.range(20, 200)).unwrap(),
        period: Duration::from_secs(1),
        burst: u32::try_from(random.pick(&[1, 1, 5, 20])).unwrap(),
    });
    let trip = random.pick(&[
        BreakerTrip::Failures(1),
        BreakerTrip::Failures(4),
        BreakerTrip::Ratio { thousandths: 500, of: 6 },
    ]);
    let probe = Duration::from_millis(random.pick(&[200, 2_000, 10_000]));
    DeliveryConfig {
        rate,
        breaker: random.one_in(3).then_some(BreakerConfig { trip, probe }),
        disable_after: random.one_in(4).then(|| Duration::from_secs(random.range(1, 60))),
        throttle_on,
        disable_on: if disable_on.contains(410) { StatusSet::new(vec![(410, 410)]) } else { disable_on },
        timeout,
        concurrency,
        retry,
        ..DeliveryConfig::default()
    }
}

fn action(random: &mut Random, kind: u64, subscriptions: u8) -> Action {
    let subscription = u8::try_from(random.range(0, u64::from(subscriptions))).unwrap();
    let (number, other) = (random.next(), random.next());
    let millis = u16::try_from(number % 12_000).unwrap();
    match kind {
        0 => Action::Outage { millis },
        1 => Action::Crash,
        2 => {
            const HOUR: i64 = 3_600_000;
            let by = [-30 * 24 * HOUR, 30 * 24 * HOUR, -HOUR, HOUR, -5_000, 5_000];
            Action::Clock { millis: by[usize::try_from(number % 6).unwrap()] }
        }
        3 => Action::Rival,
        4 => Action::Remove { subscription },
        5 => Action::Replace { subscription },
        6 => Action::Pause { subscription, paused: !number.is_multiple_of(3) },
        7 => Action::Retry { subscription },
        8 => Action::Refusal { millis },
        9 => Action::Restart,
        10 | 11 => Action::Put { subscription },
        12..=15 => Action::Mood { subscription, mood: mood(other) },
        _ => {
            let bits = u8::try_from(number % 16).unwrap() | (1 << subscription);
            let times = u8::try_from(other % 7).unwrap();
            // Now and then more than a queue holds.
            Action::Commit { subscriptions: bits, times: if times == 6 { 60 } else { times + 1 } }
        }
    }
}

pub(super) fn mood(number: u64) -> Mood {
    use Mood::{Busy, Dead, Fine, Flaky, Gone, Hanging, Local, Slow};
    let all = [Fine, Flaky, Flaky, Slow, Dead, Hanging, Local, Busy, Gone];
    all[usize::try_from(number % 9).unwrap()]
}
