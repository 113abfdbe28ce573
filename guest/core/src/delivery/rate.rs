//! A rate that is kept: the generic cell rate algorithm (ITU-T I.371, annex A), in whole nanoseconds.

use crate::config::RateConfig;
use std::time::Duration;

/// By how much a shell may be late with waking the engine without the rate suffering for it. In a window of ten seconds
/// it is a five-hundredth.
const LATE: Duration = Duration::from_millis(20);

/// When the next one may start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limiter {
    /// When the next one would start if all came evenly.
    next: Duration,
    /// Whether somebody waits for it: then it is the shell that is late, not the one who comes.
    is_awaited: bool,
}

impl Limiter {
    /// From when on one more may start; `now` or earlier means at once.
    pub fn opens(&self, rate: &RateConfig) -> Duration {
        self.next.saturating_sub(rate.interval().saturating_mul(rate.burst.saturating_sub(1)))
    }

    /// When the rate is as unused as if nothing had ever started.
    pub(super) fn rests(&self) -> Duration {
        self.next
    }

    /// An earlier process has used the rate until then. No rate is used for longer than its burst takes to come back.
    pub(super) fn resume(&mut self, rate: &RateConfig, now: Duration, rests: Duration) {
        let latest = now.saturating_add(rate.interval().saturating_mul(rate.burst));
        self.next = self.next.max(rests.min(latest));
    }

    /// The rate is another one from now on: what the earlier one has used up is used up of this one, and no more than all of
    /// it.
    pub(super) fn change(&mut self, rate: &RateConfig, now: Duration) {
        self.next = self.next.min(now.saturating_add(rate.interval().saturating_mul(rate.burst)));
    }

    /// What was allowed to start has not.
    pub(crate) fn give_back(&mut self, rate: &RateConfig) {
        self.next = self.next.saturating_sub(rate.interval());
    }

    /// Somebody waits for the rate.
    pub fn wait(&mut self) {
        self.is_awaited = true;
    }

    /// Nobody has anything to start any more.
    pub(crate) fn rest(&mut self) {
        self.is_awaited = false;
    }

    /// One starts, which [`Self::opens`] has allowed.
    pub fn start(&mut self, rate: &RateConfig, now: Duration) {
        let earliest = if self.is_awaited { now.saturating_sub(LATE) } else { now };
        self.next = self.next.max(earliest).saturating_add(rate.interval());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(count: u32, period: Duration, burst: u32) -> RateConfig {
        RateConfig { count, period, burst }
    }

    /// When things start of which there is always one more, for a shell that wakes so late.
    fn starts(rate: &RateConfig, until: Duration, late: impl Fn(u64) -> Duration) -> Vec<Duration> {
        let (mut limiter, mut now, mut starts) = (Limiter::default(), Duration::ZERO, Vec::new());
        while now < until {
            if limiter.opens(rate) <= now {
                limiter.start(rate, now);
                starts.push(now);
            } else {
                limiter.wait();
                now = limiter.opens(rate) + late(starts.len() as u64);
            }
        }
        starts
    }

    #[test]
    fn is_exact_within_a_hundredth_over_ten_seconds_however_late_the_shell_wakes() {
        for per_second in [1, 3, 5, 100, 999, 5_000] {
            for late in [0, 1_000, 3_000, 15_000] {
                let rate = rate(per_second, SECOND, 1);
                let count = starts(&rate, SECOND * 10, |_| Duration::from_micros(late)).len();
                let wanted = f64::from(per_second) * 10.0;
                assert!(
                    (count as f64 - wanted).abs() <= (wanted / 100.0).max(1.0),
                    "{per_second} {late}: {count}"
                );
            }
        }
    }

    #[test]
    fn a_burst_starts_at_once_and_is_earned_again_by_waiting() {
        let rate = rate(60, SECOND * 60, 3);
        let mut limiter = Limiter::default();
        let mut started = |now| {
            let mut count = 0;
            while limiter.opens(&rate) <= now {
                limiter.start(&rate, now);
                count += 1;
            }
            count
        };
        assert_eq!(started(Duration::ZERO), 3);
        assert_eq!(started(Duration::from_millis(999)), 0);
        assert_eq!(started(SECOND), 1);
        assert_eq!(started(SECOND * 100), 3);
    }

    #[test]
    fn another_rate_is_used_up_at_most() {
        let (slow, fast) = (rate(1, SECOND * 3600, 1), rate(10, SECOND, 2));
        let mut limiter = Limiter::default();
        limiter.start(&slow, SECOND);
        assert_eq!(limiter.opens(&slow), SECOND * 3601);
        limiter.change(&fast, SECOND * 2);
        assert_eq!(limiter.opens(&fast), SECOND * 2 + SECOND / 10);
        limiter.start(&fast, SECOND * 3);
        limiter.change(&slow, SECOND * 3);
        assert_eq!(limiter.opens(&slow), SECOND * 3 + SECOND / 10);
    }

    #[test]
    fn what_did_not_start_uses_up_nothing() {
        let rate = rate(1, SECOND, 1);
        let mut limiter = Limiter::default();
        limiter.start(&rate, SECOND);
        limiter.give_back(&rate);
        assert_eq!(limiter.opens(&rate), SECOND);
    }

    proptest! {
        /// In no window more than the burst and what the rate has for it.
        #[test]
        fn no_window_has_more_than_its_share(
            count in 1u32..2_000,
            burst in 1u32..20,
            late in proptest::collection::vec(0u64..40_000, 1..20),
            window in 1u64..3_000,
        ) {
            let rate = rate(count, SECOND, burst);
            let late = |place: u64| Duration::from_micros(late[place as usize % late.len()]);
            let starts = starts(&rate, SECOND * 3, late);
            let window = Duration::from_millis(window);
            let share = (window + LATE).as_secs_f64() * f64::from(count) + f64::from(burst) + 1.0;
            for (place, from) in starts.iter().enumerate() {
                let inside = starts[place..].iter().take_while(|at| **at < *from + window).count();
                prop_assert!(inside as f64 <= share, "{inside} of {share} in {window:?}");
            }
        }
    }
}
