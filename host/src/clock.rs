//! The wall clock, read where the shell needs it and handed on as an argument.

use anglerfish_core::request::UnixMillis;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The present time. A clock set before 1970 reads as 0.
#[must_use]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// An instant as RFC 3339 has it, in UTC. `None` beyond the year 9999, which that format cannot write.
#[must_use]
pub fn rfc3339(instant: UnixMillis) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(instant.0) * 1_000_000).ok()?.format(&Rfc3339).ok()
}

/// Reads an instant as RFC 3339 has it. `None` if it is none, or before 1970.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<UnixMillis> {
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    u64::try_from(nanos).ok().map(|nanos| UnixMillis(nanos / 1_000_000))
}
