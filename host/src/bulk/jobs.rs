//! The jobs, and the one who does their steps.

use super::step::{Halt, Stepper};
use super::{JobError, JobMetrics};
use crate::clock::WallClock;
use crate::store::{Job, JobId, JobQuery, JobState, JobStepped, JobWork, NewJob, Store, StoreError};
use crate::subscription::Subscriptions;
use anglerfish_core::request::UnixMillis;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many jobs that somebody asked for may run at once.
const MOST_RUNNING: usize = 100;

/// How many jobs are read at once.
const PAGE: usize = 500;

/// The shortest and the longest time that a job waits which can do nothing now.
const WAIT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// The longest pause between two rounds of steps. A round is followed by a pause as long as itself: the store's writer and
/// the engine have at least half of their time for what comes new.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How long nothing is looked at while no job runs. Whoever makes one says so.
const REST: Duration = Duration::from_secs(60);

/// What cancels a job.
const BY_HAND: &str = "somebody cancelled it";

/// The jobs of a gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Jobs {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    subscriptions: Subscriptions,
    metrics: JobMetrics,
    clock: WallClock,
    made: Notify,
    /// What the jobs wait for that can do nothing now.
    waits: Mutex<BTreeMap<JobId, String>>,
}

/// When a job has its next turn.
#[derive(Debug, Clone, Copy)]
struct Turn {
    at: Instant,
    wait: Duration,
}

impl fmt::Debug for Jobs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Jobs").finish_non_exhaustive()
    }
}

