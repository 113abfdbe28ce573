//! The tables of all rooms.

use crate::config::section::{Keys, Section};
use crate::document::DocumentsConfig;
use crate::ingress::ServerConfig;
use crate::outbound::OutboundConfig;
use crate::passive::OutConfig;
use crate::store::StoreConfig;
use crate::telemetry::{LogConfig, TelemetryConfig};
use crate::web::AdminConfig;
use anglerfish_core::config::{Node, Problems, Table};
use anglerfish_core::problem::Problem;
use serde_json::Value;

/// The tables and their keys.
pub(super) const TABLES: &[(&str, Keys)] = &[
    (ServerConfig::TABLE, ServerConfig::KEYS),
    (AdminConfig::TABLE, AdminConfig::KEYS),
    (OutConfig::TABLE, OutConfig::KEYS),
    (DocumentsConfig::TABLE, DocumentsConfig::KEYS),
    (OutboundConfig::TABLE, OutboundConfig::KEYS),
    (StoreConfig::TABLE, StoreConfig::KEYS),
    (LogConfig::TABLE, LogConfig::KEYS),
    (TelemetryConfig::TABLE, TelemetryConfig::KEYS),
];

/// What the tables say.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    pub(crate) server: ServerConfig,
    pub(crate) admin: AdminConfig,
    pub(crate) out: OutConfig,
    pub(crate) documents: DocumentsConfig,
    pub(crate) outbound: OutboundConfig,
    pub(crate) store: StoreConfig,
    pub(crate) log: LogConfig,
    pub(crate) telemetry: TelemetryConfig,
}

impl Sections {
    /// Reads all tables, and refuses those that there are not.
    pub(super) fn read(document: &Value) -> (Self, Vec<Problem>) {
        /// A table that is missing is one without keys.
        fn read<T: Section>(root: &Table<'_>) -> T {
            root.get(T::TABLE).map_or_else(T::default, |node| T::of(&node))
        }
        let problems = Problems::default();
        let root = Node::root(document, "", &problems);
        let keys: Vec<&'static str> = TABLES
            .iter()
            .map(|(table, _)| *table)
            .chain(["source", "resource", "subscription", "api", "topic", "plugin"])
            .collect();
        let sections = root.table(&keys).map(|table| Self {
            server: read(&table),
            admin: read(&table),
            out: read(&table),
            documents: read(&table),
            outbound: read(&table),
            store: read(&table),
            log: read(&table),
            telemetry: read(&table),
        });
        (sections.unwrap_or_default(), problems.into_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::Written;

    fn written<T: Written>(config: &T) -> T {
        let (value, problems) = (config.written(), Problems::default());
        let read = T::of(&Node::root(&value, T::TABLE, &problems));
        assert_eq!(problems.into_vec(), []);
        read
    }

    #[test]
    fn tables_of_code_are_read_as_a_file_would_say_them() {
        let server =
            ServerConfig { max_queue: 7, public_url: Some("https://a.example".into()), ..Default::default() };
        assert_eq!(written(&server), server);
        let references = ["env:ORDERS_*"].into_iter().collect();
        let token = Some(anglerfish_core::config::Secret::new("sixteen-characters"));
        let admin = AdminConfig { token: token.clone(), references, ..AdminConfig::default() };
        assert_eq!(written(&admin), admin);
        let stall_timeout = Some(std::time::Duration::from_millis(1500));
        let out = OutConfig { stall_timeout, max_connections_per_address: Some(3), ..OutConfig::default() };
        assert_eq!(written(&out), out);
        let listen = Some(([127, 0, 0, 1], 1).into());
        let documents = DocumentsConfig { listen, token, max_connections: 7, ..DocumentsConfig::default() };
        assert_eq!(written(&documents), documents);
        let outbound = OutboundConfig { max_connections: Some(7), ..OutboundConfig::default() };
        assert_eq!(written(&outbound), outbound);
        let store = StoreConfig { retention: std::time::Duration::from_secs(61) };
        assert_eq!(written(&store), store);
    }
}
