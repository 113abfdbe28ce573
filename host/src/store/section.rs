//! The store: `[store]`.

use crate::config::section::{Keys, Kind, Section, Written};
use crate::config::value::{SECOND, YEAR, milliseconds, set};
use anglerfish_core::config::Table;
use serde_json::{Value, json};
use std::time::Duration;

/// The store: `[store]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// How long events, attempts and keys are kept.
    pub retention: Duration,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { retention: Duration::from_secs(7 * 24 * 3600) }
    }
}

impl Section for StoreConfig {
    const TABLE: &'static str = "store";
    const KEYS: Keys = &[("retention", Kind::Text)];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        set(&mut config.retention, table.get("retention"), |node| node.duration(SECOND * 60..=YEAR * 10));
        config
    }
}

impl Written for StoreConfig {
    fn written(&self) -> Value {
        json!({"retention": milliseconds(self.retention)})
    }
}
