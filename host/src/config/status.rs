//! How the configuration in use came to be, and what became of the last attempt to change it.

use super::error::ConfigProblem;
use anglerfish_core::request::UnixMillis;
use serde::{Serialize, Serializer};

/// An instant as all of the API writes it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn rfc3339<S: Serializer>(instant: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    instant.rfc3339().serialize(serializer)
}

/// Why the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReloadCause {
    /// The process got SIGHUP.
    Signal,
    /// The management API was asked to.
    Api,
    /// The file changed.
    Watch,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReloadOutcome {
    /// The new configuration is in use.
    Applied,
    /// It has problems; the old one stays in use as it was.
    Refused,
    /// It has no problems, but something else failed; the old one stays in use as it was.
    Failed,
}

/// One attempt to read the configuration again.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReloadReport {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub at: UnixMillis,
    /// Why.
    pub cause: ReloadCause,
    /// How it ended.
    pub outcome: ReloadOutcome,
    /// What is wrong with the new configuration, all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ConfigProblem>,
    /// What failed, if that is not the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What changed: keys, and `source NAME` or `subscription NAME` with what became of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// What `GET /v1/config/status` says.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfigStatus {
    /// The configuration's file as it was named.
    pub file: String,
    /// How many configurations have been in use since the start, this one included.
    pub generation: u64,
    /// When the one in use was put in use.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub since: UnixMillis,
    /// Keys that read otherwise in the file than the process uses them, because they are only read at a start.
    pub needs_restart: Vec<String>,
    /// The last attempt to read it again, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<ReloadReport>,
}
