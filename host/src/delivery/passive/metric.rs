//! Metrics of passive subscriptions.

use crate::delivery::metric::SubscriptionLabels;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write};
use std::sync::Arc;

/// What happened to a message, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Happened {
    Leased,
    Acked,
    Nacked,
    Expired,
    Abandoned,
    Released,
    Stale,
}

impl Happened {
    const ALL: [Self; 7] = [
        Self::Leased,
        Self::Acked,
        Self::Nacked,
        Self::Expired,
        Self::Abandoned,
        Self::Released,
        Self::Stale,
    ];
}

impl EncodeLabelValue for Happened {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(match self {
            Self::Leased => "leased",
            Self::Acked => "acked",
            Self::Nacked => "nacked",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Released => "released",
            Self::Stale => "stale",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    subscription: Arc<str>,
    outcome: Happened,
}

/// Metrics of passive subscriptions. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(in crate::delivery) struct PassiveMetrics {
    messages: Family<MessageLabels, Counter>,
    leases: Family<SubscriptionLabels, Gauge>,
    waiting: Family<SubscriptionLabels, Gauge>,
}

impl PassiveMetrics {
    /// Adds the metrics to the registry.
    pub(in crate::delivery) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "passive_messages",
            "Messages of passive subscriptions by what happened: leased, acked, nacked, expired, abandoned by a connection that \
             broke off, released without an attempt, or stale for answers that came too late",
            metrics.messages.clone(),
        );
        registry.register(
            "passive_leases",
            "Messages that the subscribers of passive subscriptions have leased now",
            metrics.leases.clone(),
        );
        registry.register(
            "passive_waiting",
            "Requests that wait for a message of a passive subscription now",
            metrics.waiting.clone(),
        );
        metrics
    }

    /// The metrics of one subscription.
    pub(super) fn of(&self, subscription: &Arc<str>) -> SubscriptionMetrics {
        let messages = Happened::ALL.map(|outcome| {
            let labels = MessageLabels { subscription: Arc::clone(subscription), outcome };
            self.messages.get_or_create_owned(&labels)
        });
        let labels = SubscriptionLabels { subscription: Arc::clone(subscription) };
        SubscriptionMetrics {
            messages,
            leases: self.leases.get_or_create_owned(&labels),
            waiting: self.waiting.get_or_create_owned(&labels),
        }
    }

    /// Forgets a subscription that is gone.
    pub(super) fn forget(&self, subscription: &Arc<str>) {
        for outcome in Happened::ALL {
            self.messages.remove(&MessageLabels { subscription: Arc::clone(subscription), outcome });
        }
        let labels = SubscriptionLabels { subscription: Arc::clone(subscription) };
        self.leases.remove(&labels);
        self.waiting.remove(&labels);
    }
}

/// The metrics of one subscription.
#[derive(Debug)]
pub(super) struct SubscriptionMetrics {
    messages: [Counter; Happened::ALL.len()],
    leases: Gauge,
    waiting: Gauge,
}

impl SubscriptionMetrics {
    pub(super) fn leased(&self, count: usize) {
        self.count(Happened::Leased, count);
    }

    pub(super) fn acked(&self, count: usize) {
        self.count(Happened::Acked, count);
    }

    pub(super) fn nacked(&self, count: usize) {
        self.count(Happened::Nacked, count);
    }

    pub(super) fn expired(&self, count: usize) {
        self.count(Happened::Expired, count);
    }

    pub(super) fn abandoned(&self, count: usize) {
        self.count(Happened::Abandoned, count);
    }

    pub(super) fn released(&self, count: usize) {
        self.count(Happened::Released, count);
    }

    pub(super) fn stale(&self, count: usize) {
        self.count(Happened::Stale, count);
    }

    /// So many are leased now.
    pub(super) fn leases(&self, count: usize) {
        self.leases.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many wait now.
    pub(super) fn waiting(&self, count: usize) {
        self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn count(&self, happened: Happened, count: usize) {
        let [leased, acked, nacked, expired, abandoned, released, stale] = &self.messages;
        let counter = match happened {
            Happened::Leased => leased,
            Happened::Acked => acked,
            Happened::Nacked => nacked,
            Happened::Expired => expired,
            Happened::Abandoned => abandoned,
            Happened::Released => released,
            Happened::Stale => stale,
        };
        counter.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }
}
