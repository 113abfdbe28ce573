//! What a job does next.

use crate::store::{
    DeliveryId, EventSeq, Job, JobAction, JobItem, JobStep, JobWork, LogEntry, LogPart, Store, StoreError,
};
use crate::subscription::{PastEvent, Subscriptions};
use anglerfish_core::config::SubscriptionConfig;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::{DOCUMENTS_SOURCE, holding_key};
use anglerfish_core::router::{RESOURCE_ATTRIBUTE, document_lane};
use std::time::Duration;

/// How many deliveries of a subscription may be open for a job to make more. What comes new waits behind no more of them.
const MOST_OPEN: u64 = 1000;

/// How many entries a step reads at most, and with how many bytes of data.
const ENTRIES: (usize, usize) = (200, 4 << 20);

/// How many deliveries a step looks at.
const DELIVERIES: usize = 500;

/// How long a new subscription's job follows the log: longer than a decision that was made before the subscription was in
/// the routing table takes to be committed.
const FOLLOWING: Duration = Duration::from_secs(10);

/// Why there is no step.
#[derive(Debug)]
pub(super) enum Halt {
    /// Nothing can be done now, and why.
    Wait(String),
    /// Nothing can be done any more, and why.
    End(String),
    /// The store cannot be read.
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What makes steps ready.
pub(super) struct Stepper<'s> {
    pub(super) store: &'s dyn Store,
    pub(super) subscriptions: &'s Subscriptions,
    /// Whether one entry is enough to see whether it goes on.
    pub(super) is_short: bool,
}

