//! Sends messages of a passive subscription to its endpoint, as many as somebody asks for.

use super::registry::{PassiveRegistry, PassiveSettings};
use super::subscription::PassiveSubscription;
use crate::delivery::endpoint::{Attempted, Endpoint};
use crate::delivery::report;
use crate::store::{Lease, LeaseTerms, LeasedDelivery, Recorded, Settlement, StoreError};
use crate::subscription::{SendError, SendReport};
use anglerfish_core::delivery::Standing;
use anglerfish_core::policy::{Consequences, Past, Settled, classify};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long attempts are begun for one request. Those that run then go on to their end.
const BEGIN: Duration = Duration::from_secs(10);

/// How much longer a lease stands than an attempt can take.
const GRACE: Duration = Duration::from_mins(1);

/// How often a record is tried while the store has trouble, and how long between.
const RECORD_TRIES: u32 = 5;
const RECORD_PAUSE: Duration = Duration::from_secs(1);

/// Sends up to `quantity` messages that are due, those that wait longest first, up to `concurrency` at once; to the end,
/// also when nobody waits for the report any more.
///
/// # Errors
///
/// Why nothing was sent, or why what was sent could not be recorded.
pub(in crate::delivery) async fn send(
    registry: &Arc<PassiveRegistry>,
    name: &str,
    quantity: usize,
    concurrency: usize,
) -> Result<SendReport, SendError> {
    let subscription = registry.get(name).ok_or(SendError::NotPassive)?;
    let settings = subscription.shared.settings();
    if !settings.has_endpoint {
        return Err(SendError::NoEndpoint);
    }
    if registry.roster.standing(name).standing != Standing::Active {
        return Err(SendError::Stopped);
    }
    let sending = Arc::clone(&subscription.shared.sending);
    let turn = sending.try_lock_owned().map_err(|_| SendError::Running)?;
    let endpoint = (settings.settings.endpoint)().ok_or(SendError::NoEndpoint)?;
    let (abort, registry) = (registry.abort.clone(), Arc::clone(registry));
    let (tasks, runtime) = (registry.tasks.clone(), registry.runtime.clone());
    let sender = Sender { registry, subscription, settings, endpoint, report: SendReport::default() };
    let work = async move {
        let _turn = turn;
        // What is broken off is in the store under a lease with a deadline.
        tokio::select! {
            () = abort.cancelled() => Err(SendError::Ending),
            sent = sender.run(quantity, concurrency) => sent,
        }
    };
    tasks.spawn_on(work, &runtime).await.unwrap_or_else(|error| {
        tracing::error!(%error, "sending on demand broke down");
        Err(SendError::Store(StoreError::Internal("sending broke down; see the log".to_owned())))
    })
}

struct Sender {
    registry: Arc<PassiveRegistry>,
    subscription: PassiveSubscription,
    settings: Arc<PassiveSettings>,
    endpoint: Arc<dyn Endpoint>,
    report: SendReport,
}

/// An attempt that ended.
struct Ended {
    lease: Lease,
    past: Past,
    attempted: Attempted,
}

impl Sender {
    async fn run(mut self, quantity: usize, concurrency: usize) -> Result<SendReport, SendError> {
        let end = self.registry.clock.now().elapsed + BEGIN;
        let (mut begun, mut is_empty, mut trouble) = (0, false, None);
        let mut running: JoinSet<Ended> = JoinSet::new();
        loop {
            let room = concurrency.saturating_sub(running.len()).min(quantity - begun);
            if room > 0 && !is_empty && self.may_begin(end) && trouble.is_none() {
                match self.lease(room).await {
                    Ok(deliveries) => {
                        begun += deliveries.len();
                        is_empty = deliveries.is_empty();
                        for delivery in deliveries {
                            self.begin(&mut running, delivery);
                        }
                    }
                    Err(error) => trouble = Some(error),
                }
            }
            self.show(running.len());
            match running.join_next().await {
                Some(Ok(ended)) => {
                    if let Err(error) = self.record(ended).await {
                        trouble = Some(error);
                    }
                }
                Some(Err(error)) => tracing::error!(%error, "an attempt broke down"),
                // Nothing runs, and nothing more is begun.
                None if room == 0 || is_empty || trouble.is_some() || !self.may_begin(end) => break,
                None => {}
            }
        }
        match trouble {
            Some(error) => Err(error.into()),
            None => Ok(self.report),
        }
    }

