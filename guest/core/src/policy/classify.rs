//! Settling one attempt by the subscription's policy.

use super::schedule::nominal;
use super::{Answered, AttemptOutcome, FailureKind, rate_limit_reset, retry_after};
use crate::config::{DeliveryConfig, RetryConfig};
use crate::request::UnixMillis;
use std::time::Duration;

/// What follows from an attempt for its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The endpoint took it.
    Delivered,
    /// The endpoint does not want it, and nobody is to insist.
    Discarded,
    /// To be tried again at this time.
    Retry(UnixMillis),
    /// It failed and no attempt is left.
    Dead,
    /// It was broken off before it came to anything: to be made again, and none of the attempts is used up.
    Interrupted,
}

/// All that follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consequences {
    /// For its delivery.
    pub settled: Settled,
    /// The whole subscription is to be left alone, for as long as the endpoint asks at least; zero if it does not say.
    pub throttle: Option<Duration>,
    /// Nobody is there any more: the subscription is to be disabled. With the status that said so.
    pub gone: Option<u16>,
    /// The endpoint was not asked: nothing follows for the subscription.
    pub is_own: bool,
}

/// What a delivery has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// How many attempts were made before this one.
    pub before: u32,
    /// When it was made.
    pub created: UnixMillis,
}

/// Settles an attempt. A status that is in several lists counts as success first, then as one to discard. `None` means
/// that it was none: nothing follows from [`AttemptOutcome::Local`], and no attempt is used up.
///
/// `now` is when the attempt ended, and `random` is a uniformly distributed number that places the wait within the jitter.
/// What the endpoint asks for makes the wait longer, never shorter, and does not add attempts to the schedule.
#[must_use]
pub fn classify(
    policy: &DeliveryConfig,
    outcome: AttemptOutcome<'_>,
    past: Past,
    now: UnixMillis,
    random: u64,
) -> Option<Consequences> {
    let retry = &policy.retry;
    let mut consequences = Consequences { settled: Settled::Dead, throttle: None, gone: None, is_own: false };
    let (asked, again) = match outcome {
        AttemptOutcome::Local => return None,
        AttemptOutcome::Unsendable => return Some(Consequences { is_own: true, ..consequences }),
        AttemptOutcome::Unwanted => {
            return Some(Consequences { settled: Settled::Discarded, is_own: true, ..consequences });
        }
        AttemptOutcome::Taken => return Some(Consequences { settled: Settled::Delivered, ..consequences }),
        AttemptOutcome::Unneeded => {
            return Some(Consequences { settled: Settled::Delivered, is_own: true, ..consequences });
        }
        AttemptOutcome::Answered(Answered { status, .. }) if policy.success.contains(status) => {
            return Some(Consequences { settled: Settled::Delivered, ..consequences });
        }
        AttemptOutcome::Answered(answer) => {
            let asked = asked(&answer, now, retry.max_retry_after);
            consequences.throttle = policy.throttle_on.contains(answer.status).then_some(asked);
            // Who names it there has thought of it; who names its class has not.
            let is_gone = policy.disable_on.contains(answer.status) && !policy.discard.names(answer.status);
            consequences.gone = is_gone.then_some(answer.status);
            if answer.is_abort || policy.discard.contains(answer.status) {
                return Some(Consequences { settled: Settled::Discarded, ..consequences });
            }
            (asked, retry.on.statuses.contains(answer.status))
        }
        AttemptOutcome::Failed(FailureKind::Connection) => (Duration::ZERO, retry.on.connection),
        AttemptOutcome::Failed(FailureKind::Timeout) => (Duration::ZERO, retry.on.timeout),
    };
    if let Some(wait) = wait(retry, past.before, random).filter(|_| again) {
        let due = now.after(wait.max(asked));
        if retry.max_age.is_none_or(|most| due <= past.created.after(most)) {
            consequences.settled = Settled::Retry(due);
        }
    }
    Some(consequences)
}

