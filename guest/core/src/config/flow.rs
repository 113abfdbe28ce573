//! How fast a subscription goes, and when it stops by itself.

use std::time::Duration;

/// So many attempts in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateConfig {
    /// How many attempts may start.
    pub count: u32,
    /// In which time.
    pub period: Duration,
    /// How many of them may start at once after a pause.
    pub burst: u32,
}

/// When attempts stop because they fail, until one of them is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// What stops them.
    pub trip: BreakerTrip,
    /// How long nothing is attempted before one attempt finds out.
    pub probe: Duration,
}

/// What opens a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerTrip {
    /// So many failures, one after the other.
    Failures(u32),
    /// So many thousandths of the last attempts failed.
    Ratio {
        /// From 1 to 1000.
        thousandths: u32,
        /// Of so many attempts, at most 64.
        of: u32,
    },
}

impl Default for BreakerConfig {
    /// 50 failures one after the other; then an attempt every 5 seconds, which is how long the first retry waits as well.
    fn default() -> Self {
        Self { trip: BreakerTrip::Failures(50), probe: Duration::from_secs(5) }
    }
}
