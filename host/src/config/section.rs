//! The host's own tables: `[server]`, `[admin]`, `[outbound]`, `[store]` and `[log]`.

use super::network::NetworkList;
use super::reference::ReferenceList;
use crate::outbound::Proxy;
use crate::telemetry::LogFormat;
use anglerfish_core::config::{Node, Secret, Table};
use bytesize::ByteSize;
use ipnet::IpNet;
use serde_json::Value;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// How an environment variable's text becomes the value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As it is.
    Text,
    /// A number.
    Integer,
    /// Texts separated by commas.
    List,
    /// `true` or `false`.
    Boolean,
}

/// The tables and their keys.
pub(super) const TABLES: &[(&str, &[(&str, Kind)])] = &[
    (
        "server",
        &[
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
            ("allow_networks", Kind::List),
        ],
    ),
    (
        "admin",
        &[
            ("listen", Kind::Text),
            ("token", Kind::Text),
            ("references", Kind::List),
            ("networks", Kind::List),
        ],
    ),
    (
        "outbound",
        &[
            ("max_connections", Kind::Integer),
            ("max_connections_per_host", Kind::Integer),
            ("proxy", Kind::Text),
            ("proxy_resolves", Kind::Boolean),
        ],
    ),
    ("store", &[("retention", Kind::Text)]),
    ("log", &[("filter", Kind::Text), ("format", Kind::Text)]),
    ("telemetry", &[("otlp", Kind::Text)]),
];

/// The keys of a table.
pub(super) fn keys(table: &str) -> Vec<&'static str> {
    let known = TABLES.iter().find(|(name, _)| *name == table);
    known.into_iter().flat_map(|(_, keys)| keys.iter().map(|(key, _)| *key)).collect()
}

/// The kind of a key, if there is such a key.
pub(super) fn kind(table: &str, key: &str) -> Option<Kind> {
    let (_, keys) = TABLES.iter().find(|(name, _)| *name == table)?;
    keys.iter().find(|(name, _)| *name == key).map(|(_, kind)| *kind)
}

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
    /// Private networks that every subscription may call. They are part of each subscription's own list already.
    pub allow_networks: Vec<String>,
}

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
}

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

/// The store: `[store]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// How long events, attempts and keys are kept.
    pub retention: Duration,
}

/// Log lines: `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A level (`info`) or a list of directives (`info,anglerfish::delivery=debug`).
    pub filter: String,
    /// How lines are written.
    pub format: LogFormat,
}

/// Traces: `[telemetry]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// The collector that traces are sent to, by OTLP over HTTP; without one none are made.
    pub otlp: Option<String>,
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
            allow_networks: Vec::new(),
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            token: None,
            references: ReferenceList::default(),
            networks: NetworkList::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { retention: Duration::from_secs(7 * 24 * 3600) }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// The mean year, as durations are written with units.
const YEAR: Duration = Duration::from_secs(31_557_600);

/// Reads `[server]`; what has a problem keeps its default.
pub(super) fn server(node: &Node<'_>) -> ServerConfig {
    let mut config = ServerConfig::default();
    let Some(table) = node.table(&keys("server")) else { return config };
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
    set(&mut config.allow_networks, table.get("allow_networks"), |node| {
        Some(networks(node)?.iter().map(ToString::to_string).collect())
    });
    config
}

/// Reads `[admin]`.
pub(super) fn admin(node: &Node<'_>) -> AdminConfig {
    let mut config = AdminConfig::default();
    let Some(table) = node.table(&keys("admin")) else { return config };
    set(&mut config.listen, table.get("listen"), address);
    let token = table.get("token");
    config.token = token.and_then(|node| self::token(&node));
    if !config.listen.ip().is_loopback() && token.is_none() {
        report_open(&table);
    }
    if let Some(node) = table.get("references") {
        set(&mut config.references, Some(node), ReferenceList::read);
        if token.is_none() {
            let hint = "without one every program on this machine could have those secrets sent to it";
            node.report_with_hint("needs \"token\" beside it", hint);
        }
    }
    set(&mut config.networks, table.get("networks"), |node| networks(node).map(NetworkList::new));
    config
}

