//! The fields that say when a rate limit starts anew: `X-RateLimit-Reset`, which no standard defines, and
//! `RateLimit-Reset` (draft-ietf-httpapi-ratelimit-headers-07, section 5.3).

use crate::request::UnixMillis;
use std::time::Duration;

/// Numbers from here on are instants, in seconds since 1970 (GitHub, X): as a wait it would be 31 years.
const INSTANT: u64 = 1_000_000_000;
/// And from here on in milliseconds.
const INSTANT_MILLIS: u64 = 1_000_000_000_000;

/// How long until the limit starts anew, `longest` at most: a number of seconds, or an instant as seconds or
/// milliseconds since 1970. One in the past means no wait; anything else is `None`.
#[must_use]
pub fn rate_limit_reset(value: &str, now: UnixMillis, longest: Duration) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    // Some write fractions; a second more or less is no matter, and never too early.
    let (whole, fraction) = value.split_once('.').map_or((value, None), |(whole, rest)| (whole, Some(rest)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || fraction.is_some_and(|fraction| !is_number(fraction)) {
        return None;
    }
    let Ok(number) = whole.parse::<u64>() else { return Some(longest) };
    let number = number.saturating_add(u64::from(fraction.is_some()));
    let until = |millis: u64| Duration::from_millis(millis.saturating_sub(now.0));
    let wait = match number {
        INSTANT_MILLIS.. => until(number),
        INSTANT.. => until(number.saturating_mul(1000)),
        _ => Duration::from_secs(number),
    };
    Some(wait.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_500);
    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn reads_waits_and_instants() {
        for (text, millis) in [
            ("0", 0),
            (" 30 ", 30_000),
            ("1.5", 2_000),
            ("1700000010", 9_500),
            ("1700000010500", 10_000),
            ("1700000000", 0),
            ("1699999999999", 0),
        ] {
            assert_eq!(rate_limit_reset(text, NOW, HOUR), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_wait_has_a_bound_and_nonsense_is_ignored() {
        for text in ["3601", "999999999", "99999999999999999999999", "1700009999"] {
            assert_eq!(rate_limit_reset(text, NOW, HOUR), Some(HOUR), "{text}");
        }
        for text in ["", "-1", "soon", "1.", ".5", "1e3", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(rate_limit_reset(text, NOW, HOUR), None, "{text}");
        }
    }
}
