//! Reading a date by the elements of a layout.

use super::super::instant::days;
use super::token::Token;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// How long names are that are cut short.
const SHORT: usize = 3;

/// Digits of a fraction that count; further ones are read and dropped.
const NANO_DIGITS: usize = 9;

/// What was read so far. What no element says is as in the year 0: January the first, midnight, UTC.
#[derive(Debug, Default)]
struct Read {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    half: Option<Half>,
    /// Seconds east of UTC.
    offset: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Morning,
    Afternoon,
}

type Rest<'v> = &'v str;

pub(super) fn read(tokens: &[Token], value: &str) -> Result<i128, String> {
    let mut read = Read::default();
    let mut rest = value;
    for (at, token) in tokens.iter().enumerate() {
        let next_is_fraction =
            matches!(tokens.get(at + 1), Some(Token::Fraction(_) | Token::OptionalFraction));
        rest = element(&mut read, token, rest, next_is_fraction).ok_or_else(|| {
            let shown: String = rest.chars().take(40).collect();
            format!("cannot parse '{shown}' as {}", name(token))
        })?;
    }
    if !rest.is_empty() {
        return Err(format!("extra text: '{}'", rest.chars().take(40).collect::<String>()));
    }
    read.instant()
}

fn name(token: &Token) -> String {
    match token {
        Token::Literal(text) => format!("'{text}'"),
        Token::LongYear | Token::Year => "a year".to_owned(),
        Token::LongMonth | Token::Month | Token::NumberedMonth { .. } => "a month".to_owned(),
        Token::LongWeekday | Token::Weekday => "a day of the week".to_owned(),
        Token::Day { .. } => "a day".to_owned(),
        Token::YearDay { .. } => "a day of the year".to_owned(),
        Token::Hour | Token::Hour12 { .. } => "an hour".to_owned(),
        Token::Minute { .. } => "a minute".to_owned(),
        Token::Second { .. } => "a second".to_owned(),
        Token::Fraction(_) | Token::OptionalFraction => "a fraction of a second".to_owned(),
        Token::UpperHalf => "AM or PM".to_owned(),
        Token::LowerHalf => "am or pm".to_owned(),
        Token::Abbreviation | Token::Zone { .. } => "a zone".to_owned(),
    }
}

/// Reads one element; `None` if the value differs.
fn element<'v>(read: &mut Read, token: &Token, rest: Rest<'v>, next_is_fraction: bool) -> Option<Rest<'v>> {
    let mut rest = rest;
    match token {
        Token::Literal(text) => rest = literal(text, rest)?,
        Token::LongYear => (read.year, rest) = digits(rest, 4, 4)?,
        Token::Year => {
            let (year, behind) = digits(rest, 2, 2)?;
            // As POSIX has it for `%y`.
            (read.year, rest) = (year + if year >= 69 { 1900 } else { 2000 }, behind);
        }
        Token::LongMonth => (read.month, rest) = lookup(&MONTHS, usize::MAX, rest)?,
        Token::Month => (read.month, rest) = lookup(&MONTHS, SHORT, rest)?,
        Token::LongWeekday => rest = lookup(&WEEKDAYS, usize::MAX, rest)?.1,
        Token::Weekday => rest = lookup(&WEEKDAYS, SHORT, rest)?.1,
        Token::NumberedMonth { fixed } => {
            let (month, behind) = number(rest, *fixed)?;
            (read.month, rest) = (Some(month), behind);
        }
        Token::Day { fixed, padded } => {
            let from = if *padded { rest.strip_prefix(' ').unwrap_or(rest) } else { rest };
            let (day, behind) = number(from, *fixed)?;
            (read.day, rest) = (Some(day), behind);
        }
        Token::YearDay { padded } => {
            let from = if *padded { rest.trim_start_matches(' ') } else { rest };
            let least = 3_usize.saturating_sub(rest.len() - from.len()).max(1);
            let (day, behind) = digits(from, least, 3)?;
            (read.year_day, rest) = (Some(day), behind);
        }
        Token::Hour => (read.hour, rest) = within(number(rest, false)?, 23)?,
        Token::Hour12 { fixed } => (read.hour, rest) = within(number(rest, *fixed)?, 12)?,
        Token::Minute { fixed } => (read.minute, rest) = within(number(rest, *fixed)?, 59)?,
        Token::Second { fixed } => {
            (read.second, rest) = within(number(rest, *fixed)?, 59)?;
            // A fraction is taken here also if the layout has none.
            if !next_is_fraction && let Some((nanos, behind)) = fraction(rest) {
                (read.nanos, rest) = (nanos, behind);
            }
        }
        Token::Fraction(count) => {
            let (nanos, behind) =
                fraction(rest).filter(|(_, behind)| rest.len() - behind.len() == count + 1)?;
            (read.nanos, rest) = (nanos, behind);
        }
        Token::OptionalFraction => {
            if let Some((nanos, behind)) = fraction(rest) {
                (read.nanos, rest) = (nanos, behind);
            }
        }
        Token::UpperHalf => (read.half, rest) = half("AM", "PM", rest)?,
        Token::LowerHalf => (read.half, rest) = half("am", "pm", rest)?,
        Token::Abbreviation => (read.offset, rest) = abbreviation(rest)?,
        Token::Zone { zulu, colon, parts } => {
            (read.offset, rest) = match rest.strip_prefix('Z').filter(|_| *zulu) {
                Some(behind) => (0, behind),
                None => zone(rest, *colon, *parts)?,
            };
        }
    }
    Some(rest)
}

