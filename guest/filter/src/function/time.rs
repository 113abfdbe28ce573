//! Timestamps and durations as text, and their parts.

use super::calendar::Date;
use super::{Function, zone};
use crate::failure::Failure;
use crate::value::{Duration, Timestamp, Value};

const DAY: i64 = 86_400;
const SECOND: i64 = 1_000_000_000;

/// `getFullYear` and its like, of a timestamp in UTC or in a named zone, or of a duration.
pub(super) fn field(function: Function, arguments: &[Value<'_>]) -> Result<i64, Failure> {
    match arguments {
        [Value::Timestamp(timestamp)] => of_timestamp(function, *timestamp, 0),
        [Value::Timestamp(timestamp), Value::String(name)] => {
            of_timestamp(function, *timestamp, zone::offset(name, timestamp.seconds())?)
        }
        [Value::Duration(duration)] => {
            let nanos = duration.nanos();
            match function {
                Function::Hours => Ok(nanos / (3600 * SECOND)),
                Function::Minutes => Ok(nanos / (60 * SECOND)),
                Function::Seconds => Ok(nanos / SECOND),
                // Only the part below the second, unlike the others: so the suite has it.
                Function::Milliseconds => Ok(nanos % SECOND / 1_000_000),
                _ => Err(Failure::NoOverload),
            }
        }
        _ => Err(Failure::NoOverload),
    }
}

fn of_timestamp(function: Function, timestamp: Timestamp, offset: i64) -> Result<i64, Failure> {
    let seconds = timestamp.seconds() + offset;
    let date = Date::from_days(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    Ok(match function {
        Function::FullYear => date.year,
        Function::Month => date.month - 1,
        Function::DayOfYear => date.day_of_year(),
        Function::DayOfMonth => date.day - 1,
        Function::Date => date.day,
        Function::DayOfWeek => date.day_of_week(),
        Function::Hours => of_day / 3600,
        Function::Minutes => of_day / 60 % 60,
        Function::Seconds => of_day % 60,
        Function::Milliseconds => i64::from(timestamp.nanos() / 1_000_000),
        _ => return Err(Failure::NoOverload),
    })
}

/// Takes exactly so many digits off the front.
fn digits(text: &mut &str, count: usize) -> Option<i64> {
    let (number, rest) = text.split_at_checked(count)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    *text = rest;
    number.parse().ok()
}

fn skip(text: &mut &str, expected: char) -> Option<()> {
    *text = text.strip_prefix(expected)?;
    Some(())
}

/// A timestamp as RFC 3339 writes it. Digits beyond nanoseconds are dropped.
pub(super) fn parse_timestamp(text: &str) -> Result<Timestamp, Failure> {
    let (seconds, nanos) = rfc3339(text).ok_or(Failure::BadText)?;
    Timestamp::new(seconds, nanos).ok_or(Failure::OutOfRange)
}

fn rfc3339(mut text: &str) -> Option<(i64, u32)> {
    let text = &mut text;
    let year = digits(text, 4)?;
    skip(text, '-')?;
    let month = digits(text, 2)?;
    skip(text, '-')?;
    let date = Date { year, month, day: digits(text, 2)? };
    skip(text, 'T')?;
    let hour = digits(text, 2)?;
    skip(text, ':')?;
    let minute = digits(text, 2)?;
    skip(text, ':')?;
    let second = digits(text, 2)?;
    if !date.exists() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut nanos = 0_u32;
    if let Some(rest) = text.strip_prefix('.') {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let fraction = rest.get(..length).filter(|fraction| !fraction.is_empty())?;
        nanos = format!("{:0<9}", fraction.get(..length.min(9))?).parse().ok()?;
        *text = rest.get(length..)?;
    }
    let offset = match *text {
        "Z" => 0,
        zone => zone::fixed(zone).filter(|_| zone.len() == 6 && zone.starts_with(['+', '-']))?,
    };
    let seconds = date.days() * DAY + hour * 3600 + minute * 60 + second;
    Some((seconds - offset, nanos))
}

/// The timestamp as RFC 3339 writes it, in UTC, with as many digits as it needs.
pub(crate) fn write_timestamp(timestamp: Timestamp) -> String {
    let date = Date::from_days(timestamp.seconds().div_euclid(DAY));
    let of_day = timestamp.seconds().rem_euclid(DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = fraction(timestamp.nanos());
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z", date.year, date.month, date.day)
}

fn fraction(nanos: u32) -> String {
    if nanos == 0 {
        return String::new();
    }
    let digits = format!(".{nanos:09}");
    digits.trim_end_matches('0').to_owned()
}

/// The duration in seconds, with as many digits as it needs: `90.5s`.
pub(crate) fn write_duration(duration: Duration) -> String {
    let nanos = duration.nanos().unsigned_abs();
    let sign = if duration.nanos() < 0 { "-" } else { "" };
    let below = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
    format!("{sign}{}{}s", nanos / 1_000_000_000, fraction(below))
}

/// A duration as Go writes it: numbers with the units h, m, s, ms, us and ns, as in `1h30m` or `-1.5s`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Failure> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::from_nanos(0));
    }
    if rest.is_empty() {
        return Err(Failure::BadText);
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        total = total.checked_add(part(&mut rest)?).ok_or(Failure::OutOfRange)?;
    }
    let total = if negative { -total } else { total };
    i64::try_from(total).map(Duration::from_nanos).map_err(|_| Failure::OutOfRange)
}

/// One number with its unit, in nanoseconds.
fn part(text: &mut &str) -> Result<i128, Failure> {
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, mut rest) = text.split_at(run(text));
    let mut below = "";
    if let Some(after) = rest.strip_prefix('.') {
        (below, rest) = after.split_at(run(after));
    }
    if whole.is_empty() && below.is_empty() {
        return Err(Failure::BadText);
    }
    let (unit, length) = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000_i128),
    ]
    .into_iter()
    .find(|(unit, _)| rest.starts_with(unit))
    .map(|(unit, length)| (length, unit.len()))
    .ok_or(Failure::BadText)?;
    *text = rest.get(length..).unwrap_or_default();
    if whole.len() > 20 {
        return Err(Failure::OutOfRange);
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Failure::BadText)? };
    let kept = below.get(..below.len().min(18)).unwrap_or_default();
    let scale = 10_i128.pow(u32::try_from(kept.len()).unwrap_or_default());
    let below: i128 = if kept.is_empty() { 0 } else { kept.parse().map_err(|_| Failure::BadText)? };
    Ok(whole.saturating_mul(unit).saturating_add(below * unit / scale))
}

