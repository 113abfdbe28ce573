//! Who wants which events, and how they are delivered.

use super::{EndpointUrl, Secret, StatusSet};
use std::time::Duration;

/// A subscription, valid by construction.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionConfig {
    /// Its id: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub id: String,
    /// The sources that it listens to; empty means all of them.
    pub sources: Vec<String>,
    /// A CEL expression; without one every event of the sources matches.
    pub filter: Option<String>,
    /// Where its events go.
    pub endpoint: EndpointConfig,
    /// How they are delivered.
    pub delivery: DeliveryConfig,
    /// What becomes of its open deliveries when it is removed.
    pub when_removed: WhenRemoved,
}

/// What becomes of a subscription's open deliveries when it is removed: deleted, or no longer in the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenRemoved {
    /// They end, with that as their reason.
    #[default]
    End,
    /// They wait for a subscription of that id.
    Wait,
}

/// Where deliveries go.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointConfig {
    /// Where requests go.
    pub url: EndpointUrl,
    /// The method; `POST` by default.
    pub method: String,
    /// Header fields to add.
    pub headers: Vec<(String, Secret)>,
    /// Standard Webhooks signing secrets (`whsec_…` or `whsk_…`), all used at once while one is rotated; none means unsigned.
    pub secrets: Vec<Secret>,
    /// Whether private, loopback and link-local addresses may be called.
    pub allow_private: bool,
    /// Networks that may be called although they are private, in CIDR notation.
    pub allow_networks: Vec<String>,
}

/// When an attempt counts, and when to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryConfig {
    /// Statuses that mean delivered.
    pub success: StatusSet,
    /// Statuses that mean: do not try again.
    pub discard: StatusSet,
    /// How long one attempt may take in all.
    pub timeout: Duration,
    /// How many attempts may run at once.
    pub concurrency: usize,
    /// When to try again.
    pub retry: RetryConfig,
}

/// When to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryConfig {
    /// The wait before the second attempt, the third, and so on; when they are used up the delivery is dead.
    pub delays: Vec<Duration>,
    /// Each wait is varied by up to this fraction in both directions, 0 to 1.
    pub jitter: f64,
}

impl Default for DeliveryConfig {
    /// 2xx is success, nothing is discarded, 15 seconds, 10 at once, the schedule of Standard Webhooks.
    fn default() -> Self {
        Self {
            success: StatusSet::new(vec![(200, 299)]),
            discard: StatusSet::default(),
            timeout: Duration::from_secs(15),
            concurrency: 10,
            retry: RetryConfig::default(),
        }
    }
}

impl Default for RetryConfig {
    /// The example schedule of the Standard Webhooks specification: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h,
    /// 24 h, with a jitter of 0.2.
    fn default() -> Self {
        const HOUR: u64 = 3600;
        let seconds = [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self { delays: seconds.map(Duration::from_secs).to_vec(), jitter: 0.2 }
    }
}
