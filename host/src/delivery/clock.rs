//! The two clocks that the engine is told.

use crate::clock::WallClock;
use anglerfish_core::delivery::Now;
use std::time::Duration;
use tokio::time::Instant;

/// Both clocks of a gateway. Everything else in this room gets the time from here.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    wall: WallClock,
    begun: Instant,
}

impl Clock {
    /// This wall clock, and one that goes on whatever that says.
    #[expect(clippy::disallowed_methods, reason = "the one place where the time comes from")]
    pub(super) fn new(wall: WallClock) -> Self {
        Self { wall, begun: Instant::now() }
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "the one place where the time comes from")]
    pub(super) fn now(&self) -> Now {
        Now { wall: self.wall.now(), elapsed: Instant::now().saturating_duration_since(self.begun) }
    }

    /// The moment when so much time has passed, for a timer.
    pub(super) fn at(&self, elapsed: Duration) -> Instant {
        self.begun + elapsed
    }
}
