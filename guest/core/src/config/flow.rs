//! How fast a subscription goes, when it stops by itself, and how much may wait for it.

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

impl RateConfig {
    /// The time between two, rounded up: the rate is never exceeded.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let nanos = self.period.as_nanos().div_ceil(u128::from(self.count.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
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

/// How many deliveries of a subscription may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogConfig {
    /// So many; `None` is as many as there is room for.
    pub max: Option<u64>,
    /// So many bytes of data together; what does not fit by itself goes alone.
    pub bytes: Option<u64>,
    /// What becomes of what is too much.
    pub full: Overflow,
}

/// What becomes of what a full backlog has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The new delivery is dead from the start.
    #[default]
    Refuse,
    /// The delivery that has been due for longest and is not being attempted ends as dead, and makes room.
    DropOldest,
    /// What comes stays in the log: no deliveries are made until there is room for the oldest of what stayed there.
    Pause,
}

impl Overflow {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Refuse, Self::DropOldest, Self::Pause];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::DropOldest => "drop-oldest",
            Self::Pause => "pause",
        }
    }
}
