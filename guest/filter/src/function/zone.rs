//! Time zones: fixed offsets, and the named zones of the tz database from the year on in which their present rule holds.
//!
//! `zone.txt` has one line for each rule and first year: the rule as POSIX writes it, the year, and the zones' names. The history before
//! that year is left out to keep the component small; asking for it is an error, not a guess. Zones whose rule does not repeat yearly
//! (`Africa/Casablanca`, `Africa/El_Aaiun`, `Asia/Gaza`, `Asia/Hebron`) are left out altogether.

use super::calendar::Date;
use crate::failure::Failure;
use std::collections::HashMap;
use std::sync::OnceLock;

const DAY: i64 = 86_400;

/// When daylight saving time starts or ends: the day `weekday` of week `week` (5: the last) of a month, at so many seconds local time.
#[derive(Debug, Clone, Copy)]
struct Change {
    month: i64,
    week: i64,
    weekday: i64,
    time: i64,
}

/// A zone's rule: its offsets east of Greenwich in seconds.
#[derive(Debug, Clone, Copy)]
struct Rule {
    standard: i64,
    summer: Option<Summer>,
}

#[derive(Debug, Clone, Copy)]
struct Summer {
    offset: i64,
    start: Change,
    end: Change,
}

/// The offset of a zone at an instant, in seconds east of Greenwich.
///
/// # Errors
/// The zone is not known, or not how it was at that time.
pub(super) fn offset(name: &str, seconds: i64) -> Result<i64, Failure> {
    if name.contains(':') {
        return fixed(name).ok_or(Failure::UnknownZone);
    }
    let (since, rule) = zones().get(name).ok_or(Failure::UnknownZone)?;
    let year = Date::from_days(seconds.div_euclid(DAY)).year;
    if year < *since {
        return Err(Failure::UnknownZone);
    }
    Ok(rule.at(year, seconds))
}

