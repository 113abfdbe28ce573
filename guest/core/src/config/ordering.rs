//! In which order deliveries are made.

use serde::{Deserialize, Serialize};

/// Which deliveries of a subscription wait for each other, so that they are made in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderingConfig {
    /// None.
    #[default]
    None,
    /// All of them.
    Subscription,
    /// Those for whose events this CEL expression has the same value.
    Key(String),
}

impl OrderingConfig {
    /// Whether none wait for each other.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}
