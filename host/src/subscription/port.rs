//! What the registry needs of the rooms beside it.

use crate::store::StoreError;
use crate::telemetry::Activity;
use anglerfish_core::config::SubscriptionConfig;
use anglerfish_core::decision;
use anglerfish_core::delivery::Standing;
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::RenderConfig;
use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

/// Turns a subscription's document (JSON) into a valid one with its secrets resolved, or tells all its problems.
pub type Reader = Arc<dyn Fn(&[u8]) -> Result<SubscriptionConfig, Vec<Problem>> + Send + Sync>;

/// Why the routing table could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RoutingError {
    /// The subscription is refused.
    #[error("the subscription has {} problem(s)", .0.len())]
    Invalid(Vec<Problem>),
    /// The routing table has no room for it.
    #[error("{0}")]
    Full(String),
    /// The component cannot be asked now; the same call may work later.
    #[error("routing is unavailable: {0}")]
    Unavailable(String),
}

/// An event that was accepted before, with all that a filter can see of it.
#[derive(Debug, Clone)]
pub struct PastEvent {
    /// Its attributes.
    pub event: Event,
    /// The header fields that were kept.
    pub headers: Vec<(String, String)>,
    /// Its data.
    pub data: Bytes,
    /// When it was received.
    pub received: UnixMillis,
}

/// What a filter says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum VerdictOutcome {
    /// The subscription wants it.
    Match,
    /// It does not.
    NoMatch,
    /// The filter could not be evaluated, so the event is not for it.
    Error,
}

/// How a subscription stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubscriptionStanding {
    /// How it stands.
    pub standing: Standing,
    /// Since when, unless it has always stood so.
    pub since: Option<UnixMillis>,
    /// Why attempts were stopped, in words.
    pub reason: Option<String>,
}

/// How a subscription's deliveries are doing at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueReport {
    /// Attempts under way.
    pub running: usize,
    /// Deliveries in memory that wait for their attempt; there may be more in the store.
    pub ready: usize,
    /// What they wait for, if anything waits.
    pub reason: Option<WaitReason>,
    /// Until when, if that is known.
    pub until: Option<UnixMillis>,
    /// When the next delivery in the store falls due.
    pub next: Option<UnixMillis>,
    /// Since when nothing but failures came back.
    pub failing: Option<UnixMillis>,
}

/// What the subscriber of a passive subscription has at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaseReport {
    /// Messages that are leased and not answered for yet.
    pub leased: usize,
    /// When the first of these leases ends.
    pub next_end: Option<UnixMillis>,
    /// Requests that wait for messages.
    pub waiting: usize,
}

/// Why deliveries that are due wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WaitReason {
    /// The subscription is paused or disabled.
    Stopped,
    /// As many attempts as it may have are under way.
    Concurrency,
    /// After a trouble fewer attempts than usual run at once, and more with each that succeeds.
    Ramp,
    /// All places for attempts are taken, or the store takes no records.
    Places,
    /// Its rate does not allow more yet.
    Rate,
    /// The rate of its endpoint's host, which it shares with others, does not allow more yet.
    #[serde(rename = "host-rate")]
    HostRate,
    /// Its breaker is open: the last attempts failed.
    Breaker,
    /// Its endpoint asked to be left alone.
    Throttled,
    /// This machine could not make the last attempt.
    Local,
}

/// Why it could not be said how a subscription is to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StandingError {
    /// There is none.
    #[error("there is no such subscription")]
    Unknown,
    /// It stands so, but is not written down: after a restart it may stand as before.
    #[error("the store cannot be written now; it is tried again")]
    Unwritten,
}

/// What came of sending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendReport {
    /// How many messages the endpoint took.
    pub delivered: usize,
    /// How many it does not want.
    pub discarded: usize,
    /// How many failed and are held until they are due again.
    pub failed: usize,
    /// How many failed and have no attempt left.
    pub dead: usize,
    /// Why fewer were sent than there are, if not for want of quantity.
    pub stopped: Option<String>,
}

