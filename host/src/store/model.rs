//! What goes into a store and comes out of it.

use anglerfish_core::event::Event;
use anglerfish_core::policy::Settled;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The position of an event in the log; grows with every event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventSeq(pub i64);

/// The number of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId(pub i64);

impl fmt::Display for EventSeq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Why the store could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database is busy, locked, out of disk or out of reach: the same call may work later; nothing was written.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The file is not a database of this product, or of a newer version.
    #[error("{0}")]
    Unusable(String),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
    /// A fault of the store itself.
    #[error("internal store error: {0}")]
    Internal(String),
}

/// What a decision read and wrote through its key-value interface.
#[derive(Debug, Clone, Default)]
pub struct KeyOverlay {
    /// Keys read from the store, with the values that the decision saw.
    pub reads: Vec<(String, Option<Bytes>)>,
    /// Keys written (`Some`) or deleted (`None`), the last write of each.
    pub writes: Vec<(String, Option<Bytes>)>,
}

/// The request that carried an event, without its body and without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The HTTP method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Header fields that may be kept, in the order received; values that are not UTF-8 are left out.
    pub headers: Vec<(String, String)>,
}

/// An event to store.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its attributes.
    pub event: Event,
    /// The request that carried it.
    pub request: RequestRecord,
    /// Its data, byte for byte.
    pub data: Bytes,
    /// When the request came in.
    pub received: UnixMillis,
    /// The subscriptions that want it.
    pub subscriptions: Vec<String>,
}

/// One decision to make durable.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The keys that it read and wrote.
    pub keys: KeyOverlay,
    /// The event that it accepted, if any.
    pub event: Option<NewEvent>,
    /// When it was made; keys expire by this time.
    pub now: UnixMillis,
}

/// What became of a commit.
#[derive(Debug, Clone)]
pub enum CommitOutcome {
    /// It is on disk.
    Committed {
        /// The event's place in the log.
        seq: Option<EventSeq>,
        /// The new deliveries, leased to the caller.
        deliveries: Vec<LeasedDelivery>,
    },
    /// A key that the decision had read was changed by another one in the meantime; nothing was written.
    Conflict,
}

/// A delivery to attempt, with all that the attempt needs.
#[derive(Debug, Clone)]
pub struct LeasedDelivery {
    /// Its number.
    pub id: DeliveryId,
    /// The subscription that it is for.
    pub subscription: String,
    /// The event's place in the log.
    pub seq: EventSeq,
    /// The event's attributes.
    pub event: Event,
    /// The event's data.
    pub data: Bytes,
    /// How many attempts were made before, since it was created or last retried by hand.
    pub attempts: u32,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Waits for its (next) attempt.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// The endpoint answered with a status that the policy discards.
    Discarded,
    /// All attempts failed.
    Dead,
}

/// One delivery as it stands.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// The subscription that it is for.
    pub subscription: String,
    /// The event's place in the log.
    pub seq: EventSeq,
    /// The event's id.
    pub event_id: String,
    /// The event's source.
    pub source: String,
    /// The event's type.
    pub kind: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Attempts made in all.
    pub attempts: u32,
    /// When it was made.
    pub created: UnixMillis,
    /// When the next attempt is due, while pending.
    pub due: Option<UnixMillis>,
    /// Why it ended without an attempt, if it did.
    pub reason: Option<String>,
}

/// One try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1, over the delivery's whole life; assigned by the store.
    pub number: u32,
    /// When it began.
    pub started: UnixMillis,
    /// How long it took.
    pub duration: Duration,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why there was no answer, or why it did not count.
    pub error: Option<String>,
    /// The beginning of the answer's body, at most 4 KiB, as text.
    pub answer: Option<String>,
}

/// An attempt to record.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The attempt; its number is assigned by the store.
    pub attempt: Attempt,
    /// What follows.
    pub settled: Settled,
}

/// An event of the log, without its data.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// Its place in the log.
    pub seq: EventSeq,
    /// Its attributes.
    pub event: Event,
    /// The request that carried it.
    pub request: RequestRecord,
    /// When it was received.
    pub received: UnixMillis,
    /// The length of its data in bytes.
    pub size: u64,
    /// How many deliveries it has.
    pub deliveries: u64,
}

/// The order of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only of this source.
    pub source: Option<String>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only behind this position, in the order of the listing.
    pub cursor: Option<EventSeq>,
    /// At most so many.
    pub limit: usize,
    /// In this order.
    pub order: Order,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// Only for this subscription.
    pub subscription: Option<String>,
    /// Only with this status.
    pub status: Option<DeliveryStatus>,
    /// Only of this event.
    pub event: Option<EventSeq>,
    /// Only older than this one.
    pub cursor: Option<DeliveryId>,
    /// At most so many.
    pub limit: usize,
}

/// A part of a listing.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there are more behind the last one.
    pub more: bool,
}

/// A subscription written at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSubscription {
    /// Its id.
    pub id: String,
    /// The document as it was written (JSON).
    pub document: String,
    /// When it was last written.
    pub updated: UnixMillis,
}
