//! By what, and in whose manner, what is sent is signed.

use crate::request::UnixMillis;
use crate::secret::Secret;
use std::time::Duration;

/// How what is sent is signed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SignatureStyle {
    /// As Standard Webhooks has it, by `whsec_…` and `whsk_…` keys.
    #[default]
    StandardWebhooks,
    /// As a provider of the catalogue signs what it sends.
    Provider(String),
}

impl SignatureStyle {
    /// The word of the configuration for [`SignatureStyle::StandardWebhooks`].
    pub const STANDARD: &'static str = "standard-webhooks";
    /// How long an old key signs along with the new one unless the endpoint says otherwise.
    pub const OVERLAP: Duration = Duration::from_hours(24);

    /// The word of the configuration.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::StandardWebhooks => Self::STANDARD,
            Self::Provider(name) => name,
        }
    }
}

/// A key that signs, and when it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyConfig {
    /// The key.
    pub value: Secret,
    /// It signs from this instant on.
    pub not_before: Option<UnixMillis>,
    /// It signs before this instant.
    pub not_after: Option<UnixMillis>,
}

impl SigningKeyConfig {
    /// A key that always signs.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: Secret::new(value), not_before: None, not_after: None }
    }

    /// Whether it signs at `now`.
    #[must_use]
    pub fn signs_at(&self, now: UnixMillis) -> bool {
        self.not_before.is_none_or(|from| from <= now) && self.not_after.is_none_or(|until| now < until)
    }
}