/// Reads `[outbound]`.
pub(super) fn outbound(node: &Node<'_>) -> OutboundConfig {
    let mut config = OutboundConfig::default();
    let Some(table) = node.table(&keys("outbound")) else { return config };
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

fn report_open(table: &Table<'_>) {
    if let Some(node) = table.get("listen") {
        let hint = "give a token, or listen on a loopback address";
        node.report_with_hint("another address than loopback needs \"token\" beside it", hint);
    }
}

/// A token that can stand in an `Authorization` field and cannot be guessed.
fn token(node: &Node<'_>) -> Option<Secret> {
    const SHORTEST: usize = 16;
    let text = node.text()?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.report("must be printable ASCII without spaces");
        return None;
    }
    if text.len() < SHORTEST {
        let hint = "make one with: openssl rand -hex 32";
        node.report_with_hint(format!("must have at least {SHORTEST} characters"), hint);
        return None;
    }
    Some(Secret::new(text))
}

/// Reads `[store]`.
pub(super) fn store(node: &Node<'_>) -> StoreConfig {
    let mut config = StoreConfig::default();
    let Some(table) = node.table(&keys("store")) else { return config };
    set(&mut config.retention, table.get("retention"), |node| node.duration(SECOND * 60..=YEAR * 10));
    config
}

/// Reads `[log]`.
pub(super) fn log(node: &Node<'_>) -> LogConfig {
    let mut config = LogConfig::default();
    let Some(table) = node.table(&keys("log")) else { return config };
    set(&mut config.filter, table.get("filter"), |node| {
        let text = node.text()?;
        if EnvFilter::builder().parse(text).is_err() {
            let hint =
                "write a level such as \"info\", or directives such as \"info,anglerfish::delivery=debug\"";
            node.report_with_hint("not a log filter", hint);
            return None;
        }
        Some(text.to_owned())
    });
    set(&mut config.format, table.get("format"), |node| match node.string()? {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => {
            node.report("must be \"text\" or \"json\"");
            None
        }
    });
    config
}

/// Reads `[telemetry]`.
pub(super) fn telemetry(node: &Node<'_>) -> TelemetryConfig {
    let mut config = TelemetryConfig::default();
    let Some(table) = node.table(&keys("telemetry")) else { return config };
    config.otlp = table.get("otlp").and_then(|node| {
        let text = node.text()?;
        let uri = text.parse::<http::Uri>().ok().filter(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        if uri.is_none() {
            node.report_with_hint("not a URL", "write one such as \"http://127.0.0.1:4318\"");
        }
        uri.map(|_| text.to_owned())
    });
    config
}

fn set<T>(target: &mut T, node: Option<Node<'_>>, read: impl FnOnce(&Node<'_>) -> Option<T>) {
    if let Some(value) = node.and_then(|node| read(&node)) {
        *target = value;
    }
}

fn address(node: &Node<'_>) -> Option<SocketAddr> {
    let text = node.text()?;
    let address = SocketAddr::from_str(text).ok();
    if address.is_none() {
        node.report_with_hint("not an address", "write an IP address and a port, such as \"127.0.0.1:8080\"");
    }
    address
}

fn count(node: &Node<'_>, bounds: RangeInclusive<u64>) -> Option<usize> {
    node.integer(bounds).and_then(|count| usize::try_from(count).ok())
}

fn size(node: &Node<'_>, bounds: RangeInclusive<ByteSize>) -> Option<u64> {
    let size = match node.value() {
        Value::Number(number) => number.as_u64().map(ByteSize::b),
        Value::String(text) => ByteSize::from_str(text).ok(),
        _ => None,
    };
    match size {
        None => {
            node.report_with_hint("not a size", "write bytes, or a number with a unit such as \"1MiB\"");
            None
        }
        Some(size) if !bounds.contains(&size) => {
            node.report(format!("must be from {} to {}", bounds.start(), bounds.end()));
            None
        }
        Some(size) => Some(size.as_u64()),
    }
}

/// A path without the slash at its end.
fn path_prefix(node: &Node<'_>) -> Option<String> {
    let prefix = node.string()?.trim_end_matches('/');
    if !prefix.is_empty() && !crate::ingress::is_prefix(prefix) {
        node.report_with_hint("not a path", "write \"/hooks\"");
        return None;
    }
    Some(prefix.to_owned())
}

fn networks(node: &Node<'_>) -> Option<Vec<IpNet>> {
    let mut networks = Vec::new();
    for item in node.items()? {
        let Some(text) = item.text() else { continue };
        match IpNet::from_str(text) {
            Ok(network) => networks.push(network),
            Err(_) => {
                item.report_with_hint(
                    "not a network",
                    "write \"10.0.0.0/8\", or \"10.1.2.3/32\" for one address",
                );
            }
        }
    }
    Some(networks)
}

#[cfg(test)]
mod tests;
