//! What goes into a store and comes out of it.

mod bound;
mod bulk;
mod call;
mod callback;
mod commit;
mod delivery;
mod entry;
mod error;
mod lease;
mod query;
mod resource;
mod source;
mod subscription;

pub use bound::OverflowCounts;
#[cfg(any(test, feature = "sqlite"))]
pub(in crate::store) use bound::{Limit, dropped, refused};
pub use bulk::{
    Job, JobAction, JobId, JobItem, JobQuery, JobState, JobStep, JobStepped, JobWork, NewJob, Retryable,
};
pub use call::{CallAnswer, CallHead, CallQuery, CallWrite, DueCalls, StoredApi, StoredCall};
pub use callback::{CallbackAcked, CallbackWrite, StoredCallback};
pub use commit::{Cause, Commit, CommitOutcome, KeyOverlay, NewEvent, Repetition};
pub(crate) use delivery::INTERRUPTED;
#[cfg(any(test, feature = "sqlite"))]
pub(in crate::store) use delivery::WAITS;
pub use delivery::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, LeasedDelivery, Oldest, Recorded, Retried, Settlement,
};
pub use entry::{
    EventRecord, EventSeq, FailedFilter, LogEntry, LogId, LogPart, Opening, Origin, Repetitions,
    RequestRecord,
};
pub use error::StoreError;
pub use lease::{Due, Lease, LeaseTerms, LeaseToken, Leased, Owner};
pub use query::{DeliveryQuery, EventQuery, Order, Page};
pub use resource::{StoredFollower, StoredResource};
pub use source::StoredSource;
pub use subscription::{DeclaredSubscription, RemovedSubscription, StoredStanding, StoredSubscription};
