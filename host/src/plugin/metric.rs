//! What plugins are asked, how long they take, and what they fail at.

use super::pool::Judged;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    plugin: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    plugin: String,
}

/// Metrics of plugins. The default ones are counted nowhere.
#[derive(Debug, Clone)]
pub struct PluginMetrics {
    calls: Family<CallLabels, Counter>,
    duration: Family<PluginLabels, Histogram, fn() -> Histogram>,
}

impl Default for PluginMetrics {
    fn default() -> Self {
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_01, 4.0, 11));
        Self { calls: Family::default(), duration: Family::new_with_constructor(buckets) }
    }
}

impl PluginMetrics {
    /// Adds them to the registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Calls of plugins, by what they said or failed at";
        registry.register("plugin_calls", help, metrics.calls.clone());
        let help = "How long calls of plugins take";
        registry.register_with_unit("plugin_duration", help, Unit::Seconds, metrics.duration.clone());
        metrics
    }

    pub(super) fn judged(&self, plugin: &str, judged: &Judged) {
        let (plugin, outcome) = (plugin.to_owned(), judged.outcome());
        self.duration
            .get_or_create(&PluginLabels { plugin: plugin.clone() })
            .observe(judged.duration.as_secs_f64());
        self.calls.get_or_create(&CallLabels { plugin, outcome }).inc();
    }
}
