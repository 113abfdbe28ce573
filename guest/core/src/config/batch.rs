//! How many events go to an endpoint in one request.

use std::time::Duration;

/// Several events in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchConfig {
    /// How many at most.
    pub max: usize,
    /// How long the first one waits for others.
    pub wait: Duration,
    /// How many bytes the body has at most; an event that is larger by itself goes alone.
    pub max_bytes: u64,
}

impl Default for BatchConfig {
    /// 100 events, one second, 1 MiB.
    fn default() -> Self {
        Self { max: 100, wait: Duration::from_secs(1), max_bytes: 1 << 20 }
    }
}
