//! How many requests were refused.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The label of sources that do not exist: their names are the senders' to choose. No source can have this name.
const UNKNOWN: &str = "(unknown)";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    source: String,
    reason: String,
}

/// Refused requests, by source and reason. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct RejectionMetrics {
    refused: Family<Labels, Counter>,
}

impl RejectionMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Requests that were refused, by source and by the code that they were answered with";
        registry.register("ingress_rejections", help, metrics.refused.clone());
        metrics
    }

    /// Counts one; the codes are the gateway's own, and so few.
    pub(super) fn refused(&self, source: &str, known: bool, code: &str) {
        let source = if known { source } else { UNKNOWN };
        let labels = Labels { source: source.to_owned(), reason: code.to_owned() };
        self.refused.get_or_create(&labels).inc();
    }
}
