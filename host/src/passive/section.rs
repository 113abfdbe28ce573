//! The listener of subscribers: `[out]`.

use crate::config::section::{Keys, Kind, Section, Written};
use crate::config::value::{SECOND, address, count, milliseconds, set};
use anglerfish_core::config::{Node, Table};
use http::Uri;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Pages of more sites than this are all pages.
const MOST_ORIGINS: usize = 100;
/// Proxies cut what is silent for a minute.
const HEARTBEATS: RangeInclusive<Duration> = SECOND..=Duration::from_mins(1);
const BUFFERS: RangeInclusive<u64> = (16 << 10)..=(16 << 20);
const STALLS: RangeInclusive<Duration> = SECOND..=Duration::from_hours(1);
const ROTATIONS: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_hours(24);

/// The listener of subscribers, who lease or read: `[out]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutConfig {
    /// Where it listens; nowhere if that is not said.
    pub listen: Option<SocketAddr>,
    /// Where STOMP is spoken over TCP; nowhere if that is not said.
    pub stomp: Option<SocketAddr>,
    /// Open connections of each listener; further ones are told so and turned away. Whoever waits for a message or reads a stream has one.
    pub max_connections: usize,
    /// Of these, from one address that is no trusted proxy; further ones are refused. Without it half of them.
    pub max_connections_per_address: Option<usize>,
    /// Web pages that may ask, by their origins.
    pub allowed_origins: Vec<String>,
    /// How many may read streams at once.
    pub max_readers: usize,
    /// How many may read with one token.
    pub max_readers_per_token: usize,
    /// How many may read from one address.
    pub max_readers_per_address: usize,
    /// How long a stream is silent at most.
    pub heartbeat: Duration,
    /// After about how long a stream ends for its reader to begin another.
    pub rotate_after: Duration,
    /// How many bytes of events one reader is given at once: what one that takes nothing holds.
    pub reader_buffer: u64,
    /// How long a reader may take nothing before it is cut off; without it twice the heartbeat, and for HTTP also
    /// `server.idle_timeout` at least.
    pub stall_timeout: Option<Duration>,
    /// Whether readers that come and go are events of the log.
    pub reader_events: bool,
}

impl OutConfig {
    /// How long a reader that takes nothing is kept.
    #[must_use]
    pub fn stall(&self) -> Duration {
        self.stall_timeout.unwrap_or(self.heartbeat * 2)
    }

    /// The same for a connection of HTTP, which may also be idle so long between two requests. A stream that is only silent
    /// is not idle: it says something after each heartbeat.
    #[must_use]
    pub fn idle(&self, idle: Duration) -> Duration {
        self.stall_timeout.unwrap_or(idle).max(self.heartbeat * 2)
    }
}

impl Default for OutConfig {
    fn default() -> Self {
        Self {
            listen: None,
            stomp: None,
            max_connections: 1024,
            max_connections_per_address: None,
            allowed_origins: Vec::new(),
            max_readers: 900,
            max_readers_per_token: 100,
            max_readers_per_address: 100,
            heartbeat: Duration::from_secs(15),
            rotate_after: Duration::from_mins(10),
            reader_buffer: 256 << 10,
            stall_timeout: None,
            reader_events: false,
        }
    }
}

impl Section for OutConfig {
    const TABLE: &'static str = "out";
    const KEYS: Keys = &[
        ("listen", Kind::Text),
        ("stomp", Kind::Text),
        ("max_connections", Kind::Integer),
        ("max_connections_per_address", Kind::Integer),
        ("allowed_origins", Kind::List),
        ("max_readers", Kind::Integer),
        ("max_readers_per_token", Kind::Integer),
        ("max_readers_per_address", Kind::Integer),
        ("heartbeat", Kind::Text),
        ("rotate_after", Kind::Text),
        ("reader_buffer", Kind::Text),
        ("stall_timeout", Kind::Text),
        ("reader_events", Kind::Boolean),
    ];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        let many = |node: &Node<'_>| count(node, 1..=1_000_000);
        set(&mut config.listen, table.get("listen"), |node| address(node).map(Some));
        set(&mut config.stomp, table.get("stomp"), |node| address(node).map(Some));
        set(&mut config.max_connections, table.get("max_connections"), many);
        let per_address = table.get("max_connections_per_address");
        set(&mut config.max_connections_per_address, per_address, |node| many(node).map(Some));
        set(&mut config.allowed_origins, table.get("allowed_origins"), origins);
        set(&mut config.max_readers, table.get("max_readers"), many);
        set(&mut config.max_readers_per_token, table.get("max_readers_per_token"), many);
        set(&mut config.max_readers_per_address, table.get("max_readers_per_address"), many);
        set(&mut config.heartbeat, table.get("heartbeat"), |node| node.duration(HEARTBEATS));
        set(&mut config.rotate_after, table.get("rotate_after"), |node| node.duration(ROTATIONS));
        set(&mut config.reader_buffer, table.get("reader_buffer"), |node| node.size(BUFFERS));
        set(&mut config.stall_timeout, table.get("stall_timeout"), |node| node.duration(STALLS).map(Some));
        set(&mut config.reader_events, table.get("reader_events"), |node| node.boolean());
        config
    }
}

impl Written for OutConfig {
    fn written(&self) -> Value {
        let mut table = Map::new();
        let mut put = |key: &str, value: Value| drop(table.insert(key.to_owned(), value));
        put("max_connections", json!(self.max_connections));
        if let Some(connections) = self.max_connections_per_address {
            put("max_connections_per_address", json!(connections));
        }
        put("allowed_origins", json!(self.allowed_origins));
        put("max_readers", json!(self.max_readers));
        put("max_readers_per_token", json!(self.max_readers_per_token));
        put("max_readers_per_address", json!(self.max_readers_per_address));
        put("heartbeat", json!(milliseconds(self.heartbeat)));
        put("rotate_after", json!(milliseconds(self.rotate_after)));
        put("reader_buffer", json!(self.reader_buffer));
        if let Some(stall) = self.stall_timeout {
            put("stall_timeout", json!(milliseconds(stall)));
        }
        Value::Object(table)
    }
}

/// Origins of web pages; what is none is reported and left out.
fn origins(node: &Node<'_>) -> Option<Vec<String>> {
    let mut origins = Vec::new();
    for item in node.items_up_to(MOST_ORIGINS)? {
        let Some(text) = item.text() else { continue };
        if text == "*" || is_origin(text) {
            origins.push(text.to_owned());
        } else {
            let hint = "write \"https://app.example\", without a path, or \"*\" for every page";
            item.report_with_hint("not an origin", hint);
        }
    }
    Some(origins)
}

/// A scheme, a host and perhaps a port, as browsers send it.
fn is_origin(text: &str) -> bool {
    let rest = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', '@']))
        && text.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path() {
        for text in ["https://app.example", "http://localhost:3000", "http://[::1]:80"] {
            assert!(is_origin(text), "{text}");
        }
        for text in ["app.example", "https://", "https://a/", "https://a/b", "https://u@a", "null", "ftp://a"]
        {
            assert!(!is_origin(text), "{text}");
        }
    }
}
