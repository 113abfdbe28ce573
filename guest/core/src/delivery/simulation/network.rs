//! Endpoints that behave by their mood.

use super::plan::Mood;
use super::random::Random;
use crate::config::DeliveryConfig;
use crate::policy::Outcome;
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
) -> (Duration, Outcome<'static>) {
    let mut random = Random::new(seed, 1_000_000 + delivery.unsigned_abs() * 1000 + u64::from(number));
    let quick = Duration::from_micros(random.range(200, 50_000));
    let status = |status| Outcome::Answered { status, retry_after: None };
    let (wait, outcome) = match mood {
        Mood::Fine => (quick, status(200)),
        Mood::Flaky => {
            let answers = [
                status(200),
                status(204),
                status(500),
                Outcome::Failed,
                Outcome::Answered { status: 503, retry_after: Some("2") },
            ];
            (quick, random.pick(&answers))
        }
        Mood::Slow => (Duration::from_millis(random.range(500, 4_000)), status(200)),
        Mood::Dead => (quick, Outcome::Failed),
        Mood::Hanging => (Duration::MAX, Outcome::Failed),
        Mood::Local => (Duration::from_micros(random.range(1, 100)), Outcome::Local),
    };
    if wait < policy.timeout { (wait, outcome) } else { (policy.timeout, Outcome::Failed) }
}
