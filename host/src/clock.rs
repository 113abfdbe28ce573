//! The wall clock and the random numbers of request ids, read where the shell needs them and handed on as arguments.

use anglerfish_core::request::{self, UnixMillis};
use std::time::{SystemTime, UNIX_EPOCH};

/// The present time. A clock set before 1970 reads as 0.
#[must_use]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A new id for a request that was received at this time.
#[must_use]
pub fn request_id(received: UnixMillis) -> String {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    request::request_id(received, random)
}
