//! The listener of documents: `[documents]`.

use crate::config::section::{Keys, Kind, Section, Written, check_served};
use crate::config::value::{address, count, networks, set, size, token};
use anglerfish_core::config::{Secret, Table};
use bytesize::ByteSize;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;

/// The longest document that may be allowed: it goes through the component, and into the store.
const LARGEST: ByteSize = ByteSize::mib(8);
const MOST_CONNECTIONS: u64 = 1_000_000;

/// The listener of documents: `[documents]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentsConfig {
    /// Where it listens; nowhere if that is not said.
    pub listen: Option<SocketAddr>,
    /// What clients have to show.
    pub token: Option<Secret>,
    /// Open connections; further ones wait.
    pub max_connections: usize,
    /// The longest document, in bytes.
    pub body_limit: u64,
    /// Private networks that subscriptions of resources may call.
    pub allow_networks: Vec<String>,
}

impl Default for DocumentsConfig {
    fn default() -> Self {
        Self {
            listen: None,
            token: None,
            max_connections: 1024,
            body_limit: ByteSize::mib(1).as_u64(),
            allow_networks: Vec::new(),
        }
    }
}

impl Section for DocumentsConfig {
    const TABLE: &'static str = "documents";
    const KEYS: Keys = &[
        ("listen", Kind::Text),
        ("token", Kind::Text),
        ("max_connections", Kind::Integer),
        ("body_limit", Kind::Text),
        ("allow_networks", Kind::List),
    ];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        set(&mut config.listen, table.get("listen"), |node| address(node).map(Some));
        check_served(table.get("listen"));
        config.token = table.get("token").and_then(|node| token(&node));
        if let (Some(listen), Some(node)) = (config.listen, table.get("listen"))
            && !listen.ip().is_loopback()
            && table.get("token").is_none()
        {
            let hint = "give a token, or listen on a loopback address";
            node.report_with_hint("another address than loopback needs \"token\" beside it", hint);
        }
        set(&mut config.max_connections, table.get("max_connections"), |node| {
            count(node, 1..=MOST_CONNECTIONS)
        });
        set(&mut config.body_limit, table.get("body_limit"), |node| size(node, ByteSize(1)..=LARGEST));
        set(&mut config.allow_networks, table.get("allow_networks"), |node| {
            networks(node).map(|networks| networks.iter().map(ToString::to_string).collect())
        });
        config
    }
}

impl Written for DocumentsConfig {
    fn written(&self) -> Value {
        let mut table = Map::new();
        let mut put = |key: &str, value: Value| drop(table.insert(key.to_owned(), value));
        if let Some(listen) = self.listen {
            put("listen", json!(listen));
        }
        if let Some(token) = &self.token {
            put("token", json!(token.reveal()));
        }
        put("max_connections", json!(self.max_connections));
        put("body_limit", json!(self.body_limit));
        put("allow_networks", json!(self.allow_networks));
        Value::Object(table)
    }
}
