//! The `Retry-After` field of an answer (RFC 9110, section 10.2.3).

use crate::request::UnixMillis;
use std::time::{Duration, UNIX_EPOCH};

/// How long the endpoint asks to be left alone: a number of seconds, or an HTTP date in any of its three forms.
///
/// A date in the past means no wait, more than `longest` means that, and a value that is neither form is `None`: the field
/// is then as good as absent.
#[must_use]
pub fn retry_after(value: &str, now: UnixMillis, longest: Duration) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit are a number all the same, only a very large one.
        return Some(value.parse().map_or(longest, Duration::from_secs).min(longest));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let date = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(date.saturating_sub(Duration::from_millis(now.0)).min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
    const DATE: UnixMillis = UnixMillis(784_111_777_000);
    const DAY: Duration = Duration::from_hours(24);

    fn retry_after(value: &str, now: UnixMillis) -> Option<Duration> {
        super::retry_after(value, now, DAY)
    }

    #[test]
    fn reads_a_number_of_seconds() {
        assert_eq!(retry_after("120", UnixMillis(0)), Some(Duration::from_mins(2)));
        assert_eq!(retry_after(" 0 ", UnixMillis(0)), Some(Duration::ZERO));
    }

    #[test]
    fn reads_all_three_forms_of_a_date() {
        let now = UnixMillis(DATE.0 - 90_500);
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(retry_after(text, now), Some(Duration::from_millis(90_500)), "{text}");
        }
    }

    #[test]
    fn a_date_in_the_past_means_no_wait() {
        let now = UnixMillis(DATE.0 + 1);
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::ZERO));
    }

    #[test]
    fn a_wait_has_a_bound() {
        for text in ["86401", "99999999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(retry_after(text, DATE), Some(DAY), "{text}");
        }
    }

    #[test]
    fn ignores_what_is_neither_form() {
        for text in ["", " ", "-1", "+5", "1.5", "soon", "Sun, 06 Nov 1994", "\u{0661}"] {
            assert_eq!(retry_after(text, DATE), None, "{text}");
        }
    }
}
