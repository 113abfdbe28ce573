//! Why a job could not be made or ended.

use crate::store::{Job, JobId, StoreError};

/// Why a job could not be made or ended. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JobError {
    /// There is none with this number.
    #[error("there is no job {0}")]
    Unknown(JobId),
    /// It has ended already.
    #[error("job {} is {} already", .0.id, .0.state.word())]
    Ended(Box<Job>),
    /// As many run as may.
    #[error("{0} jobs are running; wait for one to end, or cancel one")]
    TooMany(usize),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}