impl Stepper<'_> {
    /// The next step of a job.
    pub(super) async fn prepare(&self, job: &Job, now: UnixMillis) -> Result<JobStep, Halt> {
        let age = Duration::from_millis(now.0.saturating_sub(job.created.0));
        let config = match job.work.subscription() {
            Some(id) => Some(self.config(id, age, &job.work)?),
            None => None,
        };
        let mut step = JobStep {
            job: job.id,
            from: job.place,
            to: job.place,
            examined: 0,
            items: Vec::new(),
            // Where a backlog has a bound of its own, what catches up goes by that: nothing new stands behind it.
            most_open: match (&job.work, &config) {
                (JobWork::CatchUp { .. }, Some(config)) if config.delivery.backlog.is_some() => u64::MAX,
                _ => MOST_OPEN,
            },
            last: None,
            now,
        };
        if let JobWork::Retry { .. } = &job.work {
            self.retry(job, &mut step).await?;
            return Ok(step);
        }
        let last = if job.follows { self.store.head().borrow().0 } else { job.last };
        // One that catches up ends where the store says, however long that takes.
        let is_start = job.follows && matches!(job.work, JobWork::Start { .. });
        if is_start && age >= FOLLOWING {
            step.last = Some(last);
        }
        if job.place >= last {
            if is_start && step.last.is_none() {
                return Err(Halt::Wait("it follows the log for a few seconds".into()));
            }
            return Ok(step);
        }
        self.replay(job, last, config.as_ref(), &mut step).await?;
        Ok(step)
    }

    fn config(&self, id: &str, age: Duration, work: &JobWork) -> Result<SubscriptionConfig, Halt> {
        match self.subscriptions.get(id) {
            // Its open deliveries wait for it too; if they did not, the job would have ended with them.
            None if matches!(work, JobWork::CatchUp { .. }) => {
                Err(Halt::Wait(format!("subscription `{id}` is not there now")))
            }
            // It is made together with its job, and a moment later in use.
            None if age < FOLLOWING => Err(Halt::Wait(format!("subscription `{id}` is not in use yet"))),
            None => Err(Halt::End(format!("there is no subscription `{id}`"))),
            Some(entry) if entry.is_stream() => {
                Err(Halt::End(format!("nothing is delivered to subscription `{id}`: it is a stream")))
            }
            Some(entry) => match entry.config() {
                Some(config) => Ok(config.clone()),
                None => Err(Halt::Wait(format!("subscription `{id}` cannot be used as it is stored"))),
            },
        }
    }

    async fn retry(&self, job: &Job, step: &mut JobStep) -> Result<(), Halt> {
        let found = self.store.retryable(job, DELIVERIES).await?;
        (step.to, step.examined) = (found.to, found.examined);
        // Those of a subscription that is gone stay as they are.
        let there = found.deliveries.into_iter().filter(|(_, id, _)| self.subscriptions.get(id).is_some());
        step.items = there
            .map(|(id, _, examined)| JobItem { place: id.0, examined, action: JobAction::Retry(id) })
            .collect();
        Ok(())
    }

    async fn replay(
        &self,
        job: &Job,
        last: i64,
        config: Option<&SubscriptionConfig>,
        step: &mut JobStep,
    ) -> Result<(), Halt> {
        let most = if self.is_short { 1 } else { ENTRIES.0 };
        let entries = match self.store.read(EventSeq(job.place), most, ENTRIES.1).await? {
            LogPart::Entries(entries) => entries,
            LogPart::Gap { oldest } => {
                step.to = (oldest.0 - 1).min(last);
                return Ok(());
            }
        };
        step.to = entries.last().map_or(last, |entry| entry.seq.0.min(last));
        for entry in entries.into_iter().filter(|entry| entry.seq.0 <= last) {
            step.examined += 1;
            let place = entry.seq.0;
            for action in self.actions(job, config, entry).await? {
                step.items.push(JobItem { place, examined: step.examined, action });
            }
        }
        Ok(())
    }

    /// What is to be done about an entry.
    async fn actions(
        &self,
        job: &Job,
        config: Option<&SubscriptionConfig>,
        entry: LogEntry,
    ) -> Result<Vec<JobAction>, Halt> {
        let mut unless_after = None;
        match &job.work {
            JobWork::Retry { .. } => return Ok(Vec::new()),
            // Nothing of what has a delivery, whenever that was made.
            JobWork::Start { .. } | JobWork::CatchUp { .. } => unless_after = Some(DeliveryId(0)),
            JobWork::Replay { source, kind, missing, .. } => {
                let differs =
                    |wanted: &Option<String>, is: &str| wanted.as_ref().is_some_and(|one| one != is);
                if differs(source, &entry.event.source) || differs(kind, &entry.event.kind) {
                    return Ok(Vec::new());
                }
                if *missing {
                    unless_after = Some(DeliveryId(0));
                }
            }
        }
        match config {
            Some(config) => Ok(self.decide(config, entry, unless_after).await?.into_iter().collect()),
            None => {
                let (there, _) = self.subscriptions.recipients(entry.seq).await?;
                // Where some were left for later, the others are not to get it twice.
                let (seq, unless_after) = (entry.seq, Some(job.newest));
                Ok(there
                    .into_iter()
                    .map(|subscription| JobAction::Deliver { seq, subscription, lane: None, unless_after })
                    .collect())
            }
        }
    }

    /// Whether a subscription of a resource may have to be told of a document's change: then what it has was written down with that,
    /// and its delivery finds out what is news by now.
    fn owed(
        &self,
        subscription: &str,
        resource: &str,
        entry: &LogEntry,
        unless_after: Option<DeliveryId>,
    ) -> Result<Option<JobAction>, Halt> {
        let of_resource = entry.event.source == DOCUMENTS_SOURCE
            && entry.event.extensions.get(RESOURCE_ATTRIBUTE).is_some_and(|one| one == resource);
        let Some(url) = entry.event.subject.as_deref().filter(|_| of_resource) else { return Ok(None) };
        if self.store.key_reader()?.get(&holding_key(subscription, url))?.is_none() {
            return Ok(None);
        }
        Ok(Some(JobAction::Deliver {
            seq: entry.seq,
            subscription: subscription.to_owned(),
            lane: Some(Some(document_lane(url))),
            unless_after,
        }))
    }

    /// Whether a subscription wants an event now, as if it came in at this moment.
    async fn decide(
        &self,
        config: &SubscriptionConfig,
        entry: LogEntry,
        unless_after: Option<DeliveryId>,
    ) -> Result<Option<JobAction>, Halt> {
        if let Some(notification) = &config.notification {
            return self.owed(&config.id, &notification.resource, &entry, unless_after);
        }
        let names = config.sources.contains(&entry.event.source);
        if !names && (!config.sources.is_empty() || !entry.origin.is_for_all()) {
            return Ok(None);
        }
        let seq = entry.seq;
        let past = PastEvent {
            event: entry.event,
            headers: entry.request.unwrap_or_default().headers,
            data: entry.data,
            received: entry.received,
        };
        let routed = self.subscriptions.routing().route(past).await;
        let routed = routed.map_err(|error| Halt::Wait(error.to_string()))?;
        if routed.failures.iter().any(|failure| failure.subscription == config.id) {
            return Ok(Some(JobAction::Fail));
        }
        let intent = routed.intents.into_iter().find(|intent| intent.subscription == config.id);
        Ok(intent.map(|intent| JobAction::Deliver {
            seq,
            subscription: intent.subscription,
            lane: Some(intent.ordering_key),
            unless_after,
        }))
    }
}