/// Settles an attempt that was the subscriber's own: it had the delivery and gives it back, or did not answer for it in
/// time. It comes back after `wait`, or when the schedule has the next attempt if that is not said; and not at all once
/// the schedule is used up or it would be too old.
#[must_use]
pub fn give_back(
    retry: &RetryConfig,
    past: Past,
    wait: Option<Duration>,
    now: UnixMillis,
    random: u64,
) -> Settled {
    let Some(planned) = self::wait(retry, past.before, random) else { return Settled::Dead };
    let due = now.after(wait.unwrap_or(planned));
    match retry.max_age {
        Some(most) if due > past.created.after(most) => Settled::Dead,
        _ => Settled::Retry(due),
    }
}

/// How long the endpoint asks to be left alone.
fn asked(answer: &Answered<'_>, now: UnixMillis, longest: Duration) -> Duration {
    if let Some(wait) = answer.retry_after.and_then(|value| retry_after(value, now, longest)) {
        return wait;
    }
    // Some providers send it with every answer, of whatever status; only of these two it says when to come again.
    let reset = answer.rate_limit_reset.filter(|_| matches!(answer.status, 429 | 503));
    reset.and_then(|value| rate_limit_reset(value, now, longest)).unwrap_or_default()
}

/// The wait before the next attempt with its jitter, or `None` if the schedule is used up.
fn wait(retry: &RetryConfig, before: u32, random: u64) -> Option<Duration> {
    let wait = nominal(&retry.schedule, before.checked_add(1)?)?;
    Some(vary(wait, retry.jitter, random))
}

