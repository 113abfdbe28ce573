//! How a request ended.

use crate::answer::{Fault, Reply};
use crate::decision::{Rejection, RejectionCode};

/// How a request ended, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conclusion {
    /// An event was accepted.
    Accepted,
    /// The event was accepted before.
    Duplicate,
    /// A provider's handshake was answered.
    Answered,
    /// Verification failed.
    Unverified,
    /// The request was refused for another reason: its form, its method, its source.
    Refused,
    /// The body was over the limit.
    TooLarge,
    /// There was too much to do.
    Overloaded,
    /// The component, the store, the provider's host or the shell failed.
    Failed,
}

impl Conclusion {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Answered,
        Self::Unverified,
        Self::Refused,
        Self::TooLarge,
        Self::Overloaded,
        Self::Failed,
    ];

    /// The word for it, stable for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Answered => "answered",
            Self::Unverified => "unverified",
            Self::Refused => "refused",
            Self::TooLarge => "too-large",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
        }
    }
}

/// The end of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What the sender reads.
    pub reply: Reply,
    /// What it is counted under.
    pub conclusion: Conclusion,
    /// Why there is no event, where the operator should be able to read it; the sender reads no more than the reply.
    pub cause: Option<Cause>,
}

/// Why there is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The component refused the request.
    Rejected(Rejection),
    /// The component and this shell do not fit together, or the component asks for documents without end.
    Defect(String),
}

impl From<Fault> for Answered {
    fn from(fault: Fault) -> Self {
        Self { reply: fault.reply(), conclusion: fault.into(), cause: None }
    }
}

impl From<Fault> for Conclusion {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge { .. } => Self::TooLarge,
            Fault::TooManyRequests { .. } | Fault::Overloaded { .. } => Self::Overloaded,
            Fault::StoreUnavailable { .. }
            | Fault::StateUnavailable { .. }
            | Fault::NotReady { .. }
            | Fault::Internal => Self::Failed,
            Fault::NotFound | Fault::MethodNotAllowed | Fault::UnreadableBody | Fault::BodyTimeout => {
                Self::Refused
            }
        }
    }
}

impl From<&RejectionCode> for Conclusion {
    fn from(code: &RejectionCode) -> Self {
        match code {
            RejectionCode::VerificationFailed => Self::Unverified,
            RejectionCode::ProviderUnavailable | RejectionCode::StateUnavailable => Self::Failed,
            RejectionCode::UnknownSource
            | RejectionCode::InvalidRequest
            | RejectionCode::MethodNotAllowed(_)
            | RejectionCode::Other(_) => Self::Refused,
        }
    }
}