/// Why nothing was sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError {
    /// There is no such subscription, or it is not passive.
    #[error("only messages of a passive subscription are sent on demand")]
    NotPassive,
    /// There is nowhere to send to.
    #[error("the subscription has no endpoint to send to")]
    NoEndpoint,
    /// It is paused or disabled.
    #[error("the subscription is paused or disabled; resume it first")]
    Stopped,
    /// Somebody else has messages of it sent right now.
    #[error("messages of this subscription are being sent already")]
    Running,
    /// The gateway stops.
    #[error("the gateway is stopping")]
    Ending,
    /// The store cannot be used. What was sent and could not be recorded may be sent again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one subscription says of an event, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The subscription.
    #[serde(rename = "id")]
    pub subscription: String,
    /// Whether it wants the event.
    pub outcome: VerdictOutcome,
    /// The sub-expression that decided, with its values.
    pub reason: String,
}

/// The routing table.
#[async_trait]
pub trait Routing: Send + Sync + 'static {
    /// What is wrong with these sources and this filter, of a document that may have other problems beside.
    fn review(&self, sources: &[String], filter: Option<&str>) -> Vec<Problem>;

    /// What is odd about a subscription that has no problems: it may never get an event.
    fn warnings(&self, _subscription: &SubscriptionConfig) -> Vec<Problem> {
        Vec::new()
    }

    /// Checks a subscription without touching the table.
    async fn check(&self, subscription: &SubscriptionConfig) -> Result<(), RoutingError>;

    /// Adds or replaces a subscription without rebuilding the table. On an error the table is as it was.
    async fn put(&self, subscription: &SubscriptionConfig) -> Result<(), RoutingError>;

    /// Removes a subscription; an unknown id is no error. When it returns, no later decision names it.
    async fn delete(&self, id: &str) -> Result<(), RoutingError>;

    /// Says that a subscription which is kept in the store is not in the table for want of room: the gateway is not ready until
    /// it is put or deleted.
    fn left_out(&self, id: &str);

    /// What the filter of a subscription of the table has done.
    fn activity(&self, id: &str, now: UnixMillis) -> Option<Activity>;

    /// The fields of `message` that a filter reads and none of these bodies has.
    async fn missing_fields(&self, filter: &str, bodies: Vec<Bytes>) -> Result<Vec<String>, RoutingError>;

    /// Who wants an event that comes from no request.
    async fn route(&self, event: PastEvent) -> Result<decision::Routing, RoutingError>;

    /// What the subscriptions of the table say of an event; `only` names one of them, `None` means all.
    async fn explain(&self, event: PastEvent, only: Option<&str>) -> Result<Vec<Verdict>, RoutingError>;

    /// What a subscription that is not in the table says of an event.
    async fn explain_with(
        &self,
        event: PastEvent,
        sources: &[String],
        filter: Option<&str>,
    ) -> Result<Verdict, RoutingError>;

    /// What a subscription that has this made would be sent of an event; within, why that cannot be made of it.
    async fn render(
        &self,
        event: PastEvent,
        made: RenderConfig,
    ) -> Result<Result<String, String>, RoutingError>;
}

/// The delivery queues.
#[async_trait]
pub trait Dispatch: Send + Sync + 'static {
    /// Builds all that deliveries of a subscription need, and throws it away: what can be built now can be built when
    /// the gateway starts.
    async fn check(&self, subscription: &SubscriptionConfig) -> Result<(), Vec<Problem>>;

    /// Starts a queue for a subscription, or gives the running one its new settings. On an error all is as it was.
    async fn put(&self, subscription: &SubscriptionConfig) -> Result<(), Vec<Problem>>;

    /// Ends the queue of a subscription; an unknown id is no error.
    async fn remove(&self, id: &str);

    /// Tells a queue that deliveries became due.
    fn wake(&self, id: &str);

    /// Stops attempts of a subscription, or lets them go on. When this returns, it is written down.
    async fn stand(&self, id: &str, standing: Standing) -> Result<(), StandingError>;

    /// How a subscription stands.
    fn standing(&self, id: &str) -> SubscriptionStanding;

    /// How a subscription is doing at the moment, if it is there and the queues run.
    async fn report(&self, id: &str) -> Option<QueueReport>;

    /// What the subscriber of a passive subscription has at the moment; `None` if it is none.
    fn leases(&self, id: &str) -> Option<LeaseReport>;

    /// Sends up to `quantity` messages of a passive subscription to its endpoint, up to `concurrency` at once.
    async fn send(&self, id: &str, quantity: usize, concurrency: usize) -> Result<SendReport, SendError>;

    /// Forgets how a subscription stood that is gone for good, as the store has.
    fn forget(&self, id: &str);
}
