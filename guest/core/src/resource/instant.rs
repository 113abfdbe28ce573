//! Instants to the nanosecond.

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime};

/// Nanoseconds since the Unix epoch as RFC 3339 has them; `None` if they are beyond its calendar.
#[must_use]
pub fn rfc3339(nanos: i128) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.format(&Rfc3339).ok()
}

/// Days from the Unix epoch to a day of the Gregorian calendar; `None` if there is no such day.
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year, day) = (i32::try_from(year).ok()?, u8::try_from(day).ok()?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, day).ok()?;
    Some(i64::from(date.to_julian_day() - OffsetDateTime::UNIX_EPOCH.to_julian_day()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_the_epoch_and_others_are_none() {
        for (year, month, day, expected) in [
            (1970, 1, 1, Some(0)),
            (1969, 12, 31, Some(-1)),
            (2000, 2, 29, Some(11_016)),
            (0, 1, 1, Some(-719_528)),
            (9999, 12, 31, Some(2_932_896)),
            (1900, 2, 29, None),
            (2024, 2, 30, None),
            (2024, 0, 1, None),
            (2024, 13, 1, None),
            (2024, 1, 0, None),
            (2024, 99, 99, None),
        ] {
            assert_eq!(days(year, month, day), expected, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn an_instant_keeps_its_nanoseconds() {
        assert_eq!(rfc3339(1_291_970_108_008_000_001).as_deref(), Some("2010-12-10T08:35:08.008000001Z"));
        assert_eq!(rfc3339(i128::MAX), None);
    }
}
