//! What the API shows, as JSON.

use super::cursor::Listing;
use super::schema::SubscriptionBody;
use crate::store::{
    self, Attempt, Delivery, DeliveryStatus, EventRecord, FailedFilter, Repetitions, RequestRecord,
};
use crate::subscription::{
    LeaseReport, Origin, QueueReport, Subscription, SubscriptionStanding, Subscriptions, WaitReason,
};
use crate::web::DocumentProblem;
use anglerfish_core::delivery::Standing;
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Ref, Schema, SchemaType, Type};

/// An event of the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Event)]
pub(super) struct EventDocument {
    /// Where it stands in the log.
    position: i64,
    /// Unique together with the source.
    id: String,
    /// The source that it came in through.
    source: String,
    /// What kind of event it is, in the sender's words.
    #[serde(rename = "type")]
    kind: String,
    /// What it is about.
    #[schema(required)]
    subject: Option<String>,
    /// When it happened.
    #[schema(required, format = DateTime)]
    time: Option<String>,
    /// The media type of the data.
    #[schema(required)]
    datacontenttype: Option<String>,
    /// When it was received.
    #[schema(required, format = DateTime)]
    received: Option<String>,
    /// The length of its data in bytes.
    size: u64,
    /// How many deliveries it has.
    delivery_count: u64,
    /// CloudEvents extension attributes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, String>,
}

/// An event with the request that carried it and the newest of its deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventDetail {
    pub(super) event: EventDocument,
    /// Where it came from.
    pub(super) origin: EventOrigin,
    /// The request that carried it; `null` if none did.
    #[schema(required)]
    pub(super) request: Option<RequestDocument>,
    /// Which of the source's secrets verified it: its label or its position.
    #[schema(required)]
    pub(super) secret: Option<String>,
    /// Filters that failed on it, so that their subscriptions did not get it.
    pub(super) failures: Vec<FailedFilterDocument>,
    pub(super) repetitions: RepetitionsDocument,
    pub(super) deliveries: Listing<DeliveryDocument>,
}

/// Where an entry of the log came from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EventOrigin {
    /// A sender's request to a source.
    Request,
    /// A program that published it.
    Published,
    /// A change of a document.
    Document,
    /// An outgoing call.
    Call,
    /// A request to an awaited URL.
    Callback,
    /// The gateway itself.
    Operational,
}

/// A filter that failed on an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FailedFilter)]
pub(super) struct FailedFilterDocument {
    subscription: String,
    reason: String,
}

/// How often an event came again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Repetitions)]
pub(super) struct RepetitionsDocument {
    count: u64,
    /// When, the last 20 of them, oldest first.
    times: Vec<String>,
}

/// A delivery with its attempts, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryDetail {
    pub(super) delivery: DeliveryDocument,
    pub(super) attempts: Vec<AttemptDocument>,
}

/// The request that carried an event, without credentials.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Request)]
pub(super) struct RequestDocument {
    method: String,
    url: String,
    /// What `path_prefix` or a proxy's `X-Forwarded-Prefix` put in front of the URL's path, because the proxy took it away.
    #[serde(skip_serializing_if = "String::is_empty")]
    added_prefix: String,
    /// Name and value, in the order received.
    #[schema(schema_with = pairs)]
    headers: Vec<(String, String)>,
}

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Delivery)]
pub(super) struct DeliveryDocument {
    id: i64,
    /// The subscription that it is for.
    subscription: String,
    event: EventName,
    status: DeliveryStatus,
    /// Attempts made in all.
    attempt_count: u32,
    /// When it was made.
    #[schema(required, format = DateTime)]
    created: Option<String>,
    /// When the next attempt is due, while pending.
    #[schema(required, format = DateTime)]
    due: Option<String>,
    /// Why it ended without having arrived, or why no attempt is made.
    #[schema(required)]
    reason: Option<String>,
}

/// What tells an event apart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventName {
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
}

/// One try of a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Attempt)]
pub(super) struct AttemptDocument {
    /// From 1.
    number: u32,
    /// When it began.
    #[schema(required, format = DateTime)]
    started: Option<String>,
    /// How long it took, in milliseconds.
    duration_ms: f64,
    /// The status of the answer.
    #[schema(required)]
    status: Option<u16>,
    /// Why there was no answer, or why it did not count.
    #[schema(required)]
    error: Option<String>,
    /// The beginning of the answer's body.
    #[schema(required)]
    answer: Option<String>,
}

