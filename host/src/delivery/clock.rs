//! The two clocks that the engine is told.

use anglerfish_core::delivery::Now;
use anglerfish_core::request::UnixMillis;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Both clocks of a process. Everything else in this room gets the time from here.
#[derive(Clone)]
pub(super) struct Clock {
    wall: Arc<dyn Fn() -> UnixMillis + Send + Sync>,
    begun: Instant,
}

impl Clock {
    /// The system's clocks.
    #[expect(clippy::disallowed_methods, reason = "the one place where the time comes from")]
    pub(super) fn system() -> Self {
        Self { wall: Arc::new(crate::clock::now), begun: Instant::now() }
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "the one place where the time comes from")]
    pub(super) fn now(&self) -> Now {
        Now { wall: (self.wall)(), elapsed: Instant::now().saturating_duration_since(self.begun) }
    }

    /// The moment when so much time has passed, for a timer.
    pub(super) fn at(&self, elapsed: Duration) -> Instant {
        self.begun + elapsed
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Clock").field("begun", &self.begun).finish_non_exhaustive()
    }
}
