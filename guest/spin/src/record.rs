//! What is kept in the key-value store: an event, its data, and one record for each delivery that was tried.
//!
//! The store has no transactions. The event's own record is written last and stands for all the others: an event
//! without it was not accepted, whatever else is there. It names the deliveries, so that one without a record of its
//! own is known to be pending.

use crate::binding::{atomics, store};
use anglerfish_core::decision::FilterFailure;
use anglerfish_core::event::Event;
use anglerfish_core::state::key;
use serde::Serialize;

/// The store's name: the one that the gateway component keeps its state in.
const BUCKET: &str = "default";

/// The open store.
pub(crate) struct Records(store::Bucket);

/// Why something was not kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("there is no key-value store named {BUCKET:?}")]
    NoSuchStore,
    #[error("access to the key-value store {BUCKET:?} is denied")]
    AccessDenied,
    #[error("the key-value store failed: {0}")]
    Store(String),
    #[error("a record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<store::Error> for RecordError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::NoSuchStore,
            store::Error::AccessDenied => Self::AccessDenied,
            store::Error::Other(reason) => Self::Store(reason),
        }
    }
}

/// An accepted event.
#[derive(Debug, Serialize)]
pub(crate) struct EventRecord<'a> {
    /// Its attributes.
    pub(crate) event: &'a Event,
    /// When it was received, in Unix milliseconds.
    pub(crate) received: u64,
    /// The subscriptions that it is delivered to.
    pub(crate) deliveries: &'a [String],
    /// The subscriptions whose filter failed on it.
    pub(crate) failures: Vec<FailureRecord<'a>>,
}

/// A filter that failed.
#[derive(Debug, Serialize)]
pub(crate) struct FailureRecord<'a> {
    subscription: &'a str,
    reason: &'a str,
}

impl<'a> From<&'a FilterFailure> for FailureRecord<'a> {
    fn from(failure: &'a FilterFailure) -> Self {
        Self { subscription: &failure.subscription, reason: &failure.reason }
    }
}

/// Where a delivery stands. What is to be tried again stays pending: nothing takes it up yet, and it is not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryStatus {
    /// To be tried again.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// The endpoint answered with a status that the policy discards.
    Discarded,
    /// It failed, and the policy has no attempt left.
    Dead,
}

/// One delivery.
#[derive(Debug, Serialize)]
pub(crate) struct DeliveryRecord<'a> {
    /// The subscription that it is for.
    pub(crate) subscription: &'a str,
    /// Where it stands.
    pub(crate) status: DeliveryStatus,
    /// When it is due again, in Unix milliseconds, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due: Option<u64>,
    /// The attempt.
    pub(crate) attempt: AttemptRecord,
}

/// The one attempt of a delivery.
#[derive(Debug, Serialize)]
pub(crate) struct AttemptRecord {
    /// When it began, in Unix milliseconds.
    pub(crate) started: u64,
    /// How long it took.
    pub(crate) duration_ms: u64,
    /// The status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// Why there was none.
    pub(crate) error: Option<String>,
}

impl Records {
    /// Opens the store.
    pub(crate) fn open() -> Result<Self, RecordError> {
        Ok(Self(store::open(BUCKET)?))
    }

    /// Whether an event was kept whole.
    pub(crate) fn is_kept(&self, source: &str, id: &str) -> Result<bool, RecordError> {
        Ok(self.0.exists(&key("log", source, id))?)
    }

    /// Takes the next number of a claim; the first who asks gets 1.
    pub(crate) fn claim(&self, name: &str) -> Result<i64, RecordError> {
        Ok(atomics::increment(&self.0, name, 1)?)
    }

    /// Gives a claim back, so that the next who asks gets 1 again.
    pub(crate) fn unclaim(&self, name: &str) -> Result<(), RecordError> {
        Ok(self.0.delete(name)?)
    }

    /// Keeps an event with its data.
    pub(crate) fn keep(&self, record: &EventRecord<'_>, data: &[u8]) -> Result<(), RecordError> {
        let Event { source, id, .. } = record.event;
        self.0.set(&key("data", source, id), data)?;
        Ok(self.0.set(&key("log", source, id), &serde_json::to_vec(record)?)?)
    }

    /// A provider's document that was kept and may still be used: its body.
    pub(crate) fn document(&self, source: &str, url: &str, now: u64) -> Result<Option<Vec<u8>>, RecordError> {
        let Some(value) = self.0.get(&key("document", source, url))? else { return Ok(None) };
        Ok(value
            .split_first_chunk()
            .and_then(|(until, body)| (u64::from_be_bytes(*until) > now).then(|| body.to_vec())))
    }

    /// Keeps a provider's document until a time (Unix milliseconds), which is written before its body.
    pub(crate) fn keep_document(
        &self,
        source: &str,
        url: &str,
        until: u64,
        body: &[u8],
    ) -> Result<(), RecordError> {
        let value = [until.to_be_bytes().as_slice(), body].concat();
        Ok(self.0.set(&key("document", source, url), &value)?)
    }

    /// Writes how a delivery stands.
    pub(crate) fn set_delivery(
        &self,
        event: &Event,
        delivery: &DeliveryRecord<'_>,
    ) -> Result<(), RecordError> {
        let kind = format!("delivery/{}", delivery.subscription);
        Ok(self.0.set(&key(&kind, &event.source, &event.id), &serde_json::to_vec(delivery)?)?)
    }
}
