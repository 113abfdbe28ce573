//! How events are taken in and decided: `[server]`.

use super::is_prefix;
use crate::config::section::{Keys, Kind, Section, Written};
use crate::config::value::{HOUR, SECOND, address, count, milliseconds, networks, set, size};
use anglerfish_core::config::{Node, Table};
use bytesize::ByteSize;
use ipnet::IpNet;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How events are taken in and decided: `[server]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// Where events are taken in.
    pub listen: SocketAddr,
    /// Where the store and the compiled component are kept. A relative one is relative to the configuration file, or to
    /// the working directory if it comes from the environment.
    pub data_dir: PathBuf,
    /// The longest body in bytes.
    pub body_limit: u64,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How many bytes all requests together may hold before they are verified.
    pub body_memory: u64,
    /// How long the header of a request may take to arrive; of the first one from accepting the connection on.
    pub header_timeout: Duration,
    /// How long a connection may be open between two requests.
    pub idle_timeout: Duration,
    /// Open connections; further ones wait.
    pub max_connections: usize,
    /// Requests under way at once; further ones are answered 503.
    pub max_requests: usize,
    /// Decisions that may wait for a worker; further ones are answered 503.
    pub max_queue: usize,
    /// Threads that decide, each with an instance of the component; as many as there are processors by default.
    pub workers: usize,
    /// How long one decision may take.
    pub decision_timeout: Duration,
    /// Memory of one instance of the component in bytes, its routing table included.
    pub memory_limit: u64,
    /// How long requests and attempts under way may take when the gateway stops.
    pub shutdown_timeout: Duration,
    /// Proxies whose `X-Forwarded-*` fields count.
    pub trusted_proxies: Vec<IpNet>,
    /// The path below which a proxy serves the gateway; empty if there is none.
    pub path_prefix: String,
    /// How others reach the gateway: what the addresses of callbacks begin with. Without it they begin with the address that
    /// it listens on, if that is one.
    pub public_url: Option<String>,
    /// Private networks that every subscription may call. They are part of each subscription's own list already.
    pub allow_networks: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from("data"),
            body_limit: 1 << 20,
            body_timeout: Duration::from_secs(30),
            body_memory: 64 << 20,
            header_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            max_connections: 16_384,
            max_requests: 1024,
            max_queue: 1024,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            decision_timeout: Duration::from_secs(1),
            memory_limit: 512 << 20,
            shutdown_timeout: Duration::from_secs(10),
            trusted_proxies: Vec::new(),
            path_prefix: String::new(),
            public_url: None,
            allow_networks: Vec::new(),
        }
    }
}

impl Section for ServerConfig {
    const TABLE: &'static str = "server";
    const KEYS: Keys = &[
        ("listen", Kind::Text),
        ("data_dir", Kind::Text),
        ("body_limit", Kind::Text),
        ("body_timeout", Kind::Text),
        ("body_memory", Kind::Text),
        ("header_timeout", Kind::Text),
        ("idle_timeout", Kind::Text),
        ("max_connections", Kind::Integer),
        ("max_requests", Kind::Integer),
        ("max_queue", Kind::Integer),
        ("workers", Kind::Integer),
        ("decision_timeout", Kind::Text),
        ("memory_limit", Kind::Text),
        ("shutdown_timeout", Kind::Text),
        ("trusted_proxies", Kind::List),
        ("path_prefix", Kind::Text),
        ("public_url", Kind::Text),
        ("allow_networks", Kind::List),
    ];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        let times = SECOND / 100..=HOUR;
        set(&mut config.listen, table.get("listen"), address);
        set(&mut config.data_dir, table.get("data_dir"), |node| node.text().map(PathBuf::from));
        set(&mut config.body_limit, table.get("body_limit"), |node| {
            size(node, ByteSize::b(1)..=ByteSize::mib(256))
        });
        set(&mut config.body_timeout, table.get("body_timeout"), |node| node.duration(times.clone()));
        set(&mut config.body_memory, table.get("body_memory"), |node| {
            size(node, ByteSize::mib(1)..=ByteSize::gib(64))
        });
        set(&mut config.idle_timeout, table.get("idle_timeout"), |node| node.duration(times.clone()));
        // A body that fits its limit and nowhere else would be refused each time.
        if config.body_memory < config.body_limit.saturating_mul(2) {
            match table.get("body_memory") {
                Some(node) => node.report("must be twice `body_limit` at least"),
                None => config.body_memory = config.body_limit.saturating_mul(2),
            }
        }
        set(&mut config.header_timeout, table.get("header_timeout"), |node| node.duration(times.clone()));
        set(&mut config.max_connections, table.get("max_connections"), |node| count(node, 1..=1_000_000));
        set(&mut config.max_requests, table.get("max_requests"), |node| count(node, 1..=1_000_000));
        set(&mut config.max_queue, table.get("max_queue"), |node| count(node, 1..=1_000_000));
        set(&mut config.workers, table.get("workers"), |node| count(node, 1..=1024));
        set(&mut config.decision_timeout, table.get("decision_timeout"), |node| {
            node.duration(SECOND / 100..=SECOND * 60)
        });
        set(&mut config.memory_limit, table.get("memory_limit"), |node| {
            size(node, ByteSize::mib(16)..=ByteSize::mib(4095))
        });
        set(&mut config.shutdown_timeout, table.get("shutdown_timeout"), |node| {
            node.duration(Duration::ZERO..=HOUR)
        });
        set(&mut config.trusted_proxies, table.get("trusted_proxies"), networks);
        set(&mut config.path_prefix, table.get("path_prefix"), path_prefix);
        config.public_url = table.get("public_url").and_then(|node| public_url(&node));
        set(&mut config.allow_networks, table.get("allow_networks"), |node| {
            Some(networks(node)?.iter().map(ToString::to_string).collect())
        });
        config
    }
}

impl Written for ServerConfig {
    fn written(&self) -> Value {
        let mut table = json!({
            "body_limit": self.body_limit,
            "body_timeout": milliseconds(self.body_timeout),
            "body_memory": self.body_memory,
            "header_timeout": milliseconds(self.header_timeout),
            "idle_timeout": milliseconds(self.idle_timeout),
            "max_connections": self.max_connections,
            "max_requests": self.max_requests,
            "max_queue": self.max_queue,
            "workers": self.workers,
            "decision_timeout": milliseconds(self.decision_timeout),
            "memory_limit": self.memory_limit,
            "shutdown_timeout": milliseconds(self.shutdown_timeout),
            "path_prefix": self.path_prefix,
            "allow_networks": self.allow_networks,
        });
        if let (Value::Object(table), Some(url)) = (&mut table, &self.public_url) {
            table.insert("public_url".to_owned(), json!(url));
        }
        table
    }
}

/// An absolute URL without a query and without the slash at its end.
fn public_url(node: &Node<'_>) -> Option<String> {
    let text = node.text()?.trim_end_matches('/');
    let uri = text.parse::<http::Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.query().is_none()
    });
    if uri.is_none() || text.contains(['@', '#']) {
        node.report_with_hint("not the URL of this gateway", "write \"https://hooks.example.com\"");
        return None;
    }
    Some(text.to_owned())
}

/// A path without the slash at its end.
fn path_prefix(node: &Node<'_>) -> Option<String> {
    let prefix = node.string()?.trim_end_matches('/');
    if !prefix.is_empty() && !is_prefix(prefix) {
        node.report_with_hint("not a path", "write \"/hooks\"");
        return None;
    }
    Some(prefix.to_owned())
}
