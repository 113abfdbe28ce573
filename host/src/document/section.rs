//! The listener of documents: `[documents]`.

use crate::config::section::{Keys, Kind, Section};
use crate::config::value::{address, count, set, size};
use anglerfish_core::config::{Node, Secret, Table};
use bytesize::ByteSize;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::str::FromStr;

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
        set(&mut config.allow_networks, table.get("allow_networks"), networks);
        config
    }
}

/// A token that can stand in an `Authorization` field and cannot be guessed.
fn token(node: &Node<'_>) -> Option<Secret> {
    const SHORTEST: usize = 16;
    let text = node.text()?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.report("must be printable ASCII without spaces");
    } else if text.len() < SHORTEST {
        let hint = "make one with: openssl rand -hex 32";
        node.report_with_hint(format!("must have at least {SHORTEST} characters"), hint);
    } else {
        return Some(Secret::new(text));
    }
    None
}

fn networks(node: &Node<'_>) -> Option<Vec<String>> {
    let mut networks = Vec::new();
    for item in node.items()? {
        let Some(text) = item.text() else { continue };
        match IpNet::from_str(text) {
            Ok(_) => networks.push(text.to_owned()),
            Err(_) => item.report_with_hint(
                "not a network",
                "write \"10.0.0.0/8\", or \"10.1.2.3/32\" for one address",
            ),
        }
    }
    Some(networks)
}