#[cfg(test)]
mod tests {
    use super::{parse_duration, parse_timestamp, write_duration, write_timestamp};

    #[test]
    fn reads_and_writes_timestamps() {
        let text = |text: &str| write_timestamp(parse_timestamp(text).unwrap());
        assert_eq!(text("2009-02-13T23:31:30Z"), "2009-02-13T23:31:30Z");
        assert_eq!(text("2009-02-13T23:31:30.25+01:30"), "2009-02-13T22:01:30.25Z");
        assert_eq!(text("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z");
        for wrong in [
            "2009-02-30T00:00:00Z",
            "2009-02-13 23:31:30Z",
            "2009-02-13T24:00:00Z",
            "2009-02-13T23:31:30",
            "2009-02-13T23:31:30.Z",
            "2009-02-13T23:31:30+1:00",
            "0000-01-01T00:00:00Z",
            "",
        ] {
            assert!(parse_timestamp(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_and_writes_durations() {
        let text = |text: &str| write_duration(parse_duration(text).unwrap());
        assert_eq!(text("1h45m47s"), "6347s");
        assert_eq!(text("-1.5s"), "-1.5s");
        assert_eq!(text("1ns"), "0.000000001s");
        assert_eq!(text("0"), "0s");
        assert_eq!(text(".5m"), "30s");
        for wrong in ["", "1", "s", "1x", "-", "1h-1m", "99999999999999999999999h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
