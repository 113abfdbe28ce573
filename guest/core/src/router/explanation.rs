//! A decision without effects, with its reasons.

use crate::decision::Rejection;
use crate::event::Event;

/// How verification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerificationOutcome {
    /// The signature holds.
    Verified,
    /// It does not.
    Rejected,
    /// The request is a handshake that verification itself answers.
    Answered,
    /// Documents are needed first.
    Pending,
}

/// How verification went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationReport {
    /// How it ended.
    pub outcome: VerificationOutcome,
    /// The scheme's name; empty if the source is unknown.
    pub scheme: String,
    /// Why, in a sentence.
    pub reason: String,
    /// What was tried, in order; secrets by position or label, never by value.
    pub steps: Vec<String>,
}

/// What a subscription says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictOutcome {
    /// It wants the event.
    Match,
    /// It does not.
    NoMatch,
    /// Its filter could not be evaluated, so the event is not for it.
    Error,
}

/// What one subscription says of an event, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The subscription's id.
    pub subscription: String,
    /// Whether it wants the event.
    pub outcome: VerdictOutcome,
    /// The part of the filter that decided, with its values.
    pub reason: String,
}

/// What would become of one part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedPart {
    /// The event that the part is.
    pub event: Event,
    /// The part, byte for byte.
    pub data: Vec<u8>,
    /// Whether an event of this source and id was accepted before.
    pub duplicate: bool,
    /// One for each subscription, ordered by id.
    pub subscriptions: Vec<Verdict>,
}

/// A decision without effects, with a reason for each scheme, secret and subscription tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// How verification went.
    pub verification: VerificationReport,
    /// The events of a batch that the source splits, the first ones of very many; `event` is `None` then.
    pub parts: Vec<ExplainedPart>,
    /// The event, if the request is one.
    pub event: Option<Event>,
    /// Whether an event of this source and id was accepted before.
    pub duplicate: bool,
    /// One for each subscription, ordered by id; empty if there is no event.
    pub subscriptions: Vec<Verdict>,
}

impl Explanation {
    /// A request that was refused before it came to verification.
    #[must_use]
    pub fn rejected(rejection: Rejection) -> Self {
        Self::without_event(VerificationOutcome::Rejected, "", rejection.reason, Vec::new())
    }

    pub(super) fn without_event(
        outcome: VerificationOutcome,
        scheme: &str,
        reason: String,
        steps: Vec<String>,
    ) -> Self {
        let verification = VerificationReport { outcome, scheme: scheme.to_owned(), reason, steps };
        let (parts, subscriptions) = (Vec::new(), Vec::new());
        Self { verification, parts, event: None, duplicate: false, subscriptions }
    }
}
