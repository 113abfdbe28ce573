//! Metrics of what goes out.

use super::passive::PassiveMetrics;
use anglerfish_core::delivery::Standing;
use anglerfish_core::policy::Settled;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

/// Bounds of the histogram in seconds: from an endpoint next door to a long timeout.
const SECONDS: [f64; 13] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// What followed from an attempt, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum SettledLabel {
    Delivered,
    Discarded,
    Retry,
    Dead,
}

impl SettledLabel {
    const ALL: [Self; 4] = [Self::Delivered, Self::Discarded, Self::Retry, Self::Dead];

    const fn label(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Discarded => "discarded",
            Self::Retry => "retry",
            Self::Dead => "dead",
        }
    }
}

impl EncodeLabelValue for SettledLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(self.label())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SubscriptionLabels {
    pub(super) subscription: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    subscription: Arc<str>,
    outcome: SettledLabel,
}

/// Why no attempts start, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum StoppedLabel {
    Paused,
    Disabled,
}

impl EncodeLabelValue for StoppedLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(match self {
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StandingLabels {
    subscription: Arc<str>,
    standing: StoppedLabel,
}

/// Metrics of what goes out. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct DeliveryMetrics {
    attempts: Family<AttemptLabels, Counter>,
    running: Family<SubscriptionLabels, Gauge>,
    stopped: Family<StandingLabels, Gauge>,
    breakers: Family<SubscriptionLabels, Gauge>,
    duration: Histogram,
    store_errors: Counter,
    local_errors: Counter,
    passive: PassiveMetrics,
}

impl Default for DeliveryMetrics {
    /// Metrics that nobody reads.
    fn default() -> Self {
        Self {
            attempts: Family::default(),
            running: Family::default(),
            stopped: Family::default(),
            breakers: Family::default(),
            duration: Histogram::new(SECONDS),
            store_errors: Counter::default(),
            local_errors: Counter::default(),
            passive: PassiveMetrics::default(),
        }
    }
}

impl DeliveryMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self { passive: PassiveMetrics::register(registry), ..Self::default() };
        registry.register(
            "delivery_attempts",
            "Attempts by subscription and by what followed from them",
            metrics.attempts.clone(),
        );
        registry.register(
            "delivery_attempts_running",
            "Attempts that are being made now, by subscription",
            metrics.running.clone(),
        );
        registry.register(
            "subscription_stopped",
            "1 for each subscription whose attempts are stopped, because somebody paused it or because it was disabled",
            metrics.stopped.clone(),
        );
        registry.register(
            "subscription_breaker_open",
            "1 for each subscription whose breaker is open, because its last attempts failed",
            metrics.breakers.clone(),
        );
        registry.register_with_unit(
            "delivery_attempt_duration",
            "How long attempts took, from connecting to the end of the answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "delivery_store_errors",
            "Times that the store could not lease deliveries or record an attempt",
            metrics.store_errors.clone(),
        );
        registry.register(
            "delivery_local_errors",
            "Attempts that this machine could not make, for want of descriptors, memory or a name server",
            metrics.local_errors.clone(),
        );
        metrics
    }

    /// Those of passive subscriptions.
    pub(super) fn passive(&self) -> &PassiveMetrics {
        &self.passive
    }

    pub(super) fn local_error(&self) {
        self.local_errors.inc();
    }

    pub(super) fn store_failed(&self) {
        self.store_errors.inc();
    }

    /// The metrics of one subscription, looked up once and then free of it.
    pub(super) fn of(&self, subscription: &Arc<str>) -> SubscriptionMetrics {
        let attempts = SettledLabel::ALL.map(|outcome| {
            let labels = AttemptLabels { subscription: subscription.clone(), outcome };
            self.attempts.get_or_create_owned(&labels)
        });
        let labels = SubscriptionLabels { subscription: subscription.clone() };
        SubscriptionMetrics {
            attempts,
            running: self.running.get_or_create_owned(&labels),
            duration: self.duration.clone(),
        }
    }

    /// A subscription stands like this from now on.
    pub(super) fn stands(&self, subscription: &Arc<str>, standing: Standing) {
        let labels = |standing| StandingLabels { subscription: subscription.clone(), standing };
        for stopped in [StoppedLabel::Paused, StoppedLabel::Disabled] {
            self.stopped.remove(&labels(stopped));
        }
        let stopped = match standing {
            Standing::Active => return,
            Standing::Paused => StoppedLabel::Paused,
            Standing::Disabled(_) => StoppedLabel::Disabled,
        };
        self.stopped.get_or_create(&labels(stopped)).set(1);
    }

    /// A breaker opened or closed.
    pub(super) fn breaks(&self, subscription: &Arc<str>, is_open: bool) {
        let labels = SubscriptionLabels { subscription: subscription.clone() };
        if is_open {
            self.breakers.get_or_create(&labels).set(1);
        } else {
            self.breakers.remove(&labels);
        }
    }

    /// Forgets a subscription that is gone.
    pub(super) fn forget(&self, subscription: &Arc<str>) {
        self.breaks(subscription, false);
        self.stands(subscription, Standing::Active);
        for outcome in SettledLabel::ALL {
            self.attempts.remove(&AttemptLabels { subscription: subscription.clone(), outcome });
        }
        self.running.remove(&SubscriptionLabels { subscription: subscription.clone() });
    }
}

