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

/// A new random name: a UUID of version 4 (RFC 9562, section 5.4).
#[must_use]
pub fn uuid() -> String {
    let mut random = [0_u8; 16];
    fastrand::fill(&mut random);
    let mut number = u128::from_be_bytes(random);
    number = number & !(0xf << 76) | (0x4 << 76);
    number = number & !(0x3 << 62) | (0x2 << 62);
    let text = format!("{number:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
