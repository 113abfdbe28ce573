//! What is kept in the key-value store: an event, its data, and one record for each of its deliveries.
//!
//! The store has no transactions. The event's own record is written last and stands for all the others: an event
//! without it was not accepted, whatever else is there.

use crate::binding::{store, types};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
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

impl<'a> From<&'a types::FilterFailure> for FailureRecord<'a> {
    fn from(failure: &'a types::FilterFailure) -> Self {
        Self { subscription: &failure.subscription, reason: &failure.reason }
    }
}

/// Where a delivery stands. What failed stays pending: there is no second attempt yet, and it is not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryStatus {
    /// Not delivered.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// The endpoint answered with a status that the policy discards.
    Discarded,
}

/// One delivery.
#[derive(Debug, Serialize)]
pub(crate) struct DeliveryRecord<'a> {
    /// The subscription that it is for.
    pub(crate) subscription: &'a str,
    /// Where it stands.
    pub(crate) status: DeliveryStatus,
    /// The attempt, once it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<AttemptRecord>,
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

    /// Keeps an event with its data and deliveries.
    pub(crate) fn keep(&self, record: &EventRecord<'_>, data: &[u8]) -> Result<(), RecordError> {
        let Event { source, id, .. } = record.event;
        self.0.set(&key("data", source, id), data)?;
        for subscription in record.deliveries {
            let delivery = DeliveryRecord { subscription, status: DeliveryStatus::Pending, attempt: None };
            self.set_delivery(record.event, &delivery)?;
        }
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

/// The core's form of an event's attributes.
pub(crate) fn event(event: types::Event) -> Event {
    Event {
        id: event.id,
        source: event.source,
        kind: event.kind,
        subject: event.subject,
        time: UnixMillis(event.time),
        datacontenttype: event.datacontenttype,
    }
}
