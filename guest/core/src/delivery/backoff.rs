//! Growing waits before something is tried again.

use std::time::Duration;

/// The first wait.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// Growing waits between tries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backoff {
    tries: u8,
}

impl Backoff {
    /// How often it was tried in vain.
    pub(super) fn tries(self) -> u8 {
        self.tries
    }

    /// The next wait: twice the one before up to a bound, less up to half of it by `random`, so that those who wait for
    /// the same thing do not come back all at once.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        self.next_within(SHORTEST, LONGEST, random)
    }

    /// The same between bounds of the caller's.
    pub(super) fn next_within(&mut self, shortest: Duration, longest: Duration, random: u64) -> Duration {
        let longest = shortest.saturating_mul(1 << self.tries.min(16)).min(longest);
        self.tries = self.tries.saturating_add(1);
        // Whole microseconds are fine enough, and need no floating point.
        let half = u64::try_from(longest.as_micros() / 2).unwrap_or(u64::MAX);
        longest - Duration::from_micros(random % half.saturating_add(1))
    }

    /// It works.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::entropy::spread;

    #[test]
    fn waits_grow_up_to_a_bound() {
        let mut backoff = Backoff::default();
        for round in 0..300u32 {
            let longest = SHORTEST.saturating_mul(1 << round.min(16)).min(LONGEST);
            let wait = backoff.next(spread(7, u64::from(round), 0));
            assert!(wait <= longest && wait >= longest / 2, "{round}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next(0) == SHORTEST);
    }
}
