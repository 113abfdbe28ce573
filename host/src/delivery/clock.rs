//! The wall clock.

use anglerfish_core::request::UnixMillis;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now. A clock set before 1970 counts as 1970.
pub(super) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