    /// Whether another attempt may begin; the report says why not.
    fn may_begin(&mut self, end: Duration) -> bool {
        if self.report.stopped.is_none() {
            let name = &self.subscription.shared.name;
            self.report.stopped = if self.registry.clock.now().elapsed >= end {
                Some(format!("attempts are begun for {BEGIN:?} at most"))
            } else if self.registry.stop.is_cancelled() {
                Some("the gateway is stopping".to_owned())
            } else if self.registry.roster.standing(name).standing != Standing::Active {
                Some("the subscription was stopped meanwhile".to_owned())
            } else {
                None
            };
        }
        self.report.stopped.is_none()
    }

    async fn lease(&self, limit: usize) -> Result<Vec<LeasedDelivery>, StoreError> {
        let now = self.registry.clock.now().wall;
        let longest = self.settings.settings.policy.timeout + GRACE;
        let terms = LeaseTerms { until: now.after(longest), ..LeaseTerms::default() };
        Ok(self.registry.store.lease(&self.subscription.shared.name, now, limit, terms).await?.deliveries)
    }

    fn begin(&self, running: &mut JoinSet<Ended>, delivery: LeasedDelivery) {
        let (endpoint, timeout) = (Arc::clone(&self.endpoint), self.settings.settings.policy.timeout);
        let (lease, past) = (delivery.lease(), Past { before: delivery.attempts, created: delivery.created });
        let started = self.registry.clock.now().wall;
        running.spawn_on(
            async move {
                let attempt = tokio::spawn(async move { endpoint.attempt(delivery, timeout).await });
                let attempted = attempt.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "an attempt broke down");
                    Attempted::internal(started)
                });
                Ended { lease, past, attempted }
            },
            &self.registry.runtime,
        );
    }

    async fn record(&mut self, ended: Ended) -> Result<(), StoreError> {
        let Ended { lease, past, attempted } = ended;
        let now = self.registry.clock.now().wall;
        let policy = &self.settings.settings.policy;
        let random = self.registry.tokens.next().random();
        let Some(consequences) = classify(policy, attempted.outcome(), past, now, random) else {
            let error = attempted.error.unwrap_or_default();
            self.report.stopped = Some(format!("this machine cannot make attempts now: {error}"));
            return self.registry.store.release(&[lease]).await.map(drop);
        };
        let Consequences { settled, throttle, gone, is_own: _ } = consequences;
        if let Some(status) = attempted.status.filter(|_| throttle.is_some() || gone.is_some()) {
            self.report.stopped = Some(format!("the endpoint answered {status}"));
        }
        let attempt = attempted.record(settled == Settled::Delivered);
        let name = &self.subscription.shared.name;
        let metrics = self.registry.metrics.of(name);
        metrics.ended(settled, attempt.duration);
        report::settled(name, lease.delivery.0, past.before.saturating_add(1), &attempt, settled, now);
        let recorded = self.write(Settlement { lease, attempt, settled, now }).await?;
        if recorded != Recorded::Stale {
            *match settled {
                Settled::Delivered => &mut self.report.delivered,
                Settled::Discarded => &mut self.report.discarded,
                Settled::Retry(_) | Settled::Interrupted => &mut self.report.failed,
                Settled::Dead => &mut self.report.dead,
            } += 1;
        }
        Ok(())
    }

    /// Records an attempt that was made, also where the store has trouble for a while.
    async fn write(&self, settlement: Settlement) -> Result<Recorded, StoreError> {
        let mut tries = 1;
        loop {
            match self.registry.store.record(vec![settlement.clone()]).await {
                Ok(recorded) => return Ok(recorded.first().copied().unwrap_or(Recorded::Stale)),
                Err(StoreError::Unavailable(error)) if tries < RECORD_TRIES => {
                    tracing::warn!(error, "an attempt cannot be recorded now; it is tried again");
                    tries += 1;
                    let again = self.registry.clock.now().elapsed + RECORD_PAUSE;
                    tokio::time::sleep_until(self.registry.clock.at(again)).await;
                }
                Err(error) => {
                    self.registry.metrics.store_failed();
                    return Err(error);
                }
            }
        }
    }

    fn show(&self, running: usize) {
        self.registry.metrics.of(&self.subscription.shared.name).running(running);
    }
}
