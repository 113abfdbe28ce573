//! Instants to the nanosecond.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Nanoseconds since the Unix epoch as RFC 3339 has them; `None` if they are beyond its calendar.
#[must_use]
pub fn rfc3339(nanos: i128) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.format(&Rfc3339).ok()
}

/// Days from the Unix epoch to a day of the Gregorian calendar; `None` if there is no such day.
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let leap = i64::from(is_leap);
    let length = LENGTHS.get(index)? + if month == 2 { leap } else { 0 };
    if !(1..=length).contains(&day) {
        return None;
    }
    let before = BEFORE.get(index)? + if month > 2 { leap } else { 0 };
    // Leap days before this year, and before 1970.
    let leaps =
        |year: i64| (year - 1).div_euclid(4) - (year - 1).div_euclid(100) + (year - 1).div_euclid(400);
    Some((year - 1970) * 365 + leaps(year) - leaps(1970) + before + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::{Date, Month};

    proptest! {
        #[test]
        fn days_are_those_of_the_calendar(year in 0_i32..=9999, month in 1_u8..=12, day in 0_u8..=32) {
            let date = Date::from_calendar_date(year, Month::try_from(month).unwrap(), day).ok();
            let expected = date.map(|date| i64::from(date.to_julian_day()) - 2_440_588);
            prop_assert_eq!(days(i64::from(year), i64::from(month), i64::from(day)), expected);
        }
    }

    #[test]
    fn an_instant_keeps_its_nanoseconds() {
        assert_eq!(rfc3339(1_291_970_108_008_000_001).as_deref(), Some("2010-12-10T08:35:08.008000001Z"));
        assert_eq!(rfc3339(i128::MAX), None);
    }
}
