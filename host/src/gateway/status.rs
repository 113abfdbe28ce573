//! Why a new configuration is not used, and what is said about it.

use super::GatewayError;
use crate::config::{ConfigError, ReloadCause, ReloadOutcome, ReloadReport};
use crate::subscription::SubscriptionChanges;
use anglerfish_core::request::UnixMillis;
use std::fmt;

/// What is said of a configuration that is in use now.
pub(super) fn applied(at: UnixMillis, cause: ReloadCause, changes: Vec<String>) -> ReloadReport {
    let outcome = ReloadOutcome::Applied;
    ReloadReport { at, cause, outcome, problems: Vec::new(), error: None, changes }
}

/// What is said of one that is not.
pub(super) fn refused(at: UnixMillis, cause: ReloadCause, refusal: Refusal) -> ReloadReport {
    let (outcome, problems, error) = match refusal {
        Refusal::Config(ConfigError::Invalid(problems)) => (ReloadOutcome::Refused, problems, None),
        Refusal::Config(error) => (ReloadOutcome::Refused, Vec::new(), Some(error.to_string())),
        Refusal::Other(error) => (ReloadOutcome::Failed, Vec::new(), Some(error)),
    };
    ReloadReport { at, cause, outcome, problems, error, changes: Vec::new() }
}

/// Why a new configuration is not used.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It has problems.
    Config(ConfigError),
    /// Something else failed.
    Other(String),
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<GatewayError> for Refusal {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Config(error) => Self::Config(error),
            error => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(formatter, "{error}"),
            Self::Other(error) => formatter.write_str(error),
        }
    }
}

/// The changes of subscriptions as lines.
pub(super) fn subscription_lines(changes: &SubscriptionChanges) -> Vec<String> {
    let SubscriptionChanges { added, removed, changed, invalid } = changes;
    let kinds = [
        (added, "added"),
        (changed, "changed"),
        (removed, "removed"),
        (invalid, "cannot be used any more: `anglerfish subscriptions show` tells why"),
    ];
    kinds
        .into_iter()
        .flat_map(|(ids, what)| ids.iter().map(move |id| format!("subscription {id} {what}")))
        .collect()
}
