//! All attempts that a policy would make of a delivery which never arrives.

use super::schedule::nominal;
use crate::config::RetryConfig;
use std::time::Duration;

/// One attempt to come, with the time since the first one. Attempts are counted as if they took no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedAttempt {
    /// From 1.
    pub number: u32,
    /// The wait before it, without jitter.
    pub wait: Duration,
    /// When it is made if every jitter is the least.
    pub earliest: Duration,
    /// When it is made without jitter.
    pub at: Duration,
    /// When it is made if every jitter is the greatest.
    pub latest: Duration,
}

/// Every attempt that the policy could make, in their order. With a `max_age` the last of them are made only if jitter lets
/// them come before it.
#[must_use]
pub fn plan(retry: &RetryConfig) -> Vec<PlannedAttempt> {
    let mut planned = PlannedAttempt {
        number: 1,
        wait: Duration::ZERO,
        earliest: Duration::ZERO,
        at: Duration::ZERO,
        latest: Duration::ZERO,
    };
    let mut attempts = vec![planned];
    while let Some(wait) = nominal(&retry.schedule, planned.number) {
        let (least, greatest) = (
            super::classify::vary(wait, retry.jitter, 0),
            super::classify::vary(wait, retry.jitter, u64::MAX),
        );
        planned = PlannedAttempt {
            number: planned.number.saturating_add(1),
            wait,
            earliest: planned.earliest.saturating_add(least),
            at: planned.at.saturating_add(wait),
            latest: planned.latest.saturating_add(greatest),
        };
        if retry.max_age.is_some_and(|most| planned.earliest > most) {
            break;
        }
        attempts.push(planned);
    }
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DeliveryConfig;
    use crate::policy::{AttemptOutcome, FailureKind, Past, Settled, classify};
    use crate::request::UnixMillis;
    use proptest::prelude::*;

    #[test]
    fn the_default_is_the_schedule_of_standard_webhooks() {
        let planned = plan(&RetryConfig::default());
        assert_eq!(planned.len(), 10);
        let last = planned.last().unwrap();
        assert_eq!((last.number, last.wait), (10, Duration::from_hours(24)));
        assert_eq!(last.at, Duration::from_secs(5 + 300 + 1800 + 3600 * (2 + 5 + 10 + 14 + 20 + 24)));
        assert!(last.earliest < last.at && last.at < last.latest);
    }

    #[test]
    fn nothing_is_planned_for_later_than_the_greatest_age() {
        let retry =
            RetryConfig { max_age: Some(Duration::from_hours(3)), jitter: 0.0, ..RetryConfig::default() };
        let planned = plan(&retry);
        assert_eq!(planned.last().map(|last| last.at.as_secs()), Some(5 + 300 + 1800 + 7200));
    }

    proptest! {
        /// What is printed is what happens.
        #[test]
        fn every_attempt_that_is_made_was_planned(
            delays in proptest::collection::vec(0u64..200_000, 0..12),
            jitter in 0.0f64..=1.0,
            age in proptest::option::of(1u64..500_000),
            random: u64,
        ) {
            let retry = RetryConfig {
                jitter,
                max_age: age.map(Duration::from_millis),
                ..RetryConfig::with_delays(delays.iter().copied().map(Duration::from_millis).collect())
            };
            let planned = plan(&retry);
            let policy = DeliveryConfig { retry, ..DeliveryConfig::default() };
            let created = UnixMillis(1_700_000_000_000);
            let (mut now, mut before) = (created, 0);
            loop {
                let attempt = planned[before as usize];
                let since = Duration::from_millis(now.0 - created.0);
                // Each wait is rounded down to whole milliseconds.
                let slack = Duration::from_millis(u64::from(before) + 1);
                prop_assert!(since + slack >= attempt.earliest && since <= attempt.latest + slack, "{attempt:?} at {since:?}");
                let past = Past { before, created };
                let outcome = AttemptOutcome::Failed(FailureKind::Connection);
                match classify(&policy, outcome, past, now, random.rotate_left(before)).unwrap().settled {
                    Settled::Retry(due) => now = due,
                    _ => break,
                }
                before += 1;
            }
            if age.is_none() {
                prop_assert_eq!(planned.len(), before as usize + 1);
            }
        }
    }
}
