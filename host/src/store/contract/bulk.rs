//! Work on many deliveries.

use crate::store::{
    Job, JobId, JobQuery, JobState, JobStep, JobStepped, NewJob, Page, Retryable, StoreError,
};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use tokio::sync::watch;

/// Jobs: work on many deliveries, in steps.
///
/// What a step did and how far the job has come are written in one transaction: whenever the process ends, no position is
/// worked on twice and none is left out. A job ends with its subscription: once that is deleted, abandoned or no longer
/// declared, it is cancelled.
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Writes a job down. One that has nothing to do is finished from the start.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn add_job(&self, job: NewJob) -> Result<Job, StoreError>;

    /// Lists jobs, newest first.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn jobs(&self, query: JobQuery) -> Result<Page<Job>, StoreError>;

    /// One job.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError>;

    /// What a job that retries finds behind its place: at most so many deliveries are looked at. None of them ended after
    /// the job was made, so that none is retried twice.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    async fn retryable(&self, job: &Job, limit: usize) -> Result<Retryable, StoreError>;

    /// Changes when the store has written a job down by itself: one that catches up.
    fn made_jobs(&self) -> watch::Receiver<u64>;

    /// Does a step. A job for one subscription stops in front of the first item that its backlog has no room for; one for
    /// several leaves those items for later and comes back to them from its end. A job that has come to its end finishes; one that
    /// catches up has when it has come to the end of the log, and from then on what comes is delivered as it comes.
    ///
    /// # Errors
    ///
    /// Nothing was done.
    async fn step(&self, step: JobStep) -> Result<JobStepped, StoreError>;

    /// Ends a job that runs; one that has ended stays as it is. Returns how it stands, `None` if there is none.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    async fn end_job(
        &self,
        id: JobId,
        state: JobState,
        reason: &str,
        now: UnixMillis,
    ) -> Result<Option<Job>, StoreError>;
}
