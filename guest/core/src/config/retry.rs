//! What is tried again, and when.

use super::StatusSet;
use std::time::Duration;

/// What is tried again, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryConfig {
    /// The waits between attempts.
    pub schedule: Schedule,
    /// Each wait is varied by up to this fraction in both directions, 0 to 1.
    pub jitter: f64,
    /// No attempt is planned for later than so long after the delivery was made.
    pub max_age: Option<Duration>,
    /// What is tried again; all else that is no success ends the delivery.
    pub on: RetryCauses,
    /// The longest wait that an endpoint can ask for. Without a bound one wrong answer would park a delivery for years.
    pub max_retry_after: Duration,
}

/// The waits between attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// The wait before the second attempt, the third, and so on; when they are used up the delivery is dead.
    Delays(Vec<Duration>),
    /// Waits that follow from a rule.
    Backoff(BackoffConfig),
}

/// Waits that follow from a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackoffConfig {
    /// How they grow.
    pub growth: Growth,
    /// The wait before the second attempt.
    pub first: Duration,
    /// No wait is longer before it is varied: jitter comes on top.
    pub max_delay: Duration,
    /// How many attempts there are in all; the first one counts.
    pub max_attempts: u32,
}

/// How waits grow from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Not at all.
    Fixed,
    /// By so much each time.
    Linear(Duration),
    /// So many thousandths of the one before: 2000 doubles.
    Exponential(u32),
}

/// What is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryCauses {
    /// Answers with these statuses.
    pub statuses: StatusSet,
    /// Attempts without a complete answer: no connection, a connection that broke.
    pub connection: bool,
    /// Attempts without a complete answer in time.
    pub timeout: bool,
}

impl RetryConfig {
    /// The default for all but the waits.
    #[must_use]
    pub fn with_delays(delays: Vec<Duration>) -> Self {
        Self { schedule: Schedule::Delays(delays), ..Self::default() }
    }

    /// The wait before the second attempt, before it is varied; none if there is no second one.
    #[must_use]
    pub fn first_wait(&self) -> Option<Duration> {
        match &self.schedule {
            Schedule::Delays(delays) => delays.first().copied(),
            Schedule::Backoff(backoff) => (backoff.max_attempts > 1).then_some(backoff.first),
        }
    }

    /// The longest wait of the schedule, before it is varied.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        match &self.schedule {
            Schedule::Delays(delays) => delays.iter().copied().max().unwrap_or_default(),
            Schedule::Backoff(backoff) => backoff.max_delay,
        }
    }
}

impl Default for RetryConfig {
    /// The example schedule of the Standard Webhooks specification: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h,
    /// 24 h, with a jitter of 0.2, for everything that fails; `Retry-After` counts up to 24 hours.
    fn default() -> Self {
        const HOUR: u64 = 3600;
        let seconds = [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self {
            schedule: Schedule::Delays(seconds.map(Duration::from_secs).to_vec()),
            jitter: 0.2,
            max_age: None,
            on: RetryCauses::default(),
            max_retry_after: Duration::from_hours(24),
        }
    }
}

impl Default for BackoffConfig {
    /// 5 seconds, doubled up to a day, for 10 attempts.
    fn default() -> Self {
        Self {
            growth: Growth::Exponential(2000),
            first: Duration::from_secs(5),
            max_delay: Duration::from_hours(24),
            max_attempts: 10,
        }
    }
}

impl Default for RetryCauses {
    /// Everything.
    fn default() -> Self {
        Self { statuses: StatusSet::new(vec![(100, 999)]), connection: true, timeout: true }
    }
}
