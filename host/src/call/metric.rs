//! Metrics of calls.

use anglerfish_core::call::CallRecord;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Duration;

/// Bounds of the histogram, in seconds.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RecordLabels {
    api: Arc<str>,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiLabels {
    api: Arc<str>,
}

/// Metrics of calls. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct CallMetrics {
    records: Family<RecordLabels, Counter>,
    duration: Histogram,
    breakers: Family<ApiLabels, Gauge>,
}

impl Default for CallMetrics {
    fn default() -> Self {
        Self { records: Family::default(), duration: Histogram::new(SECONDS), breakers: Family::default() }
    }
}

impl CallMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("call_records", "What happened to calls, by class", metrics.records.clone());
        registry.register_with_unit(
            "call_attempt_duration",
            "How long attempts at calls took that were answered or failed",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "api_breaker_open",
            "1 for each API whose breaker is open, because the last attempts at its calls failed",
            metrics.breakers.clone(),
        );
        metrics
    }

    /// A breaker opened or closed.
    pub(super) fn breaker(&self, api: &str, is_open: bool) {
        let labels = ApiLabels { api: api.into() };
        if is_open {
            self.breakers.get_or_create(&labels).set(1);
        } else {
            self.breakers.remove(&labels);
        }
    }

    /// Counts what was written.
    pub(super) fn record(&self, api: &str, record: &CallRecord) {
        let labels = RecordLabels { api: api.into(), class: record.happened.class().0 };
        self.records.get_or_create(&labels).inc();
    }

    /// An exchange took so long.
    pub(super) fn attempt(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }
}
