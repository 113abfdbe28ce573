//! What an operator writes about one source's verification.

use crate::request::UnixMillis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One source's verification: plain data, with every secret already resolved to text by the shell.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerificationConfig {
    /// A provider's name of the catalogue, `custom`, or `none`.
    pub scheme: String,
    /// The secrets; any of them may match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretConfig>,
    /// Replaces how old a signed timestamp may be, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past_seconds: Option<u64>,
    /// Replaces how far ahead of the clock a signed timestamp may be, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future_seconds: Option<u64>,
    /// The only variants of the scheme to accept; empty means the scheme's own choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<String>,
    /// The URL as the provider knows it, for schemes that sign it and proxies that change it. The request's query is
    /// added if this one has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Further values that the scheme asks for by name; they can be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// The scheme itself, in the catalogue's own language, where `scheme` is `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<serde_json::Value>,
}

/// One secret and when it counts.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretConfig {
    /// The secret, as the provider shows it.
    pub value: String,
    /// A name for it, to be shown instead of its position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// It counts from this instant on.
    #[serde(default, with = "instant", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
    /// It counts before this instant.
    #[serde(default, with = "instant", skip_serializing_if = "Option::is_none")]
    pub not_after: Option<UnixMillis>,
}

impl SecretConfig {
    /// A secret that always counts.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }
}

impl fmt::Debug for VerificationConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerificationConfig")
            .field("scheme", &self.scheme)
            .field("secrets", &self.secrets)
            .field("parameters", &self.parameters.keys())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SecretConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SecretConfig")
            .field("label", &self.label)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// An optional instant as a number of milliseconds.
mod instant {
    use crate::request::UnixMillis;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<UnixMillis>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UnixMillis>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(UnixMillis))
    }
}
