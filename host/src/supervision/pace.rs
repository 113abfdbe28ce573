//! How fast a part that breaks down again and again comes back.

use std::time::{Duration, Instant};

/// The pause before the second time; the first one comes at once.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(10);

/// A part that ran this long has recovered: its next fault is a first one.
const HEALTHY: Duration = Duration::from_secs(60);

/// The pauses between the ends of one part and its starts.
#[derive(Debug)]
pub(super) struct Pace {
    started: Instant,
    faults: u32,
}

impl Pace {
    /// The part starts now.
    pub(super) fn new(now: Instant) -> Self {
        Self { started: now, faults: 0 }
    }

    /// The part broke down at `now`: how long to wait before it starts again.
    pub(super) fn broken(&mut self, now: Instant) -> Duration {
        if now.saturating_duration_since(self.started) >= HEALTHY {
            self.faults = 0;
        }
        let pause = match self.faults {
            0 => Duration::ZERO,
            faults => FIRST.saturating_mul(1 << (faults - 1).min(16)).min(LONGEST),
        };
        self.faults = self.faults.saturating_add(1);
        self.started = now + pause;
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_at_once_then_ever_slower_and_at_once_again_after_it_ran_well() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        let mut now = begin;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let pause = pace.broken(now);
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses.first(), Some(&Duration::ZERO));
        assert_eq!(pauses.get(1), Some(&FIRST));
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&LONGEST));
        assert_eq!(pace.broken(now + HEALTHY), Duration::ZERO);
    }
}
