//! A model of jobs: work on many deliveries, in steps that say from where they go on.

use super::store::{Status, Store};
use std::collections::BTreeMap;

/// How many deliveries a step looks at.
const STEP: usize = 5;
/// How many of a subscription may be open for a job to make more.
const MOST_OPEN: usize = 12;

/// A defect of the runner or of the store, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// The store does not look from where a step goes on.
    RepeatedStep,
    /// A step is written in two transactions: a crash finds the deliveries and not how far the job has come.
    HalfStep,
    /// After a start nobody goes on with jobs.
    ForgottenJob,
}

/// Work on all deliveries of a subscription that there are when it is made.
#[derive(Debug, Clone)]
pub(super) struct Job {
    subscription: u8,
    /// Whether ended ones are made due again; else each is delivered anew.
    is_retry: bool,
    place: i64,
    last: i64,
    /// What the clock said when it was made.
    made: u64,
    pub(super) is_over: bool,
    is_cancelled: bool,
    /// What it is about, and how often it has done that; `None` where there was nothing to do any more.
    work: BTreeMap<i64, Option<u32>>,
}

/// A step of a job, made ready.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) job: usize,
    from: i64,
    to: i64,
    items: Vec<i64>,
}

impl Store {
    /// Writes a job down; returns its number.
    pub(super) fn add_job(&mut self, subscription: u8, is_retry: bool, wall: u64) -> usize {
        let (first, last) = self.numbers(subscription);
        let about = self.deliveries.range(first + 1..last + 1);
        let is_about = |id: i64| !is_retry || self.is_retryable(id, wall);
        let work = about.map(|(id, _)| *id).filter(|id| is_about(*id)).map(|id| (id, Some(0))).collect();
        self.jobs.push(Job {
            subscription,
            is_retry,
            place: first,
            last,
            made: wall,
            is_over: first == last,
            is_cancelled: false,
            work,
        });
        self.jobs.len() - 1
    }

    /// Whether a delivery has ended no later than this.
    fn is_retryable(&self, id: i64, made: u64) -> bool {
        let delivery = &self.deliveries[&id];
        delivery.status == Status::Final && delivery.ended <= made
    }

    /// The next step of a job that is not over.
    pub(super) fn prepare(&self, job: usize) -> Option<Step> {
        let Job { is_retry, place, last, made, is_over, .. } = self.jobs[job];
        let looked: Vec<i64> =
            self.deliveries.range(place + 1..last + 1).map(|(id, _)| *id).take(STEP).collect();
        let to = if looked.len() < STEP { last } else { looked[STEP - 1] };
        let items = looked.into_iter().filter(|id| !is_retry || self.is_retryable(*id, made)).collect();
        (!is_over).then_some(Step { job, from: place, to, items })
    }

    /// Does a step unless it is stale; returns the subscription that may have got deliveries.
    pub(super) fn step(&mut self, step: &Step, wall: u64, defect: Option<Defect>) -> Option<u8> {
        let mut job = self.jobs[step.job].clone();
        let is_stale = job.place != step.from && defect != Some(Defect::RepeatedStep);
        if job.is_over || is_stale {
            return None;
        }
        let mut to = step.to;
        for id in &step.items {
            if self.open_of(job.subscription) >= MOST_OPEN {
                to = id - 1;
                break;
            }
            let is_done = match job.is_retry {
                true if !self.is_retryable(*id, job.made) => false,
                true => {
                    self.reopen(*id, wall);
                    true
                }
                false => {
                    self.deliver_again(*id, wall);
                    true
                }
            };
            let count = job.work.entry(*id).or_insert(Some(0));
            *count = if is_done { Some(count.unwrap_or_default() + 1) } else { None };
        }
        job.place = to.max(job.place);
        job.is_over = job.place >= job.last;
        self.jobs[step.job] = job;
        Some(self.jobs[step.job].subscription)
    }

    /// A step's deliveries are made, and the process dies before how far the job has come is written.
    pub(super) fn half_step(&mut self, step: &Step, wall: u64) {
        let (place, is_over) = (self.jobs[step.job].place, self.jobs[step.job].is_over);
        self.step(step, wall, None);
        (self.jobs[step.job].place, self.jobs[step.job].is_over) = (place, is_over);
    }

    /// The jobs of a subscription end with it.
    pub(super) fn cancel_jobs(&mut self, subscription: u8) {
        for job in self.jobs.iter_mut().filter(|job| job.subscription == subscription && !job.is_over) {
            (job.is_over, job.is_cancelled) = (true, true);
        }
    }

    /// In the end each job has done its work, all of it, and nothing twice.
    pub(super) fn check_jobs(&self) -> Result<(), String> {
        for (number, job) in self.jobs.iter().enumerate() {
            if !job.is_over {
                return Err(format!("job {number} is left half done at {}", job.place));
            }
            for (id, count) in &job.work {
                match count {
                    Some(0) if !job.is_cancelled && !job.is_retry => {
                        return Err(format!("job {number} has left out {id}"));
                    }
                    // What was made due by hand meanwhile had not ended when the job came to it.
                    Some(0 | 1) | None => {}
                    Some(count) => return Err(format!("job {number} has delivered {id} {count} times")),
                }
            }
        }
        Ok(())
    }
}