/// The metrics of one subscription.
#[derive(Debug)]
pub(super) struct SubscriptionMetrics {
    attempts: [Counter; SettledLabel::ALL.len()],
    running: Gauge,
    duration: Histogram,
}

impl SubscriptionMetrics {
    pub(super) fn running(&self, count: usize) {
        self.running.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// An attempt ended so, and took so long.
    pub(super) fn ended(&self, settled: Settled, duration: Duration) {
        self.settled(settled);
        if settled != Settled::Interrupted {
            self.duration.observe(duration.as_secs_f64());
        }
    }

    /// An attempt ended so; how long it took says nothing of the network.
    pub(super) fn settled(&self, settled: Settled) {
        let [delivered, discarded, retry, dead] = &self.attempts;
        let counter = match settled {
            Settled::Delivered => delivered,
            Settled::Discarded => discarded,
            Settled::Retry(_) => retry,
            Settled::Dead => dead,
            // It says nothing of the endpoint, and is made again.
            Settled::Interrupted => return,
        };
        counter.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::request::UnixMillis;

    #[test]
    fn each_outcome_is_counted_under_its_subscription_and_forgotten_with_it() {
        let mut registry = Registry::with_prefix("anglerfish");
        let metrics = DeliveryMetrics::register(&mut registry);
        let name: Arc<str> = "orders".into();
        let mine = metrics.of(&name);
        for settled in [Settled::Delivered, Settled::Delivered, Settled::Retry(UnixMillis(1)), Settled::Dead]
        {
            mine.ended(settled, Duration::from_millis(2));
        }
        mine.running(3);
        let text = |registry: &Registry| {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
            text
        };
        let shown = text(&registry);
        for line in [
            "anglerfish_delivery_attempts_total{subscription=\"orders\",outcome=\"delivered\"} 2\n",
            "anglerfish_delivery_attempts_total{subscription=\"orders\",outcome=\"retry\"} 1\n",
            "anglerfish_delivery_attempts_total{subscription=\"orders\",outcome=\"dead\"} 1\n",
            "anglerfish_delivery_attempts_running{subscription=\"orders\"} 3\n",
            "anglerfish_delivery_attempt_duration_seconds_count 4\n",
        ] {
            assert!(shown.contains(line), "{line} is not in:\n{shown}");
        }
        metrics.forget(&name);
        assert!(!text(&registry).contains("orders"));
    }
}
