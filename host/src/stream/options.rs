//! What is held to of readers.

use crate::clock::WallClock;
use ipnet::IpNet;
use std::time::Duration;

/// What is held to of readers.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// How many may read at once.
    pub readers: usize,
    /// How many may read with one token.
    pub readers_per_token: usize,
    /// How many may read from one address.
    pub readers_per_address: usize,
    /// Proxies, from which any number may: behind them are many, and not each protocol says who.
    pub proxies: Vec<IpNet>,
    /// How long nothing is said at most.
    pub heartbeat: Duration,
    /// After how long a stream is ended for its reader to begin another: about so long, so that not all end at once.
    pub rotate_after: Duration,
    /// How many bytes of events one reader is given at once, the first event's aside: it is what one that takes nothing holds.
    pub buffer: usize,
    /// How long a reader may take nothing of what is there for it before it is cut off.
    pub stall: Duration,
    /// Whether readers that come and go are events of the log.
    pub events: bool,
    /// The clock of the gateway.
    pub clock: WallClock,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            readers: 900,
            readers_per_token: 100,
            readers_per_address: 100,
            proxies: Vec::new(),
            heartbeat: Duration::from_secs(15),
            rotate_after: Duration::from_mins(10),
            buffer: 256 << 10,
            stall: Duration::from_secs(30),
            events: false,
            clock: WallClock::default(),
        }
    }
}
