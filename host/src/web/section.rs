//! The management API: `[admin]`.

use crate::config::section::{Keys, Kind, Section, Written, check_served};
use crate::config::value::{address, networks, set, token};
use crate::config::{NetworkList, ReferenceList};
use anglerfish_core::config::{Secret, Table};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;

/// The management API: `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where it listens; a loopback address unless there is a token.
    pub listen: SocketAddr,
    /// What clients have to show.
    pub token: Option<Secret>,
    /// The references to secrets that subscriptions written at run time may use.
    pub references: ReferenceList,
    /// The networks that subscriptions written at run time may open.
    pub networks: NetworkList,
    /// The API that requests go to which are made at `/request/{uuid}`; without one there is no such address.
    pub requests: Option<String>,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            token: None,
            references: ReferenceList::default(),
            networks: NetworkList::default(),
            requests: None,
        }
    }
}

impl Section for AdminConfig {
    const TABLE: &'static str = "admin";
    const KEYS: Keys = &[
        ("listen", Kind::Text),
        ("token", Kind::Text),
        ("references", Kind::List),
        ("networks", Kind::List),
        ("requests", Kind::Text),
    ];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        set(&mut config.listen, table.get("listen"), address);
        check_served(table.get("listen"));
        let token = table.get("token");
        config.token = token.and_then(|node| self::token(&node));
        if !config.listen.ip().is_loopback() && token.is_none() {
            report_open(table);
        }
        if let Some(node) = table.get("references") {
            set(&mut config.references, Some(node), ReferenceList::read);
            if token.is_none() {
                let hint = "without one every program on this machine could have those secrets sent to it";
                node.report_with_hint("needs \"token\" beside it", hint);
            }
        }
        set(&mut config.networks, table.get("networks"), |node| networks(node).map(NetworkList::new));
        check_served(table.get("requests"));
        config.requests = table.get("requests").and_then(|node| node.text().map(str::to_owned));
        config
    }
}

impl Written for AdminConfig {
    fn written(&self) -> Value {
        let mut table = Map::new();
        table.insert("listen".to_owned(), json!(self.listen));
        if let Some(token) = &self.token {
            table.insert("token".to_owned(), json!(token.reveal()));
        }
        if self.references != ReferenceList::default() {
            table.insert("references".to_owned(), json!(self.references.patterns()));
        }
        if let Some(requests) = &self.requests {
            table.insert("requests".to_owned(), json!(requests));
        }
        Value::Object(table)
    }
}

fn report_open(table: &Table<'_>) {
    if let Some(node) = table.get("listen") {
        let hint = "give a token, or listen on a loopback address";
        node.report_with_hint("another address than loopback needs \"token\" beside it", hint);
    }
}
