//! The wall clock, read where the shell needs it and handed on as an argument.

use anglerfish_core::request::UnixMillis;
use std::time::{SystemTime, UNIX_EPOCH};

/// The present time. A clock set before 1970 reads as 0.
#[must_use]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
