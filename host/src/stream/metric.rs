//! Metrics of streams.

use super::place::Protocol;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write};
use std::sync::Arc;

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Closed {
    /// A batch was answered.
    Answered,
    /// Its time was over, and the reader begins another.
    Rotated,
    /// The gateway stops.
    Stopping,
    /// The subscription was changed or removed.
    Changed,
    /// The log could not be read.
    Failed,
    /// The reader hung up, or the network did.
    Left,
    /// The reader took nothing for too long.
    Stalled,
}

impl Closed {
    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rotated => "rotated",
            Self::Stopping => "stopping",
            Self::Changed => "changed",
            Self::Failed => "failed",
            Self::Left => "left",
            Self::Stalled => "stalled",
        }
    }
}

impl EncodeLabelValue for Closed {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(self.word())
    }
}

impl EncodeLabelValue for Protocol {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    subscription: Arc<str>,
    protocol: Protocol,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClosedLabels {
    reason: Closed,
}

/// Metrics of streams. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct StreamMetrics {
    readers: Family<StreamLabels, Gauge>,
    events: Family<StreamLabels, Counter>,
    closed: Family<ClosedLabels, Counter>,
    refused: Counter,
    gaps: Counter,
}

impl StreamMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("stream_readers", "Those who read streams now", metrics.readers.clone());
        registry.register(
            "stream_events",
            "Events that readers of streams were given",
            metrics.events.clone(),
        );
        registry.register(
            "stream_closed",
            "Streams that ended, by reason: answered, rotated, stopping, changed, failed, left or stalled",
            metrics.closed.clone(),
        );
        registry.register(
            "stream_refused",
            "Requests and connections that were refused because too many read or are connected already",
            metrics.refused.clone(),
        );
        registry.register(
            "stream_gaps",
            "How often a reader was told that events behind its position are no longer kept",
            metrics.gaps.clone(),
        );
        metrics
    }

    /// What counts those who are refused because too many are there already.
    #[must_use]
    pub fn refusals(&self) -> Counter {
        self.refused.clone()
    }

    pub(super) fn came(&self, subscription: &Arc<str>, protocol: Protocol) {
        self.readers.get_or_create_owned(&labels(subscription, protocol)).inc();
    }

    pub(super) fn left(&self, subscription: &Arc<str>, protocol: Protocol, reason: Closed) {
        let labels = labels(subscription, protocol);
        if self.readers.get_or_create_owned(&labels).dec() <= 1 {
            self.readers.remove(&labels);
        }
        self.closed.get_or_create_owned(&ClosedLabels { reason }).inc();
    }

    pub(super) fn gave(&self, subscription: &Arc<str>, protocol: Protocol, events: u64) {
        self.events.get_or_create_owned(&labels(subscription, protocol)).inc_by(events);
    }

    /// Forgets a subscription that is gone.
    pub(super) fn forget(&self, subscription: &Arc<str>) {
        for protocol in Protocol::ALL {
            self.events.remove(&labels(subscription, protocol));
        }
    }

    pub(super) fn refused(&self) {
        self.refused.inc();
    }

    pub(super) fn gap(&self) {
        self.gaps.inc();
    }
}

fn labels(subscription: &Arc<str>, protocol: Protocol) -> StreamLabels {
    StreamLabels { subscription: Arc::clone(subscription), protocol }
}
