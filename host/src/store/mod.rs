//! The durable state: one log of events, the deliveries made from it, their attempts, the keys of decisions, and the
//! subscriptions written at run time.
//!
//! - [`contract`] says what a store promises, in traits by purpose; [`Store`] is all of them.
//! - [`model`] is what goes in and comes out.
//! - `sqlite` is the embedded default, and a feature of its own.
//! - `conformance` holds every store to the contract.

#[cfg(test)]
mod conformance;
mod contract;
mod model;
mod section;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use contract::{
    CallStore, CallbackStore, DeliveryStore, JobStore, KeyReader, KeyStore, LEASE_BYTES, LogStore,
    ResourceStore, RetentionStore, SourceStore, Store, SubscriptionStore,
};
pub(crate) use model::INTERRUPTED;
pub use model::{
    Attempt, CallAnswer, CallHead, CallQuery, CallWrite, CallbackAcked, CallbackWrite, Cause, Commit,
    CommitOutcome, DeclaredSubscription, Delivery, DeliveryId, DeliveryQuery, DeliveryStatus, Due, DueCalls,
    EventQuery, EventRecord, EventSeq, FailedFilter, Job, JobAction, JobId, JobItem, JobQuery, JobState,
    JobStep, JobStepped, JobWork, KeyOverlay, Lease, LeaseTerms, LeaseToken, Leased, LeasedDelivery,
    LogEntry, LogId, LogPart, NewEvent, NewJob, Oldest, Opening, Order, Origin, OverflowCounts, Owner, Page,
    Recorded, RemovedSubscription, Repetition, Repetitions, RequestRecord, Retried, Retryable, Settlement,
    StoreError, StoredApi, StoredCall, StoredCallback, StoredFollower, StoredResource, StoredSource,
    StoredStanding, StoredSubscription,
};
#[cfg(feature = "sqlite")]
use model::{Limit, WAITS, dropped, refused};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStore};

pub use anglerfish_core::policy::Settled;
pub use section::StoreConfig;
