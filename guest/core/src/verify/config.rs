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
    /// added to its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Further values that the scheme asks for by name; they can be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// The scheme itself, in the catalogue's own language, where `scheme` is `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<serde_json::Value>,
    /// Where the event's attributes are, in the place of what the scheme says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventConfig>,
    /// How repetitions are told, in the place of what the scheme says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplicate: Option<DeduplicateConfig>,
    /// What is answered to an accepted event, in the place of what the scheme says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerConfig>,
    /// Which array of a body holds an event in each of its elements; without one a request is one event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitConfig>,
    /// The methods of requests that are events; empty means the scheme's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Fields of a form that hold JSON, besides the scheme's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json_fields: Vec<String>,
}

/// Where the attributes of a source's events are. A text is a place (`header:x-id`, `json:/id`), a template with places in
/// braces, or `none` for no such attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventConfig {
    /// What makes up the identifier, all of it together; it is unique for the event then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Vec<String>>,
    /// The type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeConfig>,
}

/// Where an instant is and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeConfig {
    /// The place, or `none`.
    pub at: String,
    /// `rfc3339`, `seconds` or `milliseconds`.
    pub unit: String,
}

/// How repetitions are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeduplicateConfig {
    /// Every request is an event of its own.
    Never,
    /// Requests with the same of all of these are one event.
    By {
        /// Places: `header:x`, `json:/x`, `query:x`, `form:x`, `body`.
        places: Vec<String>,
        /// For how many seconds; `None` is as long as they are remembered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_seconds: Option<u64>,
    },
}

/// Which array of a body holds an event in each of its elements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SplitConfig {
    /// The one that the scheme knows.
    Documented,
    /// This one: `json:/events`, or `json:` for the whole body.
    At(String),
}

/// What is answered to an accepted event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerConfig {
    /// The gateway's own receipt: 202 with the event's id as JSON.
    Receipt,
    /// This one.
    Fixed {
        /// The status, 200 to 299.
        status: u16,
        /// The body, as it is.
        body: String,
        /// Its media type; empty if it has none.
        content_type: String,
    },
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

    /// Whether it counts at `now`.
    #[must_use]
    pub fn counts_at(&self, now: UnixMillis) -> bool {
        self.not_before.is_none_or(|from| from <= now) && self.not_after.is_none_or(|until| now < until)
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
