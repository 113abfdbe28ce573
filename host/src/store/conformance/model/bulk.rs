//! Jobs: one step after the other.

use super::*;
use crate::store::{
    Job, JobAction, JobId, JobItem, JobQuery, JobState, JobStep, JobStepped, JobStore, JobWork, NewJob,
    Retryable,
};

impl State {
    pub(super) fn add_job(&mut self, new: NewJob) -> Job {
        let NewJob { work, after, last, follows, created } = new;
        let newest = match work {
            JobWork::Retry { .. } => self.last.1,
            JobWork::Replay { .. } | JobWork::Start { .. } | JobWork::CatchUp { .. } => self.last.0,
        };
        let last = last.map_or(newest, |last| last.min(newest));
        let is_done = after >= last && !follows;
        let job = Job {
            id: JobId(self.jobs.len() as i64 + 1),
            work,
            state: if is_done { JobState::Finished } else { JobState::Running },
            reason: None,
            created,
            ended: is_done.then_some(created),
            first: after,
            place: after,
            last,
            follows,
            left: None,
            newest: DeliveryId(self.last.1),
            examined: 0,
            done: 0,
            failed: 0,
        };
        self.jobs.insert(job.id, job.clone());
        job
    }

    /// Whether an event stays in the log for a subscription; if it is the first, a job is made that catches up.
    pub(super) fn holds_back(&mut self, subscription: &str, seq: EventSeq, now: UnixMillis) -> bool {
        if self.abandoned.contains_key(subscription) {
            return false;
        }
        let work = JobWork::CatchUp { subscription: subscription.to_owned() };
        if !self.jobs.values().any(|job| job.state == JobState::Running && job.work == work) {
            let pauses = self.bounds.get(subscription).is_some_and(|bound| bound.full == Overflow::Pause);
            let size = self.events[&seq].0.data.len() as u64;
            if !pauses || self.surplus(subscription, size).is_none() {
                return false;
            }
            self.add_job(NewJob { work, after: seq.0 - 1, last: None, follows: true, created: now });
            self.made_jobs.send_modify(|count| *count += 1);
        }
        self.overflows.entry(subscription.to_owned()).or_default().held += 1;
        true
    }

    /// Behind which position of the log nothing may go.
    pub(super) fn awaited(&self) -> Option<EventSeq> {
        let running = self.jobs.values().filter(|job| job.state == JobState::Running);
        let behind = running.filter(|job| matches!(job.work, JobWork::CatchUp { .. }));
        behind.map(|job| EventSeq(job.place)).min()
    }

    pub(super) fn cancel_jobs_of(&mut self, subscription: &str, reason: &str, now: UnixMillis, all: bool) {
        for job in self.jobs.values_mut() {
            let is_own = matches!(job.work, JobWork::CatchUp { .. });
            if job.state == JobState::Running
                && job.work.subscription() == Some(subscription)
                && (all || !is_own)
            {
                (job.state, job.reason) = (JobState::Cancelled, Some(reason.to_owned()));
                job.ended = Some(now);
            }
        }
    }

    fn may_open(&self, subscription: &str, seq: EventSeq, most: u64) -> bool {
        let size = self.events[&seq].0.data.len() as u64;
        self.open(subscription) < most && self.surplus(subscription, size).is_none()
    }

    /// Whether it was done; `Err` if there is no room for this subscription.
    fn act(&mut self, job: &Job, step: &JobStep, item: &JobItem) -> Result<Option<String>, String> {
        match &item.action {
            JobAction::Fail => Ok(None),
            JobAction::Retry(id) => {
                let JobWork::Retry { status, .. } = &job.work else { return Ok(None) };
                let Some(row) = self.deliveries.get(id) else { return Ok(None) };
                let (subscription, seq) = (row.delivery.subscription.clone(), row.delivery.seq);
                if row.delivery.status != *status {
                    return Ok(None);
                }
                if !row.is_open() && !self.may_open(&subscription, seq, step.most_open) {
                    return Err(subscription);
                }
                Ok((self.reopen(*id, step.now) == Retried::Due).then_some(subscription))
            }
            JobAction::Deliver { seq, subscription, lane, unless_after } => {
                let same = |row: &Row| {
                    row.delivery.seq == *seq
                        && row.delivery.subscription == *subscription
                        && unless_after.is_some_and(|after| row.delivery.id > after)
                };
                if !self.events.contains_key(seq) || self.deliveries.values().any(same) {
                    return Ok(None);
                }
                if !self.may_open(subscription, *seq, step.most_open) {
                    return Err(subscription.clone());
                }
                let bounds = std::mem::take(&mut self.bounds);
                let id = self.deliver(*seq, subscription, step.now, lane.clone());
                self.bounds = bounds;
                let is_again = matches!(job.work, JobWork::Replay { missing: false, .. });
                self.deliveries.get_mut(&id).unwrap().outlived = is_again;
                Ok(self.deliveries[&id].is_open().then(|| subscription.clone()))
            }
        }
    }
}

