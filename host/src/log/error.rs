//! Why the log could not be read on.

use crate::store::{EventSeq, StoreError};

/// Why the log could not be read on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// Entries behind the position have been deleted because of their age.
    #[error("entries behind position {after} are no longer kept; from position {oldest} on the log is whole")]
    Gap {
        /// The position that was asked for.
        after: EventSeq,
        /// The oldest position from which on nothing is missing.
        oldest: EventSeq,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
