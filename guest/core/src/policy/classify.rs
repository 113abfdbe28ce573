//! Classifying one attempt by the subscription's policy.

use super::retry_after;
use crate::config::{DeliveryConfig, RetryConfig};
use crate::request::UnixMillis;
use std::time::Duration;

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome<'a> {
    /// The endpoint answered, and its answer was complete.
    Answered {
        /// The status.
        status: u16,
        /// The `Retry-After` field as received.
        retry_after: Option<&'a str>,
    },
    /// There was no complete answer.
    Failed,
    /// This machine could not make the attempt: it has no descriptor, no memory, no name server. It says nothing about
    /// the endpoint.
    Local,
}

/// What an attempt settles of its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The endpoint took it.
    Delivered,
    /// The endpoint does not want it, and the policy says not to insist.
    Discarded,
    /// To be tried again at this time.
    Retry(UnixMillis),
    /// It failed and no attempt is left.
    Dead,
}

/// Classifies an attempt: what follows from it. A status that is in both lists counts as success. `None` means that it was none: nothing follows
/// from [`AttemptOutcome::Local`], and no attempt is used up.
///
/// `before` is how many attempts were made before this one, `now` is when it ended, and `random` is a uniformly
/// distributed number that places the wait within the jitter. `Retry-After` makes the wait longer, never shorter, and
/// does not add attempts to the schedule.
#[must_use]
pub fn classify(
    policy: &DeliveryConfig,
    outcome: AttemptOutcome<'_>,
    before: u32,
    now: UnixMillis,
    random: u64,
) -> Option<Settled> {
    let asked = match outcome {
        AttemptOutcome::Answered { status, .. } if policy.success.contains(status) => {
            return Some(Settled::Delivered);
        }
        AttemptOutcome::Answered { status, .. } if policy.discard.contains(status) => {
            return Some(Settled::Discarded);
        }
        AttemptOutcome::Local => return None,
        AttemptOutcome::Answered { retry_after: Some(value), .. } => {
            retry_after(value, now).unwrap_or_default()
        }
        AttemptOutcome::Answered { retry_after: None, .. } | AttemptOutcome::Failed => Duration::ZERO,
    };
    Some(match wait(&policy.retry, before, random) {
        Some(wait) => {
            let millis = u64::try_from(wait.max(asked).as_millis()).unwrap_or(u64::MAX);
            Settled::Retry(UnixMillis(now.0.saturating_add(millis)))
        }
        None => Settled::Dead,
    })
}