/// A wait within its jitter: the least for a `random` of zero.
pub(super) fn vary(wait: Duration, jitter: f64, random: u64) -> Duration {
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
    // The upper 53 bits fill a float's mantissa exactly: uniform in 0 <= place < 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let place = (random >> 11) as f64 / (1u64 << 53) as f64;
    let factor = 1.0 - jitter + 2.0 * jitter * place;
    Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RetryCauses, Schedule, StatusSet};
    use proptest::prelude::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const DAY: Duration = Duration::from_hours(24);
    const BROKEN: AttemptOutcome<'static> = AttemptOutcome::Failed(FailureKind::Connection);

    /// What follows from an attempt that was one.
    fn classify(
        policy: &DeliveryConfig,
        outcome: AttemptOutcome<'_>,
        before: u32,
        now: UnixMillis,
        random: u64,
    ) -> Settled {
        consequences(policy, outcome, before, now, random).settled
    }

    fn consequences(
        policy: &DeliveryConfig,
        outcome: AttemptOutcome<'_>,
        before: u32,
        now: UnixMillis,
        random: u64,
    ) -> Consequences {
        super::classify(policy, outcome, Past { before, created: NOW }, now, random).expect("an attempt")
    }

    #[test]
    fn what_this_machine_could_not_do_is_no_attempt() {
        assert_eq!(
            super::classify(
                &policy(&[], 0.0),
                AttemptOutcome::Local,
                Past { before: 9, created: NOW },
                NOW,
                0
            ),
            None
        );
    }

    #[test]
    fn what_cannot_be_sent_is_dead_at_once_and_says_nothing_of_the_endpoint() {
        let found = consequences(&policy(&[1, 1], 0.0), AttemptOutcome::Unsendable, 0, NOW, 0);
        assert_eq!((found.settled, found.is_own, found.throttle), (Settled::Dead, true, None));
    }

    fn answered(status: u16) -> AttemptOutcome<'static> {
        AttemptOutcome::status(status)
    }

    fn asking(status: u16, retry_after: &str) -> AttemptOutcome<'_> {
        let retry_after = Some(retry_after);
        AttemptOutcome::Answered(Answered { status, retry_after, rate_limit_reset: None, is_abort: false })
    }

    fn policy(delays: &[u64], jitter: f64) -> DeliveryConfig {
        let delays = delays.iter().copied().map(Duration::from_millis).collect();
        let retry = RetryConfig { jitter, ..RetryConfig::with_delays(delays) };
        DeliveryConfig { retry, ..DeliveryConfig::default() }
    }

    #[test]
    fn what_a_plugin_does_not_want_is_discarded_and_says_nothing_of_the_endpoint() {
        let found = consequences(&policy(&[1, 1], 0.0), AttemptOutcome::Unwanted, 0, NOW, 0);
        assert_eq!((found.settled, found.is_own, found.throttle), (Settled::Discarded, true, None));
    }

    #[test]
    fn what_a_function_took_is_delivered_whatever_statuses_mean_so() {
        let policy =
            DeliveryConfig { success: StatusSet::new(vec![(299, 299)]), ..DeliveryConfig::default() };
        assert_eq!(classify(&policy, AttemptOutcome::Taken, 0, NOW, 0), Settled::Delivered);
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
        for outcome in [
            answered(500),
            answered(302),
            answered(100),
            answered(404),
            BROKEN,
            AttemptOutcome::Failed(FailureKind::Timeout),
        ] {
            assert_eq!(classify(&policy, outcome, 0, NOW, 7), Settled::Retry(UnixMillis(NOW.0 + 5_000)));
            assert_eq!(classify(&policy, outcome, 1, NOW, 7), Settled::Retry(UnixMillis(NOW.0 + 300_000)));
            assert_eq!(classify(&policy, outcome, 2, NOW, 7), Settled::Dead);
            assert_eq!(classify(&policy, outcome, u32::MAX, NOW, 7), Settled::Dead);
        }
    }

    #[test]
    fn jitter_reaches_both_ends() {
        let policy = policy(&[10_000], 0.2);
        assert_eq!(classify(&policy, BROKEN, 0, NOW, 0), Settled::Retry(UnixMillis(NOW.0 + 8_000)));
        let Settled::Retry(at) = classify(&policy, BROKEN, 0, NOW, u64::MAX) else { panic!("no retry") };
        assert!((11_999..=12_000).contains(&(at.0 - NOW.0)), "{at:?}");
    }

    #[test]
    fn what_is_given_back_comes_when_it_is_asked_for_as_long_as_the_schedule_lasts() {
        let RetryConfig { schedule, .. } = policy(&[5_000], 0.0).retry;
        let retry = RetryConfig { schedule, jitter: 0.0, max_age: Some(DAY), ..RetryConfig::default() };
        let back = |before, wait, now| super::give_back(&retry, Past { before, created: NOW }, wait, now, 0);
        assert_eq!(back(0, None, NOW), Settled::Retry(UnixMillis(NOW.0 + 5_000)));
        assert_eq!(back(0, Some(Duration::ZERO), NOW), Settled::Retry(NOW));
        assert_eq!(back(0, Some(DAY), NOW), Settled::Retry(NOW.after(DAY)));
        assert_eq!(back(0, Some(DAY), UnixMillis(NOW.0 + 1)), Settled::Dead);
        assert_eq!(back(1, Some(Duration::ZERO), NOW), Settled::Dead);
        assert_eq!(back(u32::MAX, None, NOW), Settled::Dead);
    }

    #[test]
    fn retry_after_does_not_revive_a_used_up_schedule() {
        assert_eq!(classify(&policy(&[], 0.2), asking(503, "1"), 0, NOW, 0), Settled::Dead);
    }

    #[test]
    fn an_answer_that_throttles_says_for_how_long_if_it_knows() {
        let policy = policy(&[5_000], 0.0);
        let throttle = |outcome| consequences(&policy, outcome, 0, NOW, 0).throttle;
        for status in [429, 502, 503, 504] {
            assert_eq!(throttle(answered(status)), Some(Duration::ZERO), "{status}");
        }
        assert_eq!(throttle(asking(429, "30")), Some(Duration::from_secs(30)));
        for outcome in [answered(500), answered(404), asking(500, "30"), answered(200), BROKEN] {
            assert_eq!(throttle(outcome), None, "{outcome:?}");
        }
    }

    #[test]
    fn the_time_of_a_new_rate_limit_is_waited_for_where_retry_after_is_missing() {
        let policy = policy(&[5_000], 0.0);
        let reset = |status, retry_after| {
            let rate_limit_reset = Some("1700000060");
            let answer = Answered { status, retry_after, rate_limit_reset, is_abort: false };
            classify(&policy, AttemptOutcome::Answered(answer), 0, NOW, 0)
        };
        assert_eq!(reset(429, None), Settled::Retry(UnixMillis(NOW.0 + 60_000)));
        assert_eq!(reset(429, Some("20")), Settled::Retry(UnixMillis(NOW.0 + 20_000)));
        assert_eq!(reset(500, None), Settled::Retry(UnixMillis(NOW.0 + 5_000)));
    }

    #[test]
    fn what_an_endpoint_asks_for_is_bounded_by_the_policy() {
        let mut policy = policy(&[5_000], 0.0);
        policy.retry.max_retry_after = Duration::from_secs(10);
        assert_eq!(
            classify(&policy, asking(503, "3600"), 0, NOW, 0),
            Settled::Retry(UnixMillis(NOW.0 + 10_000))
        );
    }

    #[test]
    fn gone_disables_and_the_delivery_goes_its_way() {
        let mut policy = policy(&[5_000], 0.0);
        let gone = consequences(&policy, answered(410), 0, NOW, 0);
        assert_eq!((gone.gone, gone.settled), (Some(410), Settled::Retry(UnixMillis(NOW.0 + 5_000))));
        assert_eq!(consequences(&policy, answered(404), 0, NOW, 0).gone, None);
        policy.discard = StatusSet::new(vec![(400, 499)]);
        let gone = consequences(&policy, answered(410), 0, NOW, 0);
        assert_eq!((gone.gone, gone.settled), (Some(410), Settled::Discarded));
        policy.discard = StatusSet::new(vec![(410, 410)]);
        assert_eq!(consequences(&policy, answered(410), 0, NOW, 0).gone, None);
        policy.discard = StatusSet::default();
        policy.disable_on = StatusSet::default();
        assert_eq!(consequences(&policy, answered(410), 0, NOW, 0).gone, None);
        policy.success = StatusSet::new(vec![(410, 410)]);
        assert_eq!(classify(&policy, answered(410), 0, NOW, 0), Settled::Delivered);
    }

    #[test]
    fn an_answer_may_say_not_to_try_again() {
        let policy = policy(&[5_000], 0.0);
        let abort = |status| {
            AttemptOutcome::Answered(Answered {
                status,
                retry_after: None,
                rate_limit_reset: None,
                is_abort: true,
            })
        };
        assert_eq!(classify(&policy, abort(500), 0, NOW, 0), Settled::Discarded);
        assert_eq!(classify(&policy, abort(200), 0, NOW, 0), Settled::Delivered);
    }

    #[test]
    fn only_what_the_policy_names_is_tried_again() {
        let mut policy = policy(&[5_000], 0.0);
        policy.retry.on =
            RetryCauses { statuses: StatusSet::new(vec![(500, 599)]), connection: false, timeout: true };
        let late = AttemptOutcome::Failed(FailureKind::Timeout);
        let again = |outcome| classify(&policy, outcome, 0, NOW, 0) != Settled::Dead;
        assert_eq!([answered(500), answered(404), BROKEN, late].map(again), [true, false, false, true]);
    }

    #[test]
    fn no_attempt_is_planned_for_later_than_the_greatest_age() {
        let mut policy = policy(&[60_000; 3], 0.0);
        policy.retry.max_age = Some(Duration::from_millis(90_000));
        assert_eq!(classify(&policy, BROKEN, 0, NOW, 0), Settled::Retry(UnixMillis(NOW.0 + 60_000)));
        assert_eq!(
            classify(&policy, BROKEN, 1, UnixMillis(NOW.0 + 30_000), 0),
            Settled::Retry(UnixMillis(NOW.0 + 90_000))
        );
        assert_eq!(classify(&policy, BROKEN, 1, UnixMillis(NOW.0 + 30_001), 0), Settled::Dead);
        policy.retry.schedule = Schedule::Delays(vec![Duration::ZERO; 3]);
        assert_eq!(classify(&policy, asking(503, "91"), 0, NOW, 0), Settled::Dead);
    }

    #[test]
    fn absurd_delays_saturate() {
        let policy = DeliveryConfig {
            retry: RetryConfig { jitter: f64::NAN, ..RetryConfig::with_delays(vec![Duration::MAX]) },
            ..DeliveryConfig::default()
        };
        assert_eq!(classify(&policy, BROKEN, 0, NOW, 0), Settled::Retry(UnixMillis(u64::MAX)));
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
            let Settled::Retry(at) = classify(&policy(&[delay], 0.2), asking(status, &value), 0, NOW, random) else {
                return Err(TestCaseError::fail("no retry"));
            };
            let bounded = Duration::from_secs(asked).min(DAY);
            prop_assert!(u128::from(at.0 - NOW.0) >= bounded.as_millis());
        }
    }
}
