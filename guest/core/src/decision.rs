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
    /// An event of this source and id was accepted before.
    Duplicate(Duplicate),
    /// The request is an event for the subscriptions in the intents.
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

/// A repeated event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The id of the event that was accepted before.
    pub id: String,
    /// What the provider wants to read, where it insists on something.
    pub answer: Option<Answer>,
}

/// An accepted event with who wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The event's attributes.
    pub event: Event,
    /// One for each subscription that matched, in no particular order.
    pub intents: Vec<Intent>,
    /// Subscriptions whose filter was tried and failed on this event; they get no delivery.
    pub failures: Vec<FilterFailure>,
    /// What the provider wants to read, where it insists on something.
    pub answer: Option<Answer>,
    /// The secret that verified it, by its label or else its position in the configuration from 0; `None` where the scheme
    /// has none.
    pub secret: Option<String>,
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
