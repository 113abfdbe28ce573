//! Metrics of jobs.

use crate::store::{Job, JobState, JobWork};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    kind: &'static str,
    state: &'static str,
}

fn of(work: &JobWork) -> KindLabels {
    KindLabels { kind: work.kind() }
}

/// Metrics of jobs. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct JobMetrics {
    running: Family<KindLabels, Gauge>,
    waiting: Family<KindLabels, Gauge>,
    steps: Family<KindLabels, Counter>,
    deliveries: Family<KindLabels, Counter>,
    failures: Family<KindLabels, Counter>,
    ended: Family<EndLabels, Counter>,
    errors: Counter,
}

impl JobMetrics {
    /// Adds the metrics to the registry, all of them at 0.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { running, waiting, steps, deliveries, failures, ended, errors } = &metrics;
        registry.register("jobs_running", "Jobs that have steps to do, by kind", running.clone());
        registry.register(
            "jobs_waiting",
            "Of these, those that can do nothing now: a backlog has no room, as a rule",
            waiting.clone(),
        );
        registry.register("job_steps", "Steps of jobs that were done, each one transaction", steps.clone());
        registry.register("job_deliveries", "Deliveries that jobs made, or made due", deliveries.clone());
        registry.register(
            "job_filter_failures",
            "Events on which the filter failed, so that a job made no delivery of them",
            failures.clone(),
        );
        registry.register("jobs_ended", "Jobs that ended, by kind and by how", ended.clone());
        registry.register(
            "job_store_errors",
            "Times that jobs could not go on because of the store",
            errors.clone(),
        );
        for kind in JobWork::KINDS {
            let labels = KindLabels { kind };
            running.get_or_create_owned(&labels);
            waiting.get_or_create_owned(&labels);
            steps.get_or_create_owned(&labels);
            deliveries.get_or_create_owned(&labels);
            failures.get_or_create_owned(&labels);
            for state in [JobState::Finished, JobState::Cancelled, JobState::Failed] {
                ended.get_or_create_owned(&EndLabels { kind, state: state.word() });
            }
        }
        metrics
    }

    /// So many run, and so many of them can do nothing now.
    pub(super) fn watch<'a>(&self, running: impl Iterator<Item = (&'a JobWork, bool)>) {
        let mut counts = JobWork::KINDS.map(|kind| (kind, 0, 0));
        for (work, waits) in running {
            if let Some((_, running, waiting)) = counts.iter_mut().find(|(kind, ..)| *kind == work.kind()) {
                *running += 1;
                *waiting += i64::from(waits);
            }
        }
        for (kind, running, waiting) in counts {
            let labels = KindLabels { kind };
            self.running.get_or_create_owned(&labels).set(running);
            self.waiting.get_or_create_owned(&labels).set(waiting);
        }
    }

    /// A step led from one state of a job to another.
    pub(super) fn step(&self, before: &Job, now: &Job) {
        let labels = of(&now.work);
        self.steps.get_or_create_owned(&labels).inc();
        self.deliveries.get_or_create_owned(&labels).inc_by(now.done.saturating_sub(before.done));
        self.failures.get_or_create_owned(&labels).inc_by(now.failed.saturating_sub(before.failed));
        if now.state != JobState::Running {
            self.end(&now.work, now.state);
        }
    }

    /// A job ended like this.
    pub(super) fn end(&self, work: &JobWork, state: JobState) {
        self.ended.get_or_create_owned(&EndLabels { kind: work.kind(), state: state.word() }).inc();
    }

    /// The store could not be used.
    pub(super) fn fail(&self) {
        self.errors.inc();
    }
}
