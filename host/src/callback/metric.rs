//! Metrics of callbacks.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Metrics of callbacks. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct CallbackMetrics {
    requests: Family<OutcomeLabels, Counter>,
    held: Counter,
    acked: Counter,
}

impl CallbackMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "callback_requests",
            "Requests to the addresses of callbacks, by what became of them: accepted, duplicate, ignored, handshake, refused, \
             gone, full or failed",
            metrics.requests.clone(),
        );
        registry.register(
            "callback_holds",
            "How often somebody took hold of a callback",
            metrics.held.clone(),
        );
        registry.register(
            "callback_acks",
            "How often somebody was done with callbacks",
            metrics.acked.clone(),
        );
        metrics
    }

    pub(super) fn request(&self, outcome: &'static str) {
        self.requests.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(super) fn held(&self) {
        self.held.inc();
    }

    pub(super) fn acked(&self) {
        self.acked.inc();
    }
}
