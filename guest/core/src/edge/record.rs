//! What is kept of an event: what it is, and how its deliveries stand.

use super::bucket::number;
use crate::decision::FilterFailure;
use crate::event::Event;
use crate::state::key;
use serde::{Deserialize, Serialize};

/// An accepted event. It is written last, and stands for all the rest: an event without this record was not accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its attributes.
    pub event: Event,
    /// When it was received, in Unix milliseconds.
    pub received: u64,
    /// How many [`WorkRecord`]s it has; one at least.
    pub parts: u32,
    /// How many deliveries it has.
    pub deliveries: usize,
    /// The subscriptions whose filter failed on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureRecord>,
}

/// A filter that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// The subscription.
    pub subscription: String,
    /// Why.
    pub reason: String,
}

impl From<FilterFailure> for FailureRecord {
    fn from(failure: FilterFailure) -> Self {
        Self { subscription: failure.subscription, reason: failure.reason }
    }
}

/// How some deliveries of an event stand. Who works on them has the lease of the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRecord {
    /// The key of the pointer that leads here.
    pub place: String,
    /// The deliveries.
    pub deliveries: Vec<DeliveryRecord>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// To be tried, or to be tried again.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// The endpoint answered with a status that the policy discards.
    Discarded,
    /// It failed, and there is no attempt left.
    Dead,
}

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// The subscription that it is for.
    pub subscription: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How many attempts were made.
    pub attempts: u32,
    /// When it is due, in Unix milliseconds, while it is pending and was put off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<u64>,
    /// The last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<AttemptRecord>,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// When it began, in Unix milliseconds.
    pub started: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// The status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What went wrong lately, as the operator is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRecord {
    /// When, in Unix milliseconds.
    pub at: u64,
    /// The delivery's id.
    pub delivery: String,
    /// Where it stands since then.
    pub status: DeliveryStatus,
    /// What went wrong.
    pub error: String,
}

/// What leads to a [`WorkRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pointer {
    pub(super) source: String,
    pub(super) id: String,
    pub(super) part: u32,
}

/// How many errors are kept.
pub(super) const ERRORS: u64 = 32;

impl DeliveryRecord {
    /// One that was not tried yet.
    #[must_use]
    pub fn new(subscription: String) -> Self {
        Self { subscription, status: DeliveryStatus::Pending, attempts: 0, due: None, last: None }
    }

    /// Whether something is still to be done.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == DeliveryStatus::Pending
    }
}

impl Pointer {
    pub(super) fn event_key(&self) -> String {
        event_key(&self.source, &self.id)
    }

    pub(super) fn data_key(&self) -> String {
        key("data", &self.source, &self.id)
    }

    pub(super) fn work_key(&self, part: u32) -> String {
        work_key(&self.source, &self.id, part)
    }

    /// What the component remembers the event by.
    pub(super) fn memory_key(&self) -> String {
        key("event", &self.source, &self.id)
    }
}

pub(super) fn event_key(source: &str, id: &str) -> String {
    key("log", source, id)
}

pub(super) fn work_key(source: &str, id: &str, part: u32) -> String {
    key(&format!("work/{part}"), source, id)
}

pub(super) fn error_key(number: u64) -> String {
    format!("error/{}", number % ERRORS)
}

/// The id of a delivery. The names of subscriptions and sources have no colon; an event's id may.
#[must_use]
pub fn delivery_id(subscription: &str, source: &str, event: &str) -> String {
    format!("{subscription}:{source}:{event}")
}

/// The subscription, the source and the event of a delivery's id.
#[must_use]
pub fn split_delivery_id(id: &str) -> Option<(&str, &str, &str)> {
    let (subscription, rest) = id.split_once(':')?;
    let (source, event) = rest.split_once(':')?;
    Some((subscription, source, event))
}

/// Whether what is kept under an event's memory key is about this event, and not about another one that had its id.
pub(super) fn remembers(memory: &[u8], id: &str) -> bool {
    std::str::from_utf8(memory).is_ok_and(|text| text.split_once(' ').is_some_and(|(_, of)| of == id))
}

/// Reads a record, or a counter, that was read with others.
pub(super) fn read<'d, T: Deserialize<'d>>(value: Option<&'d Vec<u8>>) -> Option<T> {
    serde_json::from_slice(value?).ok()
}

/// Writes a record.
pub(super) fn written(record: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(record).map_err(|error| format!("a record cannot be written as JSON: {error}"))
}

/// A counter among what was read.
pub(super) fn counted(value: Option<&Vec<u8>>) -> u64 {
    value.map_or(0, |value| number(value))
}
