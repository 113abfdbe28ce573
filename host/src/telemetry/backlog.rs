//! The backlog of each subscription, read from the store when someone asks.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How many subscriptions get a label of their own, the longest backlogs first.
pub(super) const LABELS: usize = 1000;

/// The label of the sum of all others. No subscription can have this id.
const OTHERS: &str = "(others)";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    subscription: String,
}

#[derive(Debug, Clone, Default)]
pub(super) struct BacklogMetrics {
    open: Family<Labels, Gauge>,
    store: Gauge,
}

impl BacklogMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "backlog_deliveries",
            "Open deliveries by subscription; the shortest backlogs are summed up when there are very many",
            metrics.open.clone(),
        );
        registry.register(
            "store_up",
            "1 if the store could be used at this scrape, else 0",
            metrics.store.clone(),
        );
        metrics
    }

    /// The store cannot be used: rather no numbers than old ones.
    pub(super) fn unknown(&self) {
        self.open.clear();
        self.store.set(0);
    }

    /// Sets the gauges to these; those of other subscriptions go.
    pub(super) fn set(&self, mut backlog: Vec<(String, u64)>) {
        self.store.set(1);
        self.open.clear();
        backlog.sort_unstable_by(|(left_id, left), (right_id, right)| {
            right.cmp(left).then_with(|| left_id.cmp(right_id))
        });
        let others = backlog.split_off(backlog.len().min(LABELS));
        if !others.is_empty() {
            let open = others.iter().map(|(_, open)| *open).sum();
            backlog.push((OTHERS.to_owned(), open));
        }
        for (subscription, open) in backlog {
            let gauge = self.open.get_or_create_owned(&Labels { subscription });
            gauge.set(i64::try_from(open).unwrap_or(i64::MAX));
        }
    }
}
