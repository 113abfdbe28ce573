//! When an attempt counts, and how much at once.

use super::{
    BacklogConfig, BatchConfig, BreakerConfig, ContentMode, ForwardHeaders, OrderingConfig, RateConfig,
    RetryConfig, StatusSet,
};
use std::time::Duration;

/// How deliveries get to their subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliveryMode {
    /// Attempts are made as soon as they are due.
    #[default]
    Push,
    /// Deliveries are kept until the subscriber leases them, or somebody asks for attempts.
    Passive,
    /// There are no deliveries: the subscriber reads the log, from whatever position it likes.
    Stream,
    /// Attempts are made as soon as they are due, and are calls of a function of the program that the gateway is part of.
    Function,
}

impl DeliveryMode {
    /// The word of the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Passive => "passive",
            Self::Stream => "stream",
            Self::Function => "function",
        }
    }
}

/// When an attempt counts, and when to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryConfig {
    /// How deliveries get to their subscriber. What follows is about attempts, whoever makes them.
    pub mode: DeliveryMode,
    /// Statuses that mean delivered.
    pub success: StatusSet,
    /// Statuses that mean: do not try again.
    pub discard: StatusSet,
    /// Statuses upon which the whole subscription is left alone for a while.
    pub throttle_on: StatusSet,
    /// Statuses that say that nobody is there any more: the subscription is disabled.
    pub disable_on: StatusSet,
    /// How long one attempt may take in all.
    pub timeout: Duration,
    /// How many attempts may run at once; where several events share a request, how many requests.
    pub concurrency: usize,
    /// How many events go in one request; without it each goes alone.
    pub batch: Option<BatchConfig>,
    /// When to try again.
    pub retry: RetryConfig,
    /// How many attempts may start in which time; what is over it waits.
    pub rate: Option<RateConfig>,
    /// When attempts stop because they fail, until one finds out.
    pub breaker: Option<BreakerConfig>,
    /// The subscription is disabled after so long of nothing but failures.
    pub disable_after: Option<Duration>,
    /// How many deliveries may be open.
    pub backlog: Option<BacklogConfig>,
    /// Which deliveries wait for each other.
    pub ordering: OrderingConfig,
    /// A CEL expression for the data that is sent.
    pub transform: Option<String>,
    /// In which form events are sent.
    pub content: ContentMode,
    /// Which header fields of the received request are sent along.
    pub forward_headers: ForwardHeaders,
}

/// How many deliveries of one subscription are attempted at once at most, however many share a request: all subscriptions have
/// as many places together as four such.
const MOST_AT_ONCE: usize = 1000;

impl DeliveryConfig {
    /// How many deliveries may be attempted at once.
    #[must_use]
    pub fn deliveries_at_once(&self) -> usize {
        let concurrency = self.concurrency.max(1);
        match self.batch {
            None => concurrency,
            // One full request at least.
            Some(batch) => concurrency.saturating_mul(batch.max).min(MOST_AT_ONCE.max(batch.max)),
        }
    }

    /// How far apart two failures may be that belong to one time of nothing but failures: half of the time after which it
    /// disables, or longer if the retries of one delivery are. Two that are days apart say nothing of the days between them.
    #[must_use]
    pub fn failures_apart(&self) -> Option<Duration> {
        let retries = self.retry.longest_wait().saturating_mul(2).saturating_add(self.timeout);
        self.disable_after.map(|after| (after / 2).max(retries))
    }
}

impl Default for DeliveryConfig {
    /// Pushed, 2xx is success, nothing is discarded, 429, 502, 503 and 504 throttle, 410 disables (Standard Webhooks, "Retries"),
    /// 15 seconds, 10 at once, the schedule of Standard Webhooks; no rate, a breaker that opens after 50 failures, disabled
    /// after 5 days of failures, as many open deliveries as there is room for, in no
    /// order.
    fn default() -> Self {
        Self {
            mode: DeliveryMode::Push,
            success: StatusSet::new(vec![(200, 299)]),
            discard: StatusSet::default(),
            throttle_on: StatusSet::new(vec![(429, 429), (502, 502), (503, 503), (504, 504)]),
            disable_on: StatusSet::new(vec![(410, 410)]),
            timeout: Duration::from_secs(15),
            concurrency: 10,
            batch: None,
            retry: RetryConfig::default(),
            rate: None,
            breaker: Some(BreakerConfig::default()),
            disable_after: Some(Duration::from_hours(5 * 24)),
            backlog: None,
            ordering: OrderingConfig::None,
            transform: None,
            content: ContentMode::default(),
            forward_headers: ForwardHeaders::default(),
        }
    }
}
