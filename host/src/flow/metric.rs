//! Metrics of flows.

use super::FlowState;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowLabels {
    flow: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    flow: String,
    state: &'static str,
}

/// Metrics of flows. The names are the program's own, and so few. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct FlowMetrics {
    running: Family<FlowLabels, Gauge>,
    entries: Family<FlowLabels, Counter>,
    ends: Family<EndLabels, Counter>,
}

impl FlowMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("flow_running", "Flows that run in this program", metrics.running.clone());
        registry.register(
            "flow_entries",
            "Entries written to the journals of flows",
            metrics.entries.clone(),
        );
        registry.register("flow_ends", "Flows that ended, by how", metrics.ends.clone());
        metrics
    }

    pub(super) fn running(&self, flow: &str, more: i64) {
        self.running.get_or_create(&FlowLabels { flow: flow.to_owned() }).inc_by(more);
    }

    pub(super) fn entry(&self, flow: &str) {
        self.entries.get_or_create(&FlowLabels { flow: flow.to_owned() }).inc();
    }

    pub(super) fn end(&self, flow: &str, state: FlowState) {
        self.ends.get_or_create(&EndLabels { flow: flow.to_owned(), state: state.word() }).inc();
    }
}