/// A text; a space in it stands for any number of them.
fn literal<'v>(text: &str, mut rest: Rest<'v>) -> Option<Rest<'v>> {
    let mut text = text;
    while let Some(next) = text.chars().next() {
        if next == ' ' {
            if !rest.is_empty() && !rest.starts_with(' ') {
                return None;
            }
            (text, rest) = (text.trim_start_matches(' '), rest.trim_start_matches(' '));
        } else {
            rest = rest.strip_prefix(next)?;
            text = text.get(next.len_utf8()..)?;
        }
    }
    Some(rest)
}

/// At least and at most so many digits.
fn digits(rest: Rest<'_>, least: usize, most: usize) -> Option<(i64, Rest<'_>)> {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, behind) = rest.split_at_checked(count)?;
    if count < least { None } else { Some((digits.parse().ok()?, behind)) }
}

/// One digit or two, or exactly two.
fn number(rest: Rest<'_>, fixed: bool) -> Option<(i64, Rest<'_>)> {
    digits(rest, if fixed { 2 } else { 1 }, 2)
}

fn within((value, rest): (i64, Rest<'_>), most: i64) -> Option<(i64, Rest<'_>)> {
    (value <= most).then_some((value, rest))
}

/// The number, from 1, of the name at the beginning.
fn lookup<'v>(names: &[&str], length: usize, rest: Rest<'v>) -> Option<(Option<i64>, Rest<'v>)> {
    names.iter().zip(1..).find_map(|(name, number)| {
        let name = name.get(..length).unwrap_or(name);
        let (head, behind) = rest.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name).then_some((Some(number), behind))
    })
}

/// A point or comma and at least one digit, as nanoseconds.
fn fraction(rest: Rest<'_>) -> Option<(i64, Rest<'_>)> {
    let digits = rest.strip_prefix(['.', ','])?;
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, behind) = digits.split_at_checked(count).filter(|_| count > 0)?;
    let kept = digits.get(..NANO_DIGITS).unwrap_or(digits);
    let missing = u32::try_from(NANO_DIGITS - kept.len()).ok()?;
    Some((kept.parse::<i64>().ok()? * 10_i64.pow(missing), behind))
}

fn half<'v>(morning: &str, afternoon: &str, rest: Rest<'v>) -> Option<(Option<Half>, Rest<'v>)> {
    let of = |word, half| rest.strip_prefix(word).map(|behind| (Some(half), behind));
    of(morning, Half::Morning).or_else(|| of(afternoon, Half::Afternoon))
}

/// `UTC`, `CEST` and so on: of a name nobody knows its offset here, so that it is UTC; `GMT-2` says it.
fn abbreviation(rest: Rest<'_>) -> Option<(i64, Rest<'_>)> {
    if let Some(behind) = rest.strip_prefix("GMT")
        && let Some(sign) = sign(behind)
        && let Some((hours, behind)) = behind.get(1..).and_then(|behind| digits(behind, 1, 2))
        && hours <= 23
    {
        return Some((sign * hours * 3600, behind));
    }
    let count = rest.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    if (3..=5).contains(&count) { Some((0, rest.get(count..)?)) } else { None }
}

fn sign(rest: Rest<'_>) -> Option<i64> {
    match rest.as_bytes().first()? {
        b'+' => Some(1),
        b'-' => Some(-1),
        _ => None,
    }
}

/// A sign, hours, and perhaps minutes and seconds.
fn zone(rest: Rest<'_>, colon: bool, parts: u8) -> Option<(i64, Rest<'_>)> {
    let sign = sign(rest)?;
    let (hours, mut rest) = within(digits(rest.get(1..)?, 2, 2)?, 24)?;
    let mut seconds = hours * 3600;
    for unit in [60, 1].into_iter().take(usize::from(parts) - 1) {
        let from = if colon { rest.strip_prefix(':')? } else { rest };
        let (value, behind) = within(digits(from, 2, 2)?, 60)?;
        (seconds, rest) = (seconds + value * unit, behind);
    }
    Some((sign * seconds, rest))
}

impl Read {
    fn instant(&self) -> Result<i128, String> {
        let out = || "day out of range".to_owned();
        let day = match self.year_day {
            None => days(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok_or_else(out)?,
            Some(number) => {
                let first = days(self.year, 1, 1).ok_or_else(out)?;
                let last = days(self.year, 12, 31).ok_or_else(out)?;
                let day = first + number - 1;
                if number < 1 || day > last {
                    return Err("day-of-year out of range".to_owned());
                }
                // A month and a day that are said beside it have to be those.
                let (month, of_month) = (self.month, self.day);
                let fits = |month, of_month| days(self.year, month, of_month) == Some(day);
                let agrees = match (month, of_month) {
                    (None, None) => true,
                    (Some(month), Some(of_month)) => fits(month, of_month),
                    (Some(month), None) => (1..=31).any(|of_month| fits(month, of_month)),
                    (None, Some(of_month)) => (1..=12).any(|month| fits(month, of_month)),
                };
                if !agrees {
                    return Err("day-of-year does not match the day".to_owned());
                }
                day
            }
        };
        let hour = match self.half {
            Some(Half::Afternoon) if self.hour < 12 => self.hour + 12,
            Some(Half::Morning) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let seconds = day * 86_400 + hour * 3600 + self.minute * 60 + self.second - self.offset;
        Ok(i128::from(seconds) * 1_000_000_000 + i128::from(self.nanos))
    }
}