/// `+HH:MM`, `-HH:MM` or `HH:MM`.
pub(super) fn fixed(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |digits: &str, limit: i64| {
        let number: i64 = (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse().ok())
            .flatten()?;
        (number < limit).then_some(number)
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

fn zones() -> &'static HashMap<&'static str, (i64, Rule)> {
    static ZONES: OnceLock<HashMap<&str, (i64, Rule)>> = OnceLock::new();
    ZONES.get_or_init(|| {
        let mut zones = HashMap::new();
        for line in include_str!("zone.txt").lines() {
            let mut words = line.split(' ');
            let (Some(rule), Some(since)) = (words.next().and_then(Rule::parse), words.next()) else {
                continue;
            };
            let since = since.parse().unwrap_or(i64::MAX);
            zones.extend(words.map(|name| (name, (since, rule))));
        }
        zones
    })
}

impl Rule {
    /// Reads a rule as POSIX writes it: `CET-1CEST,M3.5.0,M10.5.0/3`. Its offsets count to the west.
    fn parse(text: &str) -> Option<Self> {
        let (zones, changes) =
            text.split_once(',').map_or((text, None), |(zones, changes)| (zones, Some(changes)));
        let mut zones = zones;
        abbreviation(&mut zones)?;
        let standard = -clock(&mut zones)?;
        let Some(changes) = changes else { return Some(Self { standard, summer: None }) };
        abbreviation(&mut zones)?;
        let offset = if zones.is_empty() { standard + 3600 } else { -clock(&mut zones)? };
        let (start, end) = changes.split_once(',')?;
        let summer = Summer { offset, start: Change::parse(start)?, end: Change::parse(end)? };
        Some(Self { standard, summer: Some(summer) })
    }

    fn at(self, year: i64, seconds: i64) -> i64 {
        let Some(summer) = self.summer else { return self.standard };
        // A change near New Year may belong to the neighbouring year in UTC; with both of them all are seen.
        let mut latest = (i64::MIN, self.standard);
        for year in year - 1..=year + 1 {
            let start = (summer.start.seconds(year) - self.standard, summer.offset);
            let end = (summer.end.seconds(year) - summer.offset, self.standard);
            for change in [start, end] {
                if change.0 <= seconds && change.0 > latest.0 {
                    latest = change;
                }
            }
        }
        latest.1
    }
}

impl Change {
    /// `M3.5.0/2`: month, week, weekday and, if it is not two o'clock, the time.
    fn parse(text: &str) -> Option<Self> {
        let (date, time) =
            text.strip_prefix('M')?.split_once('/').map_or((text.get(1..)?, None), |(d, t)| (d, Some(t)));
        let mut parts = date.split('.').map(|part| part.parse::<i64>().ok());
        let (month, week, weekday) = (parts.next()??, parts.next()??, parts.next()??);
        let time = match time {
            None => 7200,
            Some(mut time) => clock(&mut time)?,
        };
        Some(Self { month, week, weekday, time })
    }

    /// The change in a year, in seconds of local time.
    fn seconds(self, year: i64) -> i64 {
        let first = Date { year, month: self.month, day: 1 };
        let mut day = 1 + (self.weekday - first.day_of_week()).rem_euclid(7) + (self.week - 1) * 7;
        while !(Date { day, ..first }).exists() {
            day -= 7;
        }
        Date { day, ..first }.days() * DAY + self.time
    }
}

/// Skips a zone's abbreviation: letters, or anything in angle brackets.
fn abbreviation(text: &mut &str) -> Option<()> {
    let length = if text.starts_with('<') {
        text.find('>')? + 1
    } else {
        text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())
    };
    *text = text.get(length..)?;
    Some(())
}

/// Reads `[+-]H[:MM[:SS]]` as seconds.
fn clock(text: &mut &str) -> Option<i64> {
    let length = text.find(|c: char| !c.is_ascii_digit() && !"+-:".contains(c)).unwrap_or(text.len());
    let (clock, rest) = text.split_at_checked(length)?;
    *text = rest;
    let (sign, clock) = match clock.strip_prefix('-') {
        Some(clock) => (-1, clock),
        None => (1, clock.strip_prefix('+').unwrap_or(clock)),
    };
    let mut seconds = 0;
    for (part, unit) in clock.split(':').zip([3600, 60, 1]) {
        seconds += part.parse::<i64>().ok()? * unit;
    }
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::{offset, zones};
    use crate::failure::Failure;

    #[test]
    fn every_line_of_the_table_is_read() {
        let names: usize = include_str!("zone.txt").lines().map(|line| line.split(' ').count() - 2).sum();
        assert_eq!(zones().len(), names);
    }

    #[test]
    fn daylight_saving_time_starts_and_ends_to_the_second() {
        // 2024-03-31T01:00:00Z and 2024-10-27T01:00:00Z.
        assert_eq!(offset("Europe/Berlin", 1_711_846_799), Ok(3600));
        assert_eq!(offset("Europe/Berlin", 1_711_846_800), Ok(7200));
        assert_eq!(offset("Europe/Berlin", 1_729_990_799), Ok(7200));
        assert_eq!(offset("Europe/Berlin", 1_729_990_800), Ok(3600));
    }

    #[test]
    fn the_southern_summer_goes_over_new_year() {
        assert_eq!(offset("Australia/Sydney", 1_704_067_200), Ok(39_600));
        assert_eq!(offset("Australia/Sydney", 1_719_792_000), Ok(36_000));
    }

    #[test]
    fn does_not_guess_what_a_zone_was_before_its_rule() {
        assert_eq!(offset("Europe/Berlin", 0), Err(Failure::UnknownZone));
        assert_eq!(offset("Mars/Olympus", 0), Err(Failure::UnknownZone));
        assert_eq!(offset("+25:00", 0), Err(Failure::UnknownZone));
        assert_eq!(offset("-09:30", 0), Ok(-34_200));
        assert_eq!(offset("UTC", -1_000_000_000), Ok(0));
    }
}
