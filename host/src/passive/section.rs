//! The listener of passive subscriptions: `[out]`.

use crate::config::section::{Keys, Kind, Section};
use crate::config::value::{address, count, set};
use anglerfish_core::config::Table;
use std::net::SocketAddr;

/// The listener of passive subscriptions: `[out]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutConfig {
    /// Where it listens; nowhere if that is not said.
    pub listen: Option<SocketAddr>,
    /// Open connections; further ones wait. Whoever waits for a message has one.
    pub max_connections: usize,
}

impl Default for OutConfig {
    fn default() -> Self {
        Self { listen: None, max_connections: 1024 }
    }
}

impl Section for OutConfig {
    const TABLE: &'static str = "out";
    const KEYS: Keys = &[("listen", Kind::Text), ("max_connections", Kind::Integer)];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        set(&mut config.listen, table.get("listen"), |node| address(node).map(Some));
        set(&mut config.max_connections, table.get("max_connections"), |node| count(node, 1..=1_000_000));
        config
    }
}