/// The wait before the next attempt with its jitter, or `None` if the schedule is used up.
fn wait(retry: &RetryConfig, before: u32, random: u64) -> Option<Duration> {
    let delay = *retry.delays.get(usize::try_from(before).ok()?)?;
    let jitter = if retry.jitter.is_finite() { retry.jitter.clamp(0.0, 1.0) } else { 0.0 };
    // The upper 53 bits fill a float's mantissa exactly: uniform in 0 <= place < 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let place = (random >> 11) as f64 / (1u64 << 53) as f64;
    let factor = 1.0 - jitter + 2.0 * jitter * place;
    Some(Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StatusSet;
    use crate::policy::RETRY_AFTER_LIMIT;
    use proptest::prelude::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    /// What follows from an attempt that was one.
    fn classify(
        policy: &DeliveryConfig,
        outcome: AttemptOutcome<'_>,
        before: u32,
        now: UnixMillis,
        random: u64,
    ) -> Settled {
        super::classify(policy, outcome, before, now, random).expect("an attempt")
    }

    #[test]
    fn what_this_machine_could_not_do_is_no_attempt() {
        assert_eq!(super::classify(&policy(&[], 0.0), AttemptOutcome::Local, 9, NOW, 0), None);
    }

    fn answered(status: u16) -> AttemptOutcome<'static> {
        AttemptOutcome::Answered { status, retry_after: None }
    }

    fn policy(delays: &[u64], jitter: f64) -> DeliveryConfig {
        let delays = delays.iter().copied().map(Duration::from_millis).collect();
        DeliveryConfig { retry: RetryConfig { delays, jitter }, ..DeliveryConfig::default() }
    }

    #[test]
    fn a_status_of_the_success_list_is_delivered() {
        assert_eq!(classify(&policy(&[], 0.0), answered(204), 0, NOW, 0), Settled::Delivered);
    }

    #[test]
    fn a_status_of_the_discard_list_is_discarded_and_success_goes_first() {
        let policy = DeliveryConfig {
            success: StatusSet::new(vec![(200, 299), (409, 409)]),
            discard: StatusSet::new(vec![(400, 499)]),
            ..DeliveryConfig::default()
        };
        assert_eq!(classify(&policy, answered(404), 0, NOW, 0), Settled::Discarded);
        assert_eq!(classify(&policy, answered(409), 0, NOW, 0), Settled::Delivered);
    }

    #[test]
    fn other_statuses_and_failures_follow_the_schedule_until_it_is_used_up() {
        let policy = policy(&[5_000, 300_000], 0.0);
        for outcome in [answered(500), answered(302), answered(100), answered(404), AttemptOutcome::Failed] {
            assert_eq!(classify(&policy, outcome, 0, NOW, 7), Settled::Retry(UnixMillis(NOW.0 + 5_000)));
            assert_eq!(classify(&policy, outcome, 1, NOW, 7), Settled::Retry(UnixMillis(NOW.0 + 300_000)));
            assert_eq!(classify(&policy, outcome, 2, NOW, 7), Settled::Dead);
            assert_eq!(classify(&policy, outcome, u32::MAX, NOW, 7), Settled::Dead);
        }
    }

    #[test]
    fn jitter_reaches_both_ends() {
        let policy = policy(&[10_000], 0.2);
        assert_eq!(
            classify(&policy, AttemptOutcome::Failed, 0, NOW, 0),
            Settled::Retry(UnixMillis(NOW.0 + 8_000))
        );
        let Settled::Retry(at) = classify(&policy, AttemptOutcome::Failed, 0, NOW, u64::MAX) else {
            panic!("no retry")
        };
        assert!((11_999..=12_000).contains(&(at.0 - NOW.0)), "{at:?}");
    }

    #[test]
    fn retry_after_does_not_revive_a_used_up_schedule() {
        let outcome = AttemptOutcome::Answered { status: 503, retry_after: Some("1") };
        assert_eq!(classify(&policy(&[], 0.2), outcome, 0, NOW, 0), Settled::Dead);
    }

    #[test]
    fn absurd_delays_saturate() {
        let policy = DeliveryConfig {
            retry: RetryConfig { delays: vec![Duration::MAX], jitter: f64::NAN },
            ..DeliveryConfig::default()
        };
        assert_eq!(
            classify(&policy, AttemptOutcome::Failed, 0, NOW, 0),
            Settled::Retry(UnixMillis(u64::MAX))
        );
    }

    proptest! {
        #[test]
        fn waits_stay_within_the_jitter(
            delay in 0u64..200_000_000,
            jitter in 0.0f64..=1.0,
            random: u64,
            before in 0u32..3,
        ) {
            let policy = policy(&[delay; 3], jitter);
            let Settled::Retry(at) = classify(&policy, answered(500), before, NOW, random) else {
                return Err(TestCaseError::fail("no retry"));
            };
            let wait = (at.0 - NOW.0) as f64;
            prop_assert!(wait >= (delay as f64 * (1.0 - jitter)).floor() - 1.0, "{wait}");
            prop_assert!(wait <= (delay as f64 * (1.0 + jitter)).ceil(), "{wait}");
        }

        #[test]
        fn never_earlier_than_retry_after(
            delay in 0u64..200_000_000,
            asked in 0u64..200_000,
            random: u64,
            status in 300u16..600,
            as_date: bool,
        ) {
            let value = if as_date {
                let date = std::time::UNIX_EPOCH + Duration::from_secs(NOW.seconds() + asked);
                httpdate::fmt_http_date(date)
            } else {
                asked.to_string()
            };
            let outcome = AttemptOutcome::Answered { status, retry_after: Some(&value) };
            let Settled::Retry(at) = classify(&policy(&[delay], 0.2), outcome, 0, NOW, random) else {
                return Err(TestCaseError::fail("no retry"));
            };
            let bounded = Duration::from_secs(asked).min(RETRY_AFTER_LIMIT);
            prop_assert!(u128::from(at.0 - NOW.0) >= bounded.as_millis());
        }
    }
}
