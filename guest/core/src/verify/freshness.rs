//! How old a signed timestamp may be.

use super::field::Field;
use crate::request::UnixMillis;
use time::OffsetDateTime;

/// How an instant is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Rfc3339,
}

/// Where the timestamp is and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timestamp {
    /// The places, in order; the first that is there counts.
    pub(crate) fields: Vec<Field>,
    pub(crate) unit: Unit,
}

/// How far from the clock an instant may be, in seconds; `None` is any distance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) past: Option<u64>,
    pub(crate) future: Option<u64>,
}

impl Unit {
    pub(crate) const NAMES: [(&'static str, Self); 3] =
        [("seconds", Self::Seconds), ("milliseconds", Self::Milliseconds), ("rfc3339", Self::Rfc3339)];

    /// Reads an instant; `None` if it is not written so.
    pub(crate) fn parse(self, text: &[u8]) -> Option<UnixMillis> {
        let text = std::str::from_utf8(text).ok()?;
        if self == Self::Rfc3339 {
            return UnixMillis::from_rfc3339(text);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: u64 = text.parse().ok()?;
        match self {
            Self::Seconds => number.checked_mul(1000).map(UnixMillis),
            _ => Some(UnixMillis(number)),
        }
    }

    /// Writes an instant.
    pub(crate) fn format(self, time: UnixMillis) -> Option<String> {
        match self {
            Self::Seconds => Some(time.seconds().to_string()),
            Self::Milliseconds => Some(time.0.to_string()),
            Self::Rfc3339 => {
                let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0) * 1_000_000).ok()?;
                let (year, month, day) = time.to_calendar_date();
                let (hour, minute, second, milli) = time.to_hms_milli();
                let month = u8::from(month);
                Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"))
            }
        }
    }
}

impl Window {
    /// Whether an instant is within the window; the reason says by how much it is not.
    pub(crate) fn check(self, time: UnixMillis, now: UnixMillis, unit: Unit) -> Result<(), String> {
        // What is written in seconds is compared in seconds: the fraction that the sender dropped is no age.
        let now = if unit == Unit::Seconds { UnixMillis::from_seconds(now.seconds()) } else { now };
        let seconds = |millis: u64| millis.div_ceil(1000);
        let (age, lead) = (now.0.saturating_sub(time.0), time.0.saturating_sub(now.0));
        if let Some(past) = self.past
            && age > past.saturating_mul(1000)
        {
            return Err(format!("the timestamp is {} s old, more than the {past} s allowed", seconds(age)));
        }
        if let Some(future) = self.future
            && lead > future.saturating_mul(1000)
        {
            let lead = seconds(lead);
            return Err(format!("the timestamp is {lead} s in the future, more than the {future} s allowed"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_999);

    #[test]
    fn accepts_the_edges_of_the_window_and_nothing_beyond() {
        let window = Window { past: Some(300), future: Some(10) };
        let check =
            |seconds: u64| window.check(UnixMillis::from_seconds(seconds), NOW, Unit::Seconds).is_ok();
        assert!(check(1_700_000_000 - 300) && check(1_700_000_000 + 10));
        assert!(!check(1_700_000_000 - 301) && !check(1_700_000_000 + 11));
    }

    #[test]
    fn a_missing_limit_allows_any_distance() {
        assert!(Window::default().check(UnixMillis(0), NOW, Unit::Milliseconds).is_ok());
        assert!(Window::default().check(UnixMillis(u64::MAX), NOW, Unit::Milliseconds).is_ok());
    }

    #[test]
    fn reads_what_it_writes() {
        for unit in [Unit::Milliseconds, Unit::Rfc3339] {
            let text = unit.format(NOW).expect("an instant of this century can be written");
            assert_eq!(unit.parse(text.as_bytes()), Some(NOW));
        }
        assert_eq!(Unit::Rfc3339.parse(b"2023-11-14T23:13:20+01:00"), Some(UnixMillis(1_700_000_000_000)));
    }

    #[test]
    fn refuses_numbers_that_are_no_instant() {
        for text in ["", "-1", "+1", " 1", "1.5", "1e9", "99999999999999999999", "18446744073709551615"] {
            assert_eq!(Unit::Seconds.parse(text.as_bytes()), None, "{text}");
        }
    }
}
