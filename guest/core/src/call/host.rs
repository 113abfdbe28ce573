//! The rate of one host over the calls of all APIs: whose turn it is.

use crate::config::RateConfig;
use crate::delivery::Limiter;
use std::collections::BTreeMap;
use std::time::Duration;

/// Whose turn it is among the requests that want to start at one host. One that comes while others wait gets a time behind theirs,
/// so that each is looked at when its time has come and not each time that any of them may start. Time counts from when it was made.
#[derive(Debug, Clone, Default)]
pub struct HostTurns {
    limiter: Limiter,
    /// When one may start behind all that wait.
    behind: Duration,
    /// Those that wait, each with when it is its turn.
    waiting: BTreeMap<String, Duration>,
}

impl HostTurns {
    /// A request starts that did not wait, if nobody waits and the rate has room. Says whether it may.
    pub fn start_at_once(&mut self, rate: &RateConfig, now: Duration) -> bool {
        let is_free = self.behind <= now && self.limiter.opens(rate) <= now;
        if is_free {
            self.limiter.start(rate, now);
        }
        is_free
    }

    /// A request starts, or waits for its turn.
    ///
    /// # Errors
    ///
    /// When it is to be looked at again.
    pub fn start(&mut self, rate: &RateConfig, request: &str, now: Duration) -> Result<(), Duration> {
        let planned = self.waiting.get(request).copied();
        if let Some(planned) = planned.filter(|planned| *planned > now) {
            return Err(planned);
        }
        let opens = self.limiter.opens(rate);
        if planned.is_none() && self.start_at_once(rate, now) {
            return Ok(());
        }
        if planned.is_some() && opens <= now {
            self.waiting.remove(request);
            self.limiter.start(rate, now);
            if self.waiting.is_empty() {
                self.limiter.rest();
            }
            return Ok(());
        }
        self.limiter.wait();
        let interval = rate.interval();
        // One that is a little early, since the one before was late, keeps its place. One that was held up by something else has lost it.
        let next = match planned {
            Some(_) if opens.saturating_sub(now) <= interval / 2 => opens,
            _ => {
                let next = self.behind.max(opens);
                self.behind = next.saturating_add(interval);
                next
            }
        };
        self.waiting.insert(request.to_owned(), next);
        Err(next)
    }

    /// A request that was let start has not. It waits, and may start as soon as there is room.
    pub fn give_back(&mut self, rate: &RateConfig, request: Option<&str>, now: Duration) {
        self.limiter.give_back(rate);
        if let Some(request) = request {
            self.waiting.insert(request.to_owned(), now);
        }
    }

    /// A request has ended, and waits no more.
    pub fn leave(&mut self, request: &str) {
        self.waiting.remove(request);
    }

    /// When it is the turn of a request that waits.
    #[must_use]
    pub fn turn(&self, request: &str) -> Option<Duration> {
        self.waiting.get(request).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RATE: RateConfig = RateConfig { count: 1, period: SECOND, burst: 2 };

    #[test]
    fn requests_start_one_behind_the_other_each_at_its_time_however_many_wait() {
        let mut turns = HostTurns::default();
        let names = ["a", "b", "c", "d", "e"];
        let times = names.map(|name| turns.start(&RATE, name, Duration::ZERO));
        assert_eq!(times, [Ok(()), Ok(()), Err(SECOND), Err(SECOND * 2), Err(SECOND * 3)]);
        // Whoever comes while these wait is behind them, and nobody is before their time.
        assert_eq!(turns.start(&RATE, "f", SECOND), Err(SECOND * 4));
        assert!(!turns.start_at_once(&RATE, SECOND));
        assert_eq!(turns.start(&RATE, "d", SECOND), Err(SECOND * 2));
        for (name, at) in [("c", 1), ("d", 2), ("e", 3), ("f", 4)] {
            assert_eq!(turns.start(&RATE, name, SECOND * at), Ok(()), "{name}");
        }
        assert_eq!(turns.turn("f"), None);
        assert!(turns.start_at_once(&RATE, SECOND * 9));
    }

    #[test]
    fn those_that_were_held_up_together_are_apart_again() {
        let mut turns = HostTurns::default();
        let rate = RateConfig { burst: 1, ..RATE };
        assert_eq!(turns.start(&rate, "a", Duration::ZERO), Ok(()));
        for (name, at) in [("b", 1), ("c", 2), ("d", 3)] {
            assert_eq!(turns.start(&rate, name, Duration::ZERO), Err(SECOND * at));
        }
        // Something else kept them until now.
        let now = SECOND * 60;
        assert_eq!(turns.start(&rate, "b", now), Ok(()));
        let next = turns.start(&rate, "c", now).unwrap_err();
        assert!(next > now + SECOND / 2 && next <= now + SECOND, "{next:?}");
        assert_eq!(turns.start(&rate, "d", now), Err(next + SECOND));
        // One that was let start and could not has used up nothing.
        assert_eq!(turns.start(&rate, "c", SECOND * 61), Ok(()));
        turns.give_back(&rate, Some("c"), SECOND * 61);
        assert_eq!(turns.start(&rate, "c", SECOND * 61), Ok(()));
        turns.leave("d");
        assert_eq!(turns.turn("d"), None);
    }
}
