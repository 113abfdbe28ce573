//! Attempts, from the endpoint to their record.

use super::Driver;
use crate::delivery::endpoint::{AttemptFailure, Attempted};
use crate::delivery::exchange::lease_of;
use crate::delivery::report;
use crate::fault::fault_point;
use crate::store::{LeasedDelivery, Settlement};
use anglerfish_core::config::DeliveryConfig;
use anglerfish_core::delivery::{AttemptId, Now, SubscriptionKey, Work, WorkLease};
use anglerfish_core::policy::{AttemptOutcome, Settled};
use anglerfish_core::request::UnixMillis;
use std::time::Duration;
use tokio::task::{self, AbortHandle, JoinError};
use tracing::Instrument;

/// An attempt under way.
pub(super) struct Running {
    pub(super) attempt: AttemptId,
    pub(super) abort: AbortHandle,
    key: SubscriptionKey,
    /// How many attempts were made before.
    before: u32,
    started: UnixMillis,
    /// The same by the time that passes.
    begun: Duration,
}

/// An attempt that ended.
pub(super) struct Report {
    pub(super) key: SubscriptionKey,
    before: u32,
    stage: Stage,
}

enum Stage {
    /// The engine has not said yet what follows.
    Ended(Attempted),
    /// It is to be recorded, and kept until it is: the store may be out of reach.
    Settled(Settlement),
}

impl Driver {
    pub(super) fn start_attempt(
        &mut self,
        now: Now,
        key: SubscriptionKey,
        attempt: AttemptId,
        work: Work<LeasedDelivery>,
        policy: &DeliveryConfig,
    ) {
        let (before, timeout, delivery) = (work.before, policy.timeout, work.payload);
        let started = now.wall;
        // Meanwhile it may have been dropped for a newer one, or made due by hand.
        if !self.around.store.begin(lease_of(work.lease), started, before) {
            self.around.roster.end([work.lease]);
            self.engine.handle_unmade(now, attempt, true);
            return;
        }
        let endpoint = self.slots.endpoint(key, now.elapsed);
        let span = tracing::debug_span!(
            "attempt",
            subscription = delivery.subscription,
            delivery = %delivery.id,
            event = delivery.event.id,
        );
        let future = async move {
            fault_point("attempt");
            match endpoint {
                Some(endpoint) => endpoint.attempt(delivery, timeout).await,
                None => Attempted::internal(started),
            }
        };
        let abort = self.running.spawn(future.instrument(span));
        self.tasks.insert(abort.id(), Running { attempt, abort, key, before, started, begun: now.elapsed });
        self.show_running(key);
    }

    pub(super) fn handle_ended(&mut self, now: Now, ended: Result<(task::Id, Attempted), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(Running { attempt, key, before, started, begun, .. }) = self.tasks.remove(&id) else {
            return;
        };
        let attempted = match ended {
            Ok((_, attempted)) => attempted,
            Err(error) if error.is_cancelled() => {
                let attempted = Attempted::interrupted(started, now.elapsed.saturating_sub(begun));
                self.reports.insert(attempt, Report { key, before, stage: Stage::Ended(attempted) });
                self.engine.handle_cancelled(now, attempt);
                if !self.engine.has_attempt(attempt) {
                    self.reports.remove(&attempt);
                }
                self.show_running(key);
                return;
            }
            Err(error) => {
                tracing::error!(%error, "an attempt broke down");
                Attempted::internal(started)
            }
        };
        if attempted.failure == Some(AttemptFailure::Withdrawn) {
            self.engine.handle_unmade(now, attempt, false);
            self.show_running(key);
            return;
        }
        if attempted.is_joined {
            self.engine.handle_joined(attempt);
        }
        let outcome = attempted.outcome();
        self.engine.handle_attempted(now, attempt, outcome);
        if outcome == AttemptOutcome::Local {
            let error = attempted.error.as_deref().unwrap_or_default();
            self.around.metrics.local_error();
            if let Some(count) = self.local_errors.note(now.elapsed, cause(error)) {
                tracing::warn!(
                    error,
                    count,
                    "attempts cannot be made on this machine now; they are not counted"
                );
            }
        } else {
            self.reports.insert(attempt, Report { key, before, stage: Stage::Ended(attempted) });
        }
        self.show_running(key);
    }

    /// Puts a record into the next batch; the first time it is also counted and told.
    pub(super) fn add_record(
        &mut self,
        attempt: AttemptId,
        lease: WorkLease,
        settled: Settled,
        planned: UnixMillis,
    ) {
        let Some(Report { key, before, stage }) = self.reports.remove(&attempt) else { return };
        let settlement = match stage {
            Stage::Settled(settlement) => settlement,
            Stage::Ended(attempted) => {
                let record = attempted.record(settled == Settled::Delivered);
                if let Some(slot) = self.slots.get(key) {
                    slot.metrics(&self.around.metrics).ended(settled, record.duration);
                    let number = before.saturating_add(1);
                    report::settled(&slot.name, lease.delivery, number, &record, settled, planned);
                }
                Settlement { lease: lease_of(lease), attempt: record, settled, now: planned }
            }
        };
        self.batch.push((attempt, settlement.clone()));
        self.reports.insert(attempt, Report { key, before, stage: Stage::Settled(settlement) });
    }

    fn show_running(&mut self, key: SubscriptionKey) {
        let count = self.engine.running(key);
        if let Some(slot) = self.slots.get(key) {
            slot.metrics(&self.around.metrics).running(count);
        }
    }
}

/// The words of an error that name nobody: what stands in front of them differs with each endpoint.
fn cause(error: &str) -> &str {
    error.rsplit_once(": ").map_or(error, |(_, cause)| cause)
}
