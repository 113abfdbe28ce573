//! Endpoints that behave by their mood.

use super::plan::Mood;
use super::random::Random;
use crate::config::DeliveryConfig;
use crate::policy::{Answered, AttemptOutcome, FailureKind};
use std::time::Duration;

/// What comes of one attempt, and after which time.
///
/// It follows from the seed, the delivery and the number of the attempt alone: what others do does not change it.
pub(super) fn answer(
    seed: u64,
    mood: Mood,
    policy: &DeliveryConfig,
    delivery: i64,
    number: u32,
) -> (Duration, AttemptOutcome<'static>) {
    let mut random = Random::new(seed, 1_000_000 + delivery.unsigned_abs() * 1000 + u64::from(number));
    let quick = Duration::from_micros(random.range(200, 50_000));
    let status = AttemptOutcome::status;
    let broken = AttemptOutcome::Failed(FailureKind::Connection);
    let asking = |status, retry_after| {
        let retry_after = Some(retry_after);
        AttemptOutcome::Answered(Answered { status, retry_after, rate_limit_reset: None, is_abort: false })
    };
    let (wait, outcome) = match mood {
        Mood::Fine => (quick, status(200)),
        Mood::Flaky => {
            let answers = [status(200), status(204), status(500), broken, asking(503, "2"), status(404)];
            (quick, random.pick(&answers))
        }
        Mood::Slow => (Duration::from_millis(random.range(500, 4_000)), status(200)),
        Mood::Dead => (quick, broken),
        Mood::Hanging => (Duration::MAX, broken),
        Mood::Busy => (quick, random.pick(&[status(429), asking(429, "5"), status(504), status(200)])),
        Mood::Gone => (quick, random.pick(&[status(500), status(410)])),
        Mood::Local => (Duration::from_micros(random.range(1, 100)), AttemptOutcome::Local),
    };
    if wait < policy.timeout {
        (wait, outcome)
    } else {
        (policy.timeout, AttemptOutcome::Failed(FailureKind::Timeout))
    }
}