/// A subscription as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Subscription)]
pub(super) struct SubscriptionDocument {
    id: String,
    /// Where it was written; `null` of one that is removed.
    #[schema(required)]
    origin: Option<Origin>,
    state: SubscriptionState,
    /// How many open deliveries it has.
    open_deliveries: u64,
    /// When the oldest of them was made; only where one subscription is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    oldest: Option<String>,
    /// Why no attempts start, while it is paused or disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<StoppedDocument>,
    /// How its deliveries are doing at this moment; only where one subscription is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueDocument>,
    /// What the subscriber of a passive one has; only where one subscription is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    leases: Option<LeasesDocument>,
    /// What stays in the log for it until its backlog has room (`"full": "pause"`); only where one subscription is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    catching_up: Option<CatchingUp>,
    /// When it was last written through the API.
    #[schema(required, format = DateTime)]
    updated: Option<String>,
    /// Why it is invalid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<DocumentProblem>,
    /// What is odd about it, though it is valid: it may never get an event. Told when it is written, and when it is shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<DocumentProblem>,
    /// What was written, without what must not be shown. Of an invalid one it may have any form; of one that is removed
    /// it is `null`.
    #[schema(schema_with = shown_form)]
    subscription: Value,
    /// The token that was made; only where one was, and this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// What the subscriber of a passive subscription has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Leases)]
pub(super) struct LeasesDocument {
    /// Messages that are leased and not answered for yet.
    leased: usize,
    /// Open messages that are not leased: they wait for the subscriber, or for their time.
    held: u64,
    /// When the first lease ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    next_end: Option<String>,
    /// Requests that wait for messages at this moment.
    waiting: usize,
}

/// Where in the log a subscription stands whose backlog is full.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CatchingUp {
    /// The job that makes its deliveries as there is room.
    pub(super) job: i64,
    /// The last position that is done with.
    pub(super) position: i64,
    /// The newest position of the log.
    pub(super) last: i64,
}

/// Lists of two texts. Clients that are generated know no list that has a form for each of its items.
pub(super) fn pairs() -> Schema {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let pair = ArrayBuilder::new().items(text).min_items(Some(2)).max_items(Some(2));
    let about = "Name and value, in the order received.";
    ArrayBuilder::new().items(pair).description(Some(about)).build().into()
}

/// A document, or of an invalid subscription whatever was stored.
fn shown_form() -> Schema {
    let anything = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    AnyOfBuilder::new().item(Ref::from_schema_name(SubscriptionBody::name())).item(anything).build().into()
}

/// Whether a subscription gets events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SubscriptionState {
    /// It gets events.
    Active,
    /// Somebody has paused it: events are kept for it, and no attempts start until it is resumed.
    Paused,
    /// It was disabled for what its endpoint answered: the same as paused, and somebody should look.
    Disabled,
    /// It cannot be used as it is stored; its problems say why. It gets no events, and can be replaced or deleted.
    Invalid,
    /// It was removed, and its open deliveries wait for it to come back. Deleting it ends them.
    Removed,
}

/// Since when no attempts start, and why.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Stopped)]
pub(super) struct StoppedDocument {
    #[schema(required, format = DateTime)]
    since: Option<String>,
    reason: String,
}

/// How deliveries are doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Queue)]
pub(super) struct QueueDocument {
    /// Attempts under way.
    running: usize,
    /// Deliveries in memory that wait for their attempt; there may be more in the store.
    ready: usize,
    /// What they wait for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<WaitReason>,
    /// Until when, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    until: Option<String>,
    /// When the next delivery in the store falls due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    next_due: Option<String>,
    /// Since when nothing but failures came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    failing_since: Option<String>,
}

impl From<QueueReport> for QueueDocument {
    fn from(report: QueueReport) -> Self {
        Self {
            running: report.running,
            ready: report.ready,
            waits_for: report.reason,
            until: report.until.and_then(UnixMillis::rfc3339),
            next_due: report.next.and_then(UnixMillis::rfc3339),
            failing_since: report.failing.and_then(UnixMillis::rfc3339),
        }
    }
}

impl From<EventRecord> for EventDocument {
    fn from(record: EventRecord) -> Self {
        Self {
            position: record.seq.0,
            id: record.event.id,
            source: record.event.source,
            kind: record.event.kind,
            subject: record.event.subject,
            time: record.event.time.rfc3339(),
            datacontenttype: record.event.datacontenttype,
            received: record.received.rfc3339(),
            size: record.size,
            delivery_count: record.deliveries,
            extensions: record.event.extensions,
        }
    }
}

impl From<store::Origin> for EventOrigin {
    fn from(origin: store::Origin) -> Self {
        match origin {
            store::Origin::Request => Self::Request,
            store::Origin::Published => Self::Published,
            store::Origin::Document => Self::Document,
            store::Origin::Call => Self::Call,
            store::Origin::Callback => Self::Callback,
            store::Origin::Operational => Self::Operational,
        }
    }
}

impl From<FailedFilter> for FailedFilterDocument {
    fn from(failed: FailedFilter) -> Self {
        Self { subscription: failed.subscription, reason: failed.reason }
    }
}

