//! A breaker: what fails again and again is left alone, and tried by one attempt after another.

use crate::config::{BreakerConfig, BreakerTrip};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Attempts are made.
    #[default]
    Closed,
    /// None is made before this time.
    Open(Duration),
    /// One attempt finds out.
    Probing,
}

/// The breaker of one subscription, or of one API.
#[derive(Debug, Clone, Copy, Default)]
pub struct Breaker {
    state: State,
    /// Failures since the last success.
    failures: u32,
    /// The last attempts, the newest in the lowest bit: whether each failed.
    last: u64,
    /// How many of them there are.
    known: u32,
    /// How many probes there were.
    probes: u32,
}

/// Which probe of its breaker an attempt is, if it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe(u32);

impl Breaker {
    /// Whether attempts are held up.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Whether an attempt may start. One that starts while the breaker is open is its probe.
    #[must_use]
    pub fn admits(&self, now: Duration) -> bool {
        match self.state {
            State::Closed => true,
            State::Open(until) => until <= now,
            State::Probing => false,
        }
    }

    /// When the next probe is due, if nothing may start before.
    #[must_use]
    pub fn until(&self) -> Option<Duration> {
        match self.state {
            State::Open(until) => Some(until),
            State::Closed | State::Probing => None,
        }
    }

    /// An attempt starts; says whether it is the probe.
    pub fn start(&mut self) -> Option<Probe> {
        if !matches!(self.state, State::Open(_)) {
            return None;
        }
        self.state = State::Probing;
        self.probes = self.probes.wrapping_add(1);
        Some(Probe(self.probes))
    }

    fn awaits(&self, probe: Option<Probe>) -> bool {
        self.state == State::Probing && probe == Some(Probe(self.probes))
    }

    /// An attempt succeeded. Says whether that closes it.
    pub fn succeed(&mut self) -> bool {
        let was_open = self.is_open();
        (self.state, self.failures) = (State::Closed, 0);
        if was_open {
            (self.last, self.known) = (0, 0);
        }
        self.note(false);
        was_open
    }

    /// An attempt failed, the probe or another one; `jitter` is a share of the time before a probe, in thousandths. Says
    /// whether that opens it.
    pub fn fail(
        &mut self,
        config: &BreakerConfig,
        now: Duration,
        attempt: Option<Probe>,
        jitter: u32,
    ) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.note(true);
        let next =
            now.saturating_add(config.probe).saturating_add(config.probe.saturating_mul(jitter) / 1000);
        match self.state {
            State::Probing if self.awaits(attempt) => {
                self.state = State::Open(next);
                false
            }
            // It was under way when the breaker opened.
            State::Probing | State::Open(_) => false,
            State::Closed if self.trips(config.trip) => {
                self.state = State::Open(next);
                true
            }
            State::Closed => false,
        }
    }

    /// The probe came to nothing that says anything; the next one may start.
    pub fn forgo(&mut self, now: Duration, attempt: Option<Probe>) {
        if self.awaits(attempt) {
            self.state = State::Open(now);
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self { probes: self.probes, ..Self::default() };
    }

    fn note(&mut self, failed: bool) {
        self.last = (self.last << 1) | u64::from(failed);
        self.known = self.known.saturating_add(1).min(64);
    }

    fn trips(&self, trip: BreakerTrip) -> bool {
        match trip {
            BreakerTrip::Failures(most) => self.failures >= most,
            BreakerTrip::Ratio { thousandths, of } => {
                let of = of.clamp(1, 64);
                let mask = u64::MAX >> (64 - of);
                let failed = (self.last & mask).count_ones();
                self.known >= of && failed.saturating_mul(1000) >= of.saturating_mul(thousandths)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn config(trip: BreakerTrip) -> BreakerConfig {
        BreakerConfig { trip, probe: at(30) }
    }

    #[test]
    fn opens_after_failures_in_a_row_and_closes_with_a_probe_that_succeeds() {
        let (config, mut breaker) = (config(BreakerTrip::Failures(3)), Breaker::default());
        assert!(!breaker.fail(&config, at(0), None, 0) && !breaker.fail(&config, at(0), None, 0));
        assert!(!breaker.succeed());
        assert!(!breaker.fail(&config, at(0), None, 0) && !breaker.fail(&config, at(0), None, 0));
        assert!(breaker.fail(&config, at(1), None, 0));
        assert!(!breaker.fail(&config, at(2), None, 0), "it was under way");
        assert!(!breaker.admits(at(30)) && breaker.admits(at(31)));
        let first = breaker.start();
        assert!(!breaker.admits(at(99)), "a second probe");
        assert!(!breaker.fail(&config, at(40), first, 100));
        assert!(!breaker.admits(at(72)) && breaker.admits(at(73)));
        let second = breaker.start();
        breaker.forgo(at(74), first);
        assert!(!breaker.admits(at(74)), "an earlier probe says nothing of the next one");
        breaker.forgo(at(74), second);
        assert!(breaker.admits(at(74)));
        let _ = breaker.start();
        assert!(breaker.succeed() && breaker.admits(at(75)) && !breaker.is_open());
    }

    #[test]
    fn opens_when_too_many_of_the_last_attempts_failed() {
        let (config, mut breaker) =
            (config(BreakerTrip::Ratio { thousandths: 500, of: 4 }), Breaker::default());
        assert!(!breaker.fail(&config, at(0), None, 0) && !breaker.fail(&config, at(0), None, 0));
        assert!(!breaker.succeed() && !breaker.succeed() && !breaker.succeed());
        assert!(!breaker.fail(&config, at(0), None, 0), "one of four");
        assert!(breaker.fail(&config, at(0), None, 0), "two of four");
    }
}
