//! The time for a command that a person runs: the system's.

use crate::clock::WallClock;
use anglerfish_core::request::UnixMillis;

/// The present time.
pub(crate) fn now() -> UnixMillis {
    WallClock::default().now()
}
