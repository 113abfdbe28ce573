//! Another system's API that is called on behalf of others.

use super::{
    BackoffConfig, BreakerConfig, DeliveryConfig, EndpointConfig, Growth, RateConfig, RetryCauses,
    RetryConfig, Schedule, StatusSet,
};
use std::time::Duration;

/// An API, valid by construction.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiConfig {
    /// Its name: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// Where it is, and what is sent with every request; its method is that of requests which name none.
    pub endpoint: EndpointConfig,
    /// Whether each request names the whole URL that it goes to; the endpoint's is nowhere then.
    pub any_url: bool,
    /// How its requests are judged and repeated, as long as nobody has said otherwise at run time.
    pub policy: CallPolicy,
    /// Answers with these statuses leave the whole API alone for a while.
    pub throttle_on: StatusSet,
    /// How many attempts may run at once.
    pub concurrency: usize,
    /// How many attempts may start in which time.
    pub rate: Option<RateConfig>,
    /// When its attempts stop because they fail, until one of them is tried; `None` for never.
    pub breaker: Option<BreakerConfig>,
    /// The header field with the request's key, by lower-case name; the same for all its attempts.
    pub idempotency_header: String,
}

/// How the requests to an API are judged and repeated. Each request keeps the one that it was made with.
#[derive(Debug, Clone, PartialEq)]
pub struct CallPolicy {
    /// Statuses that are an answer.
    pub success: StatusSet,
    /// Statuses that say: do not try this again.
    pub discard: StatusSet,
    /// How long one attempt may take in all.
    pub timeout: Duration,
    /// How long after its timeout an answer to an attempt still counts; zero breaks it off.
    pub wait_after_timeout: Duration,
    /// When to try again.
    pub retry: RetryConfig,
    /// The most bytes of an answer's body that are kept. A longer answer is a failure: half of one is none.
    pub answer_limit: u64,
}

impl CallPolicy {
    /// How many attempts a request has, the first one included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match &self.retry.schedule {
            Schedule::Delays(delays) => u32::try_from(delays.len()).unwrap_or(u32::MAX).saturating_add(1),
            Schedule::Backoff(backoff) => backoff.max_attempts.max(1),
        }
    }

    /// The same with so many attempts after the first one. A list of waits is cut, or goes on with its last.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        match &mut self.retry.schedule {
            Schedule::Delays(delays) => {
                let last = delays.last().copied().unwrap_or(BackoffConfig::default().first);
                delays.resize(usize::try_from(retries).unwrap_or(usize::MAX), last);
            }
            Schedule::Backoff(backoff) => backoff.max_attempts = retries.saturating_add(1),
        }
        self
    }

    /// What of a delivery's policy classifies an attempt.
    pub(crate) fn classifying(&self) -> DeliveryConfig {
        DeliveryConfig {
            success: self.success.clone(),
            discard: self.discard.clone(),
            timeout: self.timeout,
            retry: self.retry.clone(),
            ..DeliveryConfig::default()
        }
    }

    /// What is tried again unless somebody says otherwise: what may be better another time. A request that the API has
    /// understood and refused is not.
    #[must_use]
    pub fn causes() -> RetryCauses {
        let statuses = StatusSet::new(vec![(408, 408), (425, 425), (429, 429), (500, 599)]);
        RetryCauses { statuses, connection: true, timeout: true }
    }
}

impl Default for CallPolicy {
    /// 2xx is an answer; 5 attempts with waits of 1, 2, 4 and 8 seconds after 408, 425, 429, 5xx, no connection and no answer;
    /// 489 says not to try again (as QStash has it); 30 seconds for an attempt, broken off then; 1 MiB of an answer.
    fn default() -> Self {
        let backoff = BackoffConfig {
            growth: Growth::Exponential(2000),
            first: Duration::from_secs(1),
            max_delay: Duration::from_mins(5),
            max_attempts: 5,
        };
        Self {
            success: StatusSet::new(vec![(200, 299)]),
            discard: StatusSet::new(vec![(489, 489)]),
            timeout: Duration::from_secs(30),
            wait_after_timeout: Duration::ZERO,
            retry: RetryConfig {
                schedule: Schedule::Backoff(backoff),
                on: Self::causes(),
                ..RetryConfig::default()
            },
            answer_limit: 1 << 20,
        }
    }
}
