//! What verification says of one request.

use super::identity::Identity;
use crate::decision::{Answer, Fetch, Rejection};
use crate::request::UnixMillis;
use std::fmt;

/// How verification ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// The signature holds.
    Verified(Box<Verified>),
    /// The request is a handshake that the provider wants answered so; it is no event.
    Answered(Answer),
    /// The request is refused.
    Rejected(Rejection),
    /// Documents from the provider's host are needed first.
    Fetch(Vec<Fetch>),
}

/// A request whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The scheme's name.
    pub scheme: &'static str,
    /// The secret that matched; `None` where the scheme has none.
    pub secret: Option<SecretName>,
    /// What the provider says of the event.
    pub attributes: Attributes,
    /// What must be remembered besides the event's id so that the request cannot be replayed.
    pub replay_keys: Vec<String>,
    /// What the provider insists on reading when the event is accepted; `None` is the gateway's receipt.
    pub answer: Option<Answer>,
    /// Where the event's id came from, and how a repetition is recognised.
    pub identity: Identity,
}

/// What a provider says of an event; what it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The provider's identifier; what it is unique for stands in [`Verified::identity`].
    pub id: Option<String>,
    /// The event's type.
    pub kind: Option<String>,
    /// What the event is about.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Option<UnixMillis>,
}

/// A secret by its position and label, never by its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName {
    /// Its position in the configuration, from 0.
    pub index: usize,
    /// Its label, if it has one.
    pub label: Option<String>,
}

impl fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(formatter, "secret `{label}`"),
            None => write!(formatter, "secret {}", self.index),
        }
    }
}

/// One thing that verification tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceStep {
    /// The scheme's variant, or `handshake`.
    pub variant: String,
    /// The secret that was tried, if it came to that.
    pub secret: Option<SecretName>,
    /// What came of it, as a lower-case fragment.
    pub result: String,
}

impl fmt::Display for TraceStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.secret {
            Some(secret) => write!(formatter, "{}, {secret}: {}", self.variant, self.result),
            None => write!(formatter, "{}: {}", self.variant, self.result),
        }
    }
}
