//! How others are called: `[outbound]`.

use super::Proxy;
use crate::config::section::{Keys, Kind, Section};
use crate::config::value::count;
use anglerfish_core::config::{Node, Table};

/// How others are called: `[outbound]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboundConfig {
    /// Connections in all, idle ones included; what the descriptor limit leaves if it is not set.
    pub max_connections: Option<usize>,
    /// Connections to one host and port.
    pub max_connections_per_host: Option<usize>,
    /// A proxy through which everything goes out.
    pub proxy: Option<Proxy>,
}

impl Section for OutboundConfig {
    const TABLE: &'static str = "outbound";
    const KEYS: Keys = &[
        ("max_connections", Kind::Integer),
        ("max_connections_per_host", Kind::Integer),
        ("proxy", Kind::Text),
        ("proxy_resolves", Kind::Boolean),
    ];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        let connections = |node: Node<'_>| count(&node, 1..=1_000_000);
        config.max_connections = table.get("max_connections").and_then(connections);
        config.max_connections_per_host = table.get("max_connections_per_host").and_then(connections);
        let resolves = table.get("proxy_resolves").and_then(|node| node.boolean()).unwrap_or_default();
        config.proxy = table.get("proxy").and_then(|node| {
            let proxy = Proxy::try_new(node.text()?, resolves);
            proxy.map_err(|error| node.report(error.to_string())).ok()
        });
        if resolves
            && table.get("proxy").is_none()
            && let Some(node) = table.get("proxy_resolves")
        {
            node.report("needs \"proxy\" beside it");
        }
        config
    }
}
