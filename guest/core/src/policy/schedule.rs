//! The waits between attempts, before jitter.

use crate::config::{BackoffConfig, Growth, Schedule};
use std::time::Duration;

/// The wait after so many failed attempts (1 is the first one), or `None` if no attempt is left.
pub(super) fn nominal(schedule: &Schedule, attempts: u32) -> Option<Duration> {
    match schedule {
        Schedule::Delays(delays) => delays.get(usize::try_from(attempts.checked_sub(1)?).ok()?).copied(),
        Schedule::Backoff(backoff) => (attempts < backoff.max_attempts).then(|| grown(backoff, attempts)),
    }
}

fn grown(backoff: &BackoffConfig, attempts: u32) -> Duration {
    let steps = attempts.saturating_sub(1);
    let wait = match backoff.growth {
        Growth::Fixed => backoff.first,
        Growth::Linear(step) => backoff.first.saturating_add(step.saturating_mul(steps)),
        Growth::Exponential(thousandths) => exponential(backoff, thousandths, steps),
    };
    wait.min(backoff.max_delay)
}

/// In whole microseconds and without floating point: a schedule is the same everywhere.
fn exponential(backoff: &BackoffConfig, thousandths: u32, steps: u32) -> Duration {
    let most = backoff.max_delay.as_micros();
    let mut wait = backoff.first.as_micros();
    for _ in 0..steps {
        let next = wait.saturating_mul(thousandths.into()) / 1000;
        if wait >= most || next == wait {
            break;
        }
        wait = next;
    }
    Duration::from_micros(u64::try_from(wait.min(most)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn backoff(growth: Growth, first: u64, most: u64, attempts: u32) -> Schedule {
        Schedule::Backoff(BackoffConfig {
            growth,
            first: Duration::from_secs(first),
            max_delay: Duration::from_secs(most),
            max_attempts: attempts,
        })
    }

    fn seconds(schedule: &Schedule) -> Vec<u64> {
        (1..).map_while(|attempts| nominal(schedule, attempts)).map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn waits_grow_as_the_words_say() {
        let step = Duration::from_secs(10);
        for (growth, expected) in [
            (Growth::Fixed, [3, 3, 3, 3, 3]),
            (Growth::Linear(Duration::from_secs(3)), [3, 6, 9, 12, 15]),
            (Growth::Linear(step), [3, 13, 23, 33, 43]),
            (Growth::Exponential(2000), [3, 6, 12, 24, 48]),
            (Growth::Exponential(10_000), [3, 30, 50, 50, 50]),
            (Growth::Exponential(1000), [3, 3, 3, 3, 3]),
        ] {
            assert_eq!(seconds(&backoff(growth, 3, 50, 6)), expected, "{growth:?}");
        }
        assert_eq!(
            nominal(&backoff(Growth::Exponential(1500), 1, 9, 6), 3),
            Some(Duration::from_millis(2250))
        );
    }

    #[test]
    fn one_attempt_is_followed_by_none() {
        assert_eq!(seconds(&backoff(Growth::Fixed, 3, 50, 1)), [0; 0]);
        assert_eq!(seconds(&Schedule::Delays(Vec::new())), [0; 0]);
        assert_eq!(nominal(&Schedule::Delays(vec![Duration::ZERO]), 0), None);
    }

    proptest! {
        #[test]
        fn waits_neither_shrink_nor_pass_their_bound(
            growth in prop_oneof![
                Just(Growth::Fixed),
                (0u64..1_000_000).prop_map(|step| Growth::Linear(Duration::from_millis(step))),
                (1000u32..=100_000).prop_map(Growth::Exponential),
            ],
            first in 1u64..100_000,
            more in 0u64..2_592_000,
            attempts in 1u32..1000,
        ) {
            let schedule = backoff(growth, first, first + more, 1000);
            let (Some(one), next) = (nominal(&schedule, attempts), nominal(&schedule, attempts + 1)) else {
                return Err(TestCaseError::fail("too few attempts"));
            };
            prop_assert!(one >= Duration::from_secs(first) && one <= Duration::from_secs(first + more));
            prop_assert!(next.is_none_or(|next| next >= one));
            prop_assert_eq!(next.is_none(), attempts == 999);
        }
    }
}