#[async_trait]
impl JobStore for ModelStore {
    async fn add_job(&self, job: NewJob) -> Result<Job, StoreError> {
        Ok(self.state().add_job(job))
    }

    async fn jobs(&self, query: JobQuery) -> Result<Page<Job>, StoreError> {
        let state = self.state();
        let wanted = |job: &&Job| {
            query.state.is_none_or(|state| job.state == state)
                && query.cursor.is_none_or(|cursor| job.id < cursor)
        };
        Ok(page(state.jobs.values().rev().filter(wanted).cloned().collect(), query.limit))
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.state().jobs.get(&id).cloned())
    }

    async fn retryable(&self, job: &Job, limit: usize) -> Result<Retryable, StoreError> {
        let state = self.state();
        let JobWork::Retry { status, subscription, since, until } = &job.work else { panic!("no retry") };
        let wanted = |row: &&Row| {
            let Row { delivery, planned, .. } = row;
            delivery.status == *status
                && subscription.as_ref().is_none_or(|id| *id == delivery.subscription)
                && since.is_none_or(|since| delivery.created.0 >= since)
                && until.is_none_or(|until| delivery.created.0 < until)
                && delivery.ended.unwrap_or(*planned) <= job.created
                && (job.place + 1..=job.last).contains(&delivery.id.0)
        };
        let found: Vec<_> = state.deliveries.values().filter(wanted).take(limit + 1).collect();
        let is_cut = found.len() > limit;
        let found = &found[..found.len().min(limit)];
        let to = found.last().filter(|_| is_cut).map_or(job.last, |row| row.delivery.id.0);
        let deliveries = found.iter().zip(1..);
        let deliveries =
            deliveries.map(|(row, count)| (row.delivery.id, row.delivery.subscription.clone(), count));
        Ok(Retryable { deliveries: deliveries.collect(), to, examined: found.len() as u64 })
    }

    fn made_jobs(&self) -> watch::Receiver<u64> {
        self.state().made_jobs.subscribe()
    }

    async fn step(&self, step: JobStep) -> Result<JobStepped, StoreError> {
        let mut state = self.state();
        let Some(mut job) = state.jobs.get(&step.job).cloned() else { return Ok(JobStepped::Stale) };
        if job.state != JobState::Running || job.place != step.from {
            return Ok(JobStepped::Stale);
        }
        let (mut subscriptions, mut full) = (BTreeSet::new(), None);
        let (mut to, mut examined) = (step.to, step.examined);
        for item in &step.items {
            match state.act(&job, &step, item) {
                Ok(Some(subscription)) => {
                    job.done += 1;
                    subscriptions.insert(subscription);
                }
                Ok(None) => job.failed += u64::from(item.action == JobAction::Fail),
                Err(subscription) => {
                    full = Some(subscription);
                    if job.work.subscription().is_some() {
                        (to, examined) = (item.place - 1, item.examined - 1);
                        break;
                    }
                    job.left = Some(job.left.unwrap_or(item.place).min(item.place));
                }
            }
        }
        (job.place, job.examined) = (to, job.examined + examined);
        if let Some(last) = step.last {
            (job.last, job.follows) = (last, false);
        }
        if let JobWork::CatchUp { .. } = job.work {
            job.last = state.last.0;
            job.follows = job.place < job.last;
        }
        if job.place >= job.last && !job.follows {
            match job.left.take() {
                Some(left) => job.place = left - 1,
                None => (job.state, job.ended) = (JobState::Finished, Some(step.now)),
            }
        }
        state.jobs.insert(job.id, job.clone());
        let job = Box::new(job);
        Ok(JobStepped::Stepped { job, subscriptions: subscriptions.into_iter().collect(), full })
    }

    async fn end_job(
        &self,
        id: JobId,
        ended: JobState,
        reason: &str,
        now: UnixMillis,
    ) -> Result<Option<Job>, StoreError> {
        let mut state = self.state();
        let Some(job) = state.jobs.get_mut(&id) else { return Ok(None) };
        if job.state == JobState::Running {
            (job.state, job.reason, job.ended) = (ended, Some(reason.to_owned()), Some(now));
        }
        Ok(Some(job.clone()))
    }
}
