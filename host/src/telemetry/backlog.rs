//! The backlog of each subscription, read from the store when someone asks.

use crate::store::OverflowCounts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How many subscriptions get a label of their own, the longest backlogs first.
pub(super) const LABELS: usize = 1000;

/// The label of the sum of all others. No subscription can have this id.
const OTHERS: &str = "(others)";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    subscription: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OverflowLabels {
    subscription: String,
    full: &'static str,
}

type Age = Gauge<f64, AtomicU64>;

/// The backlog of one subscription.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Backlog {
    pub(super) subscription: String,
    pub(super) open: u64,
    /// How old the oldest is; zero without one.
    pub(super) age: Duration,
}

/// Those that get a label of their own, and how many open deliveries all others have together, if there are others.
pub(super) fn chosen(mut backlog: Vec<(String, u64)>) -> (Vec<(String, u64)>, Option<u64>) {
    backlog.sort_unstable_by(|(left_id, left), (right_id, right)| {
        right.cmp(left).then_with(|| left_id.cmp(right_id))
    });
    let others = backlog.split_off(backlog.len().min(LABELS));
    let open = others.iter().map(|(_, open)| *open).sum();
    (backlog, (!others.is_empty()).then_some(open))
}

#[derive(Debug, Clone, Default)]
pub(super) struct BacklogMetrics {
    open: Family<Labels, Gauge>,
    ages: Family<Labels, Age>,
    /// Over all subscriptions; no number while it is not known.
    age: Age,
    store: Gauge,
    overflows: Family<OverflowLabels, Counter>,
}

impl BacklogMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "backlog_deliveries",
            "Open deliveries by subscription; the shortest backlogs are summed up when there are very many",
            metrics.open.clone(),
        );
        registry.register_with_unit(
            "backlog_oldest_age",
            "How long ago the oldest open delivery was made, by subscription; 0 without one. Of hundreds of open \
             deliveries whose oldest have ended it may be some more",
            Unit::Seconds,
            metrics.ages.clone(),
        );
        registry.register_with_unit(
            "oldest_delivery_age",
            "How long ago the oldest open delivery of all subscriptions was made; 0 without one",
            Unit::Seconds,
            metrics.age.clone(),
        );
        registry.register(
            "backlog_overflow",
            "What full backlogs had no room for, by subscription and by what became of it",
            metrics.overflows.clone(),
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
        self.clear();
        self.store.set(0);
    }

    /// Sets the gauges to these; those of other subscriptions go. `age` is that of the oldest of all.
    pub(super) fn set(&self, backlogs: Vec<Backlog>, others: Option<u64>, age: Duration) {
        self.store.set(1);
        self.clear();
        self.age.set(age.as_secs_f64());
        let set = |subscription: String, open: u64| {
            let gauge = self.open.get_or_create_owned(&Labels { subscription });
            gauge.set(i64::try_from(open).unwrap_or(i64::MAX));
        };
        for Backlog { subscription, open, age } in backlogs {
            let labels = Labels { subscription: subscription.clone() };
            self.ages.get_or_create_owned(&labels).set(age.as_secs_f64());
            set(subscription, open);
        }
        if let Some(open) = others {
            set(OTHERS.to_owned(), open);
        }
    }

    /// Sets the counters to these; beyond so many subscriptions they are counted together.
    pub(super) fn count(&self, overflows: Vec<(String, OverflowCounts)>) {
        self.overflows.clear();
        for (place, (subscription, counts)) in overflows.into_iter().enumerate() {
            let subscription = if place < LABELS { subscription } else { OTHERS.to_owned() };
            for (overflow, count) in counts.each() {
                if count > 0 {
                    let labels = OverflowLabels { subscription: subscription.clone(), full: overflow.word() };
                    self.overflows.get_or_create_owned(&labels).inc_by(count);
                }
            }
        }
    }

    fn clear(&self) {
        self.open.clear();
        self.ages.clear();
        self.age.set(f64::NAN);
    }
}
