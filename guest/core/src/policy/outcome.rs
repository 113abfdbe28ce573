//! What became of one attempt.

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome<'a> {
    /// The endpoint answered, and its answer was complete.
    Answered(Answered<'a>),
    /// A function of this process took it; it has no status to say so.
    Taken,
    /// A plugin of the subscription does not want it: the endpoint was not asked.
    Unwanted,
    /// There was no complete answer.
    Failed(FailureKind),
    /// This machine could not make the attempt: it has no descriptor, no memory, no name server. It says nothing about
    /// the endpoint.
    Local,
    /// There was nothing to send: what the subscription has made of the event cannot be made of this one. It says nothing about
    /// the endpoint, and trying again changes nothing.
    Unsendable,
    /// There was nothing to tell any more: the subscriber has all that it wants, and was not asked.
    Unneeded,
}

/// What counts of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered<'a> {
    /// The status.
    pub status: u16,
    /// The `Retry-After` field as received.
    pub retry_after: Option<&'a str>,
    /// The `X-RateLimit-Reset` or `RateLimit-Reset` field as received.
    pub rate_limit_reset: Option<&'a str>,
    /// Whether it says `webhook-delivery: abort`: do not try this one again.
    pub is_abort: bool,
}

/// Why there was no complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection, or one that broke.
    Connection,
    /// None in time.
    Timeout,
}

impl AttemptOutcome<'_> {
    /// An answer that has nothing but its status.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Answered(Answered { status, retry_after: None, rate_limit_reset: None, is_abort: false })
    }
}
