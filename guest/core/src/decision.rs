//! What the component says about one request.

mod fetch;
mod rejection;

pub use fetch::Fetch;
pub use rejection::{Rejection, RejectionCode};

use crate::event::Event;

/// The decision about one inbound request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The request is refused; nothing is remembered.
    Reject(Rejection),
    /// The request is a provider's handshake; it is answered and makes no event.
    Answer(Answer),
    /// What the request says was accepted before.
    Duplicate(Duplicate),
    /// The request is an event for the subscriptions in the intents, or several.
    Accept(Acceptance),
    /// The decision needs these documents first: the shell fetches them and asks again with the answers in
    /// [`crate::request::Request::fetched`].
    Fetch(Vec<Fetch>),
    /// A decision that this version does not know, by its name: that of a later component in an earlier shell. The
    /// core itself never decides so.
    Other(String),
}

/// An answer that the provider asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: String,
    /// Further header fields, by lower-case name: some handshakes echo one.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A repetition of what was accepted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The ids of the events that were accepted before: one, or those of the parts of a batch.
    pub ids: Vec<String>,
    /// Whether the source splits the request into events.
    pub batch: bool,
    /// What the provider wants to read, where it insists on something.
    pub answer: Option<Answer>,
}

/// One event of an accepted request with who wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedEvent {
    /// The event's attributes.
    pub event: Event,
    /// The event's data, where it is a part of a batch or the content that is kept of a document; `None` is the request's.
    pub data: Option<Vec<u8>>,
    /// One for each subscription that matched, in no particular order.
    pub intents: Vec<Intent>,
    /// Subscriptions whose filter was tried and failed on this event; they get no delivery.
    pub failures: Vec<FilterFailure>,
}

/// An accepted request: one event, or those of a batch that the source splits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The events, all to be stored in one step and in this order; a batch may have none.
    pub events: Vec<AcceptedEvent>,
    /// The ids of parts of the batch that were accepted before.
    pub repeated: Vec<String>,
    /// Whether the source splits the request into events.
    pub batch: bool,
    /// What the provider wants to read, where it insists on something.
    pub answer: Option<Answer>,
    /// The secret that verified it, by its label or else its position in the configuration from 0; `None` where the scheme
    /// has none.
    pub secret: Option<String>,
}

/// The decision about a document that is put or deleted, or told of again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentDecision {
    /// It is refused; nothing is written.
    Reject(DocumentRejection),
    /// There is nothing new in it, or nobody to be told.
    Ignore,
    /// It is an entry of the log, for those in the intents.
    Accept(Box<AcceptedEvent>),
    /// A decision that this version does not know, by its name: that of a later component in an earlier shell.
    Other(String),
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRejection {
    /// The HTTP status of the answer.
    pub status: u16,
    /// What went wrong, in few words that stay the same.
    pub title: String,
    /// What was wrong with it.
    pub detail: String,
}

impl DocumentRejection {
    /// The state cannot be used; the same may work later.
    #[must_use]
    pub fn unavailable(reason: &str) -> Self {
        let title = "error during document update".to_owned();
        Self { status: 503, title, detail: format!("the state cannot be used: {reason}") }
    }
}

/// "This event is for that subscription." It never copies the event's data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intent {
    /// The subscription's id.
    pub subscription: String,
    /// What the subscription orders its deliveries by: those of one key are made one after another. `None` where it
    /// asks for no order.
    pub ordering_key: Option<String>,
    /// What to send in place of the event's data, where the subscription has it rendered.
    pub body: Option<Vec<u8>>,
}

/// Who wants an event that needs no verification: one that was published, or that the gateway records itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// One for each subscription that matched, in no particular order.
    pub intents: Vec<Intent>,
    /// Subscriptions whose filter was tried and failed on this event; they get no delivery.
    pub failures: Vec<FilterFailure>,
}

/// A filter that could not be evaluated on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterFailure {
    /// The subscription's id.
    pub subscription: String,
    /// What went wrong.
    pub reason: String,
}
