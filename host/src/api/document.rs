//! What the API shows, as JSON.

use super::cursor::Listing;
use crate::store::{Attempt, Delivery, DeliveryStatus, EventRecord, RequestRecord};
use crate::subscription::{Origin, Subscription};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use serde::Serialize;
use serde_json::Value;

/// An event of the log.
#[derive(Debug, Serialize)]
pub(super) struct EventDocument {
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    received: Option<String>,
    size: u64,
    delivery_count: u64,
}

/// An event with the request that carried it and the newest of its deliveries.
#[derive(Debug, Serialize)]
pub(super) struct EventDetail {
    pub(super) event: EventDocument,
    pub(super) request: RequestDocument,
    pub(super) deliveries: Listing<DeliveryDocument>,
}

/// A delivery with its attempts, oldest first.
#[derive(Debug, Serialize)]
pub(super) struct DeliveryDetail {
    pub(super) delivery: DeliveryDocument,
    pub(super) attempts: Vec<AttemptDocument>,
}

/// The request that carried an event.
#[derive(Debug, Serialize)]
pub(super) struct RequestDocument {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
}

/// A delivery.
#[derive(Debug, Serialize)]
pub(super) struct DeliveryDocument {
    id: i64,
    subscription: String,
    event: EventName,
    status: DeliveryStatus,
    attempt_count: u32,
    created: Option<String>,
    due: Option<String>,
    reason: Option<String>,
}

/// What tells an event apart.
#[derive(Debug, Serialize)]
pub(super) struct EventName {
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
}

/// One try of a delivery.
#[derive(Debug, Serialize)]
pub(super) struct AttemptDocument {
    number: u32,
    started: Option<String>,
    duration_ms: f64,
    status: Option<u16>,
    error: Option<String>,
    answer: Option<String>,
}

/// A subscription.
#[derive(Debug, Serialize)]
pub(super) struct SubscriptionDocument {
    id: String,
    origin: Origin,
    state: SubscriptionState,
    updated: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
    subscription: Value,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum SubscriptionState {
    /// It gets events.
    Active,
    /// It was valid when it was written and no longer is; its problems say why.
    Invalid,
}

impl From<EventRecord> for EventDocument {
    fn from(record: EventRecord) -> Self {
        Self {
            id: record.event.id,
            source: record.event.source,
            kind: record.event.kind,
            subject: record.event.subject,
            time: record.event.time.rfc3339(),
            datacontenttype: record.event.datacontenttype,
            received: record.received.rfc3339(),
            size: record.size,
            delivery_count: record.deliveries,
        }
    }
}

impl From<&Event> for EventName {
    fn from(event: &Event) -> Self {
        Self { id: event.id.clone(), source: event.source.clone(), kind: event.kind.clone() }
    }
}

impl From<RequestRecord> for RequestDocument {
    fn from(record: RequestRecord) -> Self {
        Self { method: record.method, url: record.url, headers: record.headers }
    }
}

impl From<Delivery> for DeliveryDocument {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.0,
            subscription: delivery.subscription,
            event: EventName { id: delivery.event_id, source: delivery.source, kind: delivery.kind },
            status: delivery.status,
            attempt_count: delivery.attempts,
            created: delivery.created.rfc3339(),
            due: delivery.due.and_then(UnixMillis::rfc3339),
            reason: delivery.reason,
        }
    }
}

impl From<Attempt> for AttemptDocument {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            started: attempt.started.rfc3339(),
            duration_ms: (attempt.duration.as_secs_f64() * 1e6).round() / 1e3,
            status: attempt.status,
            error: attempt.error,
            answer: attempt.answer,
        }
    }
}

impl From<&Subscription> for SubscriptionDocument {
    fn from(subscription: &Subscription) -> Self {
        let state = if subscription.config().is_some() {
            SubscriptionState::Active
        } else {
            SubscriptionState::Invalid
        };
        Self {
            id: subscription.id.clone(),
            origin: subscription.origin,
            state,
            updated: subscription.updated.and_then(UnixMillis::rfc3339),
            problems: subscription.problems.clone(),
            subscription: subscription.shown(),
        }
    }
}