impl From<Repetitions> for RepetitionsDocument {
    fn from(repetitions: Repetitions) -> Self {
        let times = repetitions.times.into_iter().filter_map(UnixMillis::rfc3339).collect();
        Self { count: repetitions.count, times }
    }
}

impl From<&Event> for EventName {
    fn from(event: &Event) -> Self {
        Self { id: event.id.clone(), source: event.source.clone(), kind: event.kind.clone() }
    }
}

impl From<RequestRecord> for RequestDocument {
    fn from(record: RequestRecord) -> Self {
        let RequestRecord { method, url, added_prefix, headers } = record;
        Self { method, url, added_prefix, headers }
    }
}

impl DeliveryDocument {
    /// A delivery as it stands with these subscriptions.
    pub(super) fn of(delivery: Delivery, subscriptions: &Subscriptions) -> Self {
        let held = match subscriptions.get(&delivery.subscription) {
            _ if delivery.status != DeliveryStatus::Pending => None,
            None => Some("its subscription was removed; it waits for it to come back"),
            Some(entry) if entry.config().is_none() => {
                Some("its subscription is invalid; it waits for a valid one")
            }
            Some(entry) if entry.is_passive() => {
                Some("its subscription is passive; it is kept until the subscriber leases it")
            }
            Some(entry) if entry.is_stream() => {
                Some("its subscription is a stream now; it is kept for as long as nothing is delivered")
            }
            Some(_) => None,
        };
        Self {
            id: delivery.id.0,
            subscription: delivery.subscription,
            event: EventName { id: delivery.event_id, source: delivery.source, kind: delivery.kind },
            status: delivery.status,
            attempt_count: delivery.attempts,
            created: delivery.created.rfc3339(),
            due: delivery.due.and_then(UnixMillis::rfc3339),
            reason: delivery.reason.or(held.map(str::to_owned)),
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

impl SubscriptionDocument {
    /// The same with how its deliveries are doing.
    pub(super) fn with_queue(mut self, report: Option<QueueReport>) -> Self {
        self.queue = report.map(QueueDocument::from);
        self
    }

    /// The same with when the oldest open delivery was made.
    pub(super) fn with_oldest(self, oldest: Option<UnixMillis>) -> Self {
        Self { oldest: oldest.and_then(UnixMillis::rfc3339), ..self }
    }

    /// The same with what its subscriber has.
    pub(super) fn with_leases(self, report: Option<LeaseReport>) -> Self {
        let leases = report.map(|report| LeasesDocument {
            leased: report.leased,
            held: self.open_deliveries.saturating_sub(report.leased as u64),
            next_end: report.next_end.and_then(UnixMillis::rfc3339),
            waiting: report.waiting,
        });
        Self { leases, ..self }
    }

    /// The same with a token that was made for it.
    pub(super) fn with_token(self, token: Option<String>) -> Self {
        Self { token, ..self }
    }

    /// The same with what stays in the log for it.
    pub(super) fn with_catching_up(self, catching_up: Option<CatchingUp>) -> Self {
        Self { catching_up, ..self }
    }

    /// One that is there, and stands like this.
    pub(super) fn of(
        subscription: &Subscription,
        open_deliveries: u64,
        standing: SubscriptionStanding,
    ) -> Self {
        let state = match standing.standing {
            _ if subscription.config().is_none() => SubscriptionState::Invalid,
            Standing::Active => SubscriptionState::Active,
            Standing::Paused => SubscriptionState::Paused,
            Standing::Disabled(_) => SubscriptionState::Disabled,
        };
        let since = standing.since.and_then(UnixMillis::rfc3339);
        Self {
            id: subscription.id.clone(),
            origin: Some(subscription.origin),
            state,
            open_deliveries,
            oldest: None,
            queue: None,
            leases: None,
            catching_up: None,
            stopped: standing.reason.map(|reason| StoppedDocument { since, reason }),
            updated: subscription.updated.and_then(UnixMillis::rfc3339),
            problems: subscription.problems.iter().cloned().map(DocumentProblem::from).collect(),
            warnings: Vec::new(),
            subscription: subscription.shown(),
            token: None,
        }
    }

    /// One that is gone and for which deliveries wait.
    pub(super) fn awaited(id: String, open_deliveries: u64) -> Self {
        Self {
            id,
            origin: None,
            state: SubscriptionState::Removed,
            open_deliveries,
            oldest: None,
            queue: None,
            leases: None,
            catching_up: None,
            stopped: None,
            updated: None,
            problems: Vec::new(),
            warnings: Vec::new(),
            subscription: Value::Null,
            token: None,
        }
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The same, with what is odd about it.
    pub(super) fn with_warnings(self, warnings: Vec<Problem>) -> Self {
        Self { warnings: warnings.into_iter().map(DocumentProblem::from).collect(), ..self }
    }
}
