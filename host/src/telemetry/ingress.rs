//! Metrics of what comes in.

use anglerfish_core::exchange::Conclusion;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Duration;

/// The label of requests to a source that does not exist: their names are chosen by whoever sends them, and would
/// grow the metrics without end. No source can have this name.
const UNKNOWN: &str = "(unknown)";

/// Bounds of the histograms, in seconds: from the cost of one warm decision to that of a busy disk.
const SECONDS: [f64; 15] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.5, 2.5,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    source: Arc<str>,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    source: Arc<str>,
    secret: Arc<str>,
}

/// Metrics of what comes in. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct IngressMetrics {
    requests: Family<RequestLabels, Counter>,
    bytes: Family<SourceLabels, Counter>,
    verified: Family<SecretLabels, Counter>,
    filter_failures: Counter,
    decision: Histogram,
    commit: Histogram,
}

/// The metrics of one source, looked up once and then free of it.
#[derive(Debug, Clone)]
pub struct SourceMetrics {
    requests: [Counter; Conclusion::ALL.len()],
    bytes: Counter,
}

impl IngressMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            bytes: Family::default(),
            verified: Family::default(),
            filter_failures: Counter::default(),
            decision: Histogram::new(SECONDS),
            commit: Histogram::new(SECONDS),
        };
        registry.register(
            "ingress_requests",
            "Requests by source and by how they ended",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "ingress_body",
            "Bytes of request bodies that were read, by source",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        registry.register(
            "verified_events",
            "Accepted events by source and by the secret that verified them, its label or else its position from 0",
            metrics.verified.clone(),
        );
        registry.register(
            "filter_failures",
            "Filters that failed on an event, so that their subscription did not get it",
            metrics.filter_failures.clone(),
        );
        registry.register_with_unit(
            "decision_duration",
            "Time from handing a request to the component to its decision",
            Unit::Seconds,
            metrics.decision.clone(),
        );
        registry.register_with_unit(
            "commit_duration",
            "Time from handing a decision to the store until it is on disk",
            Unit::Seconds,
            metrics.commit.clone(),
        );
        metrics
    }

    /// The metrics of a source of the configuration.
    #[must_use]
    pub fn source(&self, name: &str) -> SourceMetrics {
        let source: Arc<str> = Arc::from(name);
        let requests = Conclusion::ALL.map(|conclusion| {
            let labels = RequestLabels { source: Arc::clone(&source), outcome: conclusion.as_str() };
            self.requests.get_or_create_owned(&labels)
        });
        SourceMetrics { requests, bytes: self.bytes.get_or_create_owned(&SourceLabels { source }) }
    }

    /// Counts an event that this secret of a source verified. Sources and secrets are the configuration's, so that there are few.
    pub fn verified(&self, source: &str, secret: &str) {
        let labels = SecretLabels { source: Arc::from(source), secret: Arc::from(secret) };
        self.verified.get_or_create(&labels).inc();
    }

    /// The metrics of all sources that do not exist, as one.
    #[must_use]
    pub fn unknown_source(&self) -> SourceMetrics {
        self.source(UNKNOWN)
    }

    /// Records a decision.
    pub fn decided(&self, took: Duration) {
        self.decision.observe(took.as_secs_f64());
    }

    /// Records a commit.
    pub fn committed(&self, took: Duration) {
        self.commit.observe(took.as_secs_f64());
    }

    /// Records filters that failed on one event.
    pub fn filters_failed(&self, count: u64) {
        self.filter_failures.inc_by(count);
    }
}

impl SourceMetrics {
    /// Records how a request ended and how much of its body was read.
    pub fn request(&self, conclusion: Conclusion, bytes: u64) {
        if let Some(counter) = self.requests.get(conclusion as usize) {
            counter.inc();
        }
        self.bytes.inc_by(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn every_outcome_counts_under_its_own_label() {
        let mut registry = Registry::with_prefix("anglerfish");
        let metrics = IngressMetrics::register(&mut registry);
        let shop = metrics.source("shop");
        for (index, outcome) in Conclusion::ALL.into_iter().enumerate() {
            for _ in 0..=index {
                shop.request(outcome, 10);
            }
        }
        metrics.unknown_source().request(Conclusion::Refused, 0);
        metrics.decided(Duration::from_micros(20));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for (index, outcome) in Conclusion::ALL.into_iter().enumerate() {
            let line = format!(
                "anglerfish_ingress_requests_total{{source=\"shop\",outcome=\"{}\"}} {}\n",
                outcome.as_str(),
                index + 1
            );
            assert!(text.contains(&line), "{line}\n{text}");
        }
        assert!(text.contains("anglerfish_ingress_body_bytes_total{source=\"shop\"} 360\n"), "{text}");
        assert!(text.contains("source=\"(unknown)\",outcome=\"refused\"} 1\n"), "{text}");
        assert!(text.contains("anglerfish_decision_duration_seconds_bucket{le=\"0.000025\"} 1\n"), "{text}");
    }
}
