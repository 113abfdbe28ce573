//! Why a request is refused.

use std::fmt;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status of the answer.
    pub status: u16,
    /// What went wrong, for programs.
    pub code: RejectionCode,
    /// What was missing, stale or malformed; never a secret and never the signature that was expected.
    pub reason: String,
}

/// What went wrong, as a stable word for programs. These are all there are; the contract's `rejection-code` has the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RejectionCode {
    /// There is no source of that name.
    UnknownSource,
    /// The signature, or what stands in for one, is missing, stale, used before or wrong.
    VerificationFailed,
    /// The request is verified but makes no event: an attribute is empty, too long or not text.
    InvalidRequest,
    /// The method is not one that this source takes; it takes these.
    MethodNotAllowed(Vec<String>),
    /// The provider's host did not give what verification needs; the same request may pass later.
    ProviderUnavailable,
    /// The key-value state could not be read or written; the same request may pass later.
    StateUnavailable,
    /// A word that this version does not know, from a later component.
    Other(String),
}

impl Rejection {
    /// A request by a method that is none of those that are taken.
    #[must_use]
    pub fn of_method(method: &str, taken: &[String]) -> Self {
        let reason = format!("events are sent with {}, not {method}", taken.join(" or "));
        Self { status: 405, code: RejectionCode::MethodNotAllowed(taken.to_vec()), reason }
    }
}

impl RejectionCode {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::UnknownSource => "unknown-source",
            Self::VerificationFailed => "verification-failed",
            Self::InvalidRequest => "invalid-request",
            Self::MethodNotAllowed(_) => "method-not-allowed",
            Self::ProviderUnavailable => "provider-unavailable",
            Self::StateUnavailable => "state-unavailable",
            Self::Other(word) => word,
        }
    }

    /// Whether it is the gateway or the provider that failed, so that the same request may pass later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::ProviderUnavailable | Self::StateUnavailable)
    }
}

impl fmt::Display for RejectionCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