impl Jobs {
    /// Those of this store.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        subscriptions: Subscriptions,
        metrics: JobMetrics,
        clock: WallClock,
    ) -> Self {
        let (made, waits) = (Notify::new(), Mutex::default());
        let shared = Shared { store, subscriptions, metrics, clock, made, waits };
        Self { shared: Arc::new(shared) }
    }

    /// Makes a job, which begins at once.
    ///
    /// # Errors
    ///
    /// Too many run, or it cannot be written down.
    pub async fn add(&self, job: NewJob) -> Result<Job, JobError> {
        let running = self.running().await?;
        let by_hand = running.iter().filter(|job| !job.work.is_own()).count();
        if by_hand >= MOST_RUNNING {
            return Err(JobError::TooMany(by_hand));
        }
        let job = self.shared.store.add_job(job).await?;
        let (kind, subscription) = (job.work.kind(), job.work.subscription());
        tracing::info!(job = %job.id, kind, subscription, "job made");
        self.shared.made.notify_one();
        Ok(job)
    }

    /// Ends a job. What it has done stays done.
    ///
    /// # Errors
    ///
    /// There is none, it has ended already, or that cannot be written down.
    pub async fn cancel(&self, id: JobId, now: UnixMillis) -> Result<Job, JobError> {
        let store = &self.shared.store;
        let Some(job) = store.job(id).await? else { return Err(JobError::Unknown(id)) };
        if job.state != JobState::Running {
            return Err(JobError::Ended(Box::new(job)));
        }
        match store.end_job(id, JobState::Cancelled, BY_HAND, now).await? {
            None => Err(JobError::Unknown(id)),
            // It may have come to its end in the meantime.
            Some(job) if job.state != JobState::Cancelled => Err(JobError::Ended(Box::new(job))),
            Some(job) => {
                self.waits().remove(&id);
                self.shared.metrics.end(&job.work, job.state);
                // What runs is counted anew.
                self.shared.made.notify_one();
                tracing::info!(job = %id, "job cancelled");
                Ok(job)
            }
        }
    }

    /// The job that gives a subscription what stayed in the log for it, if there is one.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn catching_up(&self, subscription: &str) -> Result<Option<Job>, StoreError> {
        let is_it =
            |job: &Job| matches!(&job.work, JobWork::CatchUp { subscription: id } if id == subscription);
        Ok(self.running().await?.into_iter().find(is_it))
    }

    /// What a job waits for that can do nothing now.
    #[must_use]
    pub fn waits_for(&self, id: JobId) -> Option<String> {
        self.waits().get(&id).cloned()
    }

    /// Does the steps of all jobs until it is dropped. A step that is dropped half-way is done whole or not at all.
    pub async fn run(self) {
        let mut turns: HashMap<JobId, Turn> = HashMap::new();
        let mut made = self.shared.store.made_jobs();
        loop {
            let begun = Instant::now();
            let pause = match self.round(&mut turns).await {
                Ok(true) => begun.elapsed().clamp(Duration::from_millis(1), LONGEST_PAUSE),
                Ok(false) => self.until_next(&turns),
                Err(error) => {
                    self.shared.metrics.fail();
                    tracing::warn!(%error, "jobs cannot go on now");
                    WAIT.1
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shared.made.notified() => {}
                // Fails when the store has ended, and everything ends.
                Ok(()) = made.changed() => {}
                () = self.shared.subscriptions.begun() => {}
            }
        }
    }

    fn until_next(&self, turns: &HashMap<JobId, Turn>) -> Duration {
        let next = turns.values().map(|turn| turn.at).min();
        next.map_or(REST, |next| next.saturating_duration_since(Instant::now()).max(WAIT.0))
    }

    /// A step of each job whose turn it is. Says whether one of them came forward.
    async fn round(&self, turns: &mut HashMap<JobId, Turn>) -> Result<bool, StoreError> {
        let running = self.running().await?;
        turns.retain(|id, _| running.iter().any(|job| job.id == *id));
        self.waits().retain(|id, _| running.iter().any(|job| job.id == *id));
        {
            let waits = self.waits();
            let waits = running.iter().map(|job| (&job.work, waits.contains_key(&job.id)));
            self.shared.metrics.watch(waits);
        }
        let mut came_forward = false;
        for job in running {
            let turn = turns.get(&job.id).copied();
            if turn.is_some_and(|turn| turn.at > Instant::now()) {
                continue;
            }
            let id = job.id;
            match self.step(job, turn.is_some()).await? {
                // It has come forward, and nothing holds it up.
                None => {
                    came_forward = true;
                    turns.remove(&id);
                    self.waits().remove(&id);
                }
                Some((reason, moved)) => {
                    let longer = turn.map_or(WAIT.0, |turn| (turn.wait * 2).min(WAIT.1));
                    let wait = if moved { WAIT.0 } else { longer };
                    turns.insert(id, Turn { at: Instant::now() + wait, wait });
                    self.waits().insert(id, reason);
                }
            }
        }
        Ok(came_forward)
    }

    /// One step, a short one where the last one was held up. Says what holds the job up, if something does, and whether
    /// something was done all the same.
    async fn step(&self, job: Job, is_short: bool) -> Result<Option<(String, bool)>, StoreError> {
        let Shared { store, subscriptions, clock, .. } = &*self.shared;
        let stepper = Stepper { store: &**store, subscriptions, is_short };
        let step = match stepper.prepare(&job, clock.now()).await {
            Ok(step) => step,
            Err(Halt::Wait(reason)) => return Ok(Some((reason, false))),
            Err(Halt::End(reason)) => {
                tracing::warn!(job = %job.id, reason, "a job cannot go on");
                store.end_job(job.id, JobState::Failed, &reason, clock.now()).await?;
                self.shared.metrics.end(&job.work, JobState::Failed);
                return Ok(None);
            }
            Err(Halt::Store(error)) => return Err(error),
        };
        let named = step.subscriptions();
        let stepped = store.step(step).await.inspect_err(|_| {
            // A store that is far away may have done what it could not confirm.
            named.iter().for_each(|subscription| subscriptions.wake(subscription));
        });
        let JobStepped::Stepped { job: now, subscriptions: touched, full } = stepped? else {
            // It was cancelled meanwhile.
            return Ok(None);
        };
        self.shared.metrics.step(&job, &now);
        for subscription in &touched {
            subscriptions.wake(subscription);
        }
        if now.state == JobState::Finished {
            let Job { id, examined, done, failed, .. } = &*now;
            tracing::info!(job = %id, examined, done, failed, "job finished");
            return Ok(None);
        }
        Ok(full.map(|id| {
            let reason = format!("subscription `{id}` has as many open deliveries as it may; they go first");
            (reason, now.done > job.done)
        }))
    }

    /// All jobs that run, oldest first.
    async fn running(&self) -> Result<Vec<Job>, StoreError> {
        let mut jobs = Vec::new();
        let mut query = JobQuery { state: Some(JobState::Running), cursor: None, limit: PAGE };
        loop {
            let page = self.shared.store.jobs(query.clone()).await?;
            query.cursor = page.items.last().map(|job| job.id);
            jobs.extend(page.items);
            if !page.more {
                jobs.reverse();
                return Ok(jobs);
            }
        }
    }

    fn waits(&self) -> MutexGuard<'_, BTreeMap<JobId, String>> {
        self.shared.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
