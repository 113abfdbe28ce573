//! Deliveries and their attempts.

use super::{EventSeq, Lease, LeaseToken};
use anglerfish_core::event::Event;
use anglerfish_core::policy::Settled;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The number of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId(pub i64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A delivery to attempt, with all that the attempt needs.
#[derive(Debug, Clone)]
pub struct LeasedDelivery {
    /// Its number.
    pub id: DeliveryId,
    /// Which lease of it this is.
    pub token: LeaseToken,
    /// From when on somebody else may lease it.
    pub until: UnixMillis,
    /// The subscription that it is for.
    pub subscription: String,
    /// The event's place in the log.
    pub seq: EventSeq,
    /// The event's attributes.
    pub event: Event,
    /// The event's data.
    pub data: Bytes,
    /// The header fields that were kept of the request that brought it.
    pub headers: Arc<[(String, String)]>,
    /// How many attempts were made before, since it was created or last retried by hand.
    pub attempts: u32,
    /// When it was made.
    pub created: UnixMillis,
    /// Whether an attempt of it was interrupted: nobody knows whether it arrived.
    pub interrupted: bool,
    /// Whether it goes back behind what was settled already: it was made due again though a delivery of its lane with a later event
    /// has arrived or was discarded, or though it had itself; or it was made by a replay.
    pub outlived: bool,
}

impl LeasedDelivery {
    /// The lease, to name it to the store.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease { delivery: self.id, token: self.token }
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let Event { id, source, kind, subject, datacontenttype, .. } = &self.event;
        let optional = [subject, datacontenttype].into_iter().flatten();
        let texts = [id, source, kind, &self.subscription].into_iter().chain(optional);
        let texts: usize = texts.map(|text| text.capacity() + ALLOCATION).sum();
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + 2 * ALLOCATION);
        size_of::<Self>() + texts + headers.sum::<usize>() + self.data.len()
    }
}

/// What an allocation takes beside what is asked for, about.
const ALLOCATION: usize = 16;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
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
    /// When it ended, unless pending. Retention counts from here.
    pub ended: Option<UnixMillis>,
    /// Why it ended without having arrived, if it did; or what it waits for, if that is no time.
    pub reason: Option<String>,
}

/// What the error of an attempt begins with that was interrupted.
pub(crate) const INTERRUPTED: &str = "interrupted: ";

/// What a delivery says that waits for an earlier one of its lane.
#[cfg(any(test, feature = "sqlite"))]
pub(in crate::store) const WAITS: &str = "it waits for an earlier delivery of its ordering key";

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

impl Attempt {
    /// Whether it was broken off, or was under way when the process was killed.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.status.is_none() && self.error.as_ref().is_some_and(|error| error.starts_with(INTERRUPTED))
    }

    /// Why a delivery ended with this attempt that did not arrive by it.
    #[cfg(any(test, feature = "sqlite"))]
    pub(in crate::store) fn reason(&self) -> Option<String> {
        self.error.clone().or_else(|| self.status.map(|status| format!("answered {status}")))
    }
}

/// An attempt to record.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The lease under which it was made.
    pub lease: Lease,
    /// The attempt; its number is assigned by the store.
    pub attempt: Attempt,
    /// What follows.
    pub settled: Settled,
    /// When that was decided: the delivery ends at this time, or its next attempt was planned at it.
    pub now: UnixMillis,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is on disk, and the lease has ended.
    Recorded,
    /// The same, and the next delivery of its lane has fallen due by it.
    Freed,
    /// The lease is stale: nothing was written.
    Stale,
}

/// What became of a retry by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is due.
    Due,
    /// It is being attempted at this moment.
    Leased,
    /// There is no such delivery.
    Unknown,
}

/// When the oldest open deliveries were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oldest {
    /// Of all; `None` if nothing is open.
    pub of_all: Option<UnixMillis>,
    /// Of each subscription that was asked about, in that order.
    pub of_each: Vec<Option<UnixMillis>>,
}
