//! What the engine's threads are asked.

use super::document::{DocumentAnswer, DocumentQuestion};
use super::error::{EngineError, TableError};
use super::request::InboundRequest;
use super::table::Change;
use crate::store::KeyOverlay;
use anglerfish_core::decision::{Decision, Routing};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{Explanation, Rendered, Verdict};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A decision with the keys that it read and wrote.
#[derive(Debug)]
pub struct Decided {
    /// What the component decided.
    pub decision: Decision,
    /// What it read and wrote; to be committed with the decision.
    pub keys: KeyOverlay,
}

/// Where an answer goes; closed once nobody waits for it.
pub(super) type Reply<T, E = EngineError> = oneshot::Sender<Result<T, E>>;

/// What a deciding worker is asked.
pub(super) enum DecisionJob {
    /// The decision about a request.
    Decide(Arc<InboundRequest>, Reply<Decided>),
    /// Who wants an event that comes from no request.
    Route(Box<RoutedEvent>, Reply<Routing>),
    /// What is to be known of a document.
    Document(Box<DocumentQuestion>, Reply<(DocumentAnswer, KeyOverlay)>),
    /// What a subscription makes of an event.
    Render(Box<RenderedEvent>, Reply<Result<Rendered, String>>),
}

/// An event to route that comes from no request.
pub(super) struct RoutedEvent {
    pub(super) event: Event,
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: Bytes,
    pub(super) received: UnixMillis,
}

/// An event of which a subscription makes something.
pub(super) struct RenderedEvent {
    pub(super) subscription: String,
    pub(super) event: Event,
    pub(super) headers: Arc<[(String, String)]>,
    pub(super) data: Bytes,
    pub(super) received: UnixMillis,
}

/// What the explaining thread is asked.
pub(super) enum ExplainJob {
    /// A request as it came in.
    Request(Box<InboundRequest>, Reply<Explanation>),
    /// An event as it was stored.
    Event(Box<StoredEvent>, Reply<Vec<Verdict>>),
    /// Work that needs no instance, such as a filter tried once; it answers by itself.
    Other(Box<dyn FnOnce() + Send>),
}

/// An event to explain as it was stored.
pub(super) struct StoredEvent {
    pub(super) event: Event,
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: Bytes,
    pub(super) received: UnixMillis,
    pub(super) only: Option<String>,
}

/// What the keeper of the table is asked.
pub(super) struct TableJob {
    pub(super) change: Change,
    pub(super) reply: Reply<(), TableError>,
}
