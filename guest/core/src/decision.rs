//! What the component says about one request.

mod fetch;

pub use fetch::Fetch;

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
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status of the answer.
    pub status: u16,
    /// What went wrong, as a stable word for programs: `unknown-source`, `verification-failed`, `invalid-request`,
    /// `provider-unavailable`, `state-unavailable`.
    pub code: &'static str,
    /// What was missing, stale or malformed; never a secret and never the signature that was expected.
    pub reason: String,
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
}

/// "This event is for that subscription." It never copies the event's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The subscription's id.
    pub subscription: String,
}

/// A filter that could not be evaluated on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterFailure {
    /// The subscription's id.
    pub subscription: String,
    /// What went wrong.
    pub reason: String,
}
