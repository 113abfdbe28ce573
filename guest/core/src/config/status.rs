//! Sets of HTTP statuses.

use std::str::FromStr;

/// A set of HTTP statuses, written as numbers (`404`), classes (`"2xx"`) and inclusive ranges (`"400-404"`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusSet(Vec<(u16, u16)>);

/// A text is not a status, a class or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a status from 200 to 599, a class such as \"2xx\" or a range such as \"400-404\"")]
pub struct ParseStatusError;

impl StatusSet {
    /// A set of inclusive ranges.
    #[must_use]
    pub fn new(ranges: Vec<(u16, u16)>) -> Self {
        Self(ranges)
    }

    /// Whether a status is in the set.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }

    /// Whether a status is in the set by itself, not only by its class or a range.
    #[must_use]
    pub fn names(&self, status: u16) -> bool {
        self.0.contains(&(status, status))
    }

    /// Whether no status is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lowest status that is in both sets.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<u16> {
        self.0
            .iter()
            .flat_map(|(first, last)| other.0.iter().map(move |(from, to)| (*first.max(from), *last.min(to))))
            .filter(|(first, last)| first <= last)
            .map(|(first, _)| first)
            .min()
    }

    /// Adds what one element of a list names.
    ///
    /// # Errors
    ///
    /// When the text names nothing from 200 to 599.
    pub fn insert(&mut self, text: &str) -> Result<(), ParseStatusError> {
        self.0.push(range(text)?);
        Ok(())
    }
}

impl FromStr for StatusSet {
    type Err = ParseStatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        range(text).map(|range| Self(vec![range]))
    }
}

fn range(text: &str) -> Result<(u16, u16), ParseStatusError> {
    if let Some(class) = text.strip_suffix("xx") {
        let first = match class {
            "2" => 200,
            "3" => 300,
            "4" => 400,
            "5" => 500,
            _ => return Err(ParseStatusError),
        };
        return Ok((first, first + 99));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (status(first)?, status(last)?);
    if first <= last { Ok((first, last)) } else { Err(ParseStatusError) }
}

fn status(text: &str) -> Result<u16, ParseStatusError> {
    let three_digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let status: u16 = text.parse().map_err(|_| ParseStatusError)?;
    if three_digits && (200..=599).contains(&status) { Ok(status) } else { Err(ParseStatusError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_classes_and_ranges() {
        let mut set = StatusSet::default();
        for text in ["404", "2xx", "500-503"] {
            set.insert(text).unwrap();
        }
        for status in [200, 299, 404, 500, 503] {
            assert!(set.contains(status), "{status}");
        }
        for status in [199, 300, 403, 405, 499, 504] {
            assert!(!set.contains(status), "{status}");
        }
    }

    #[test]
    fn refuses_what_is_no_final_status() {
        for text in ["", "1xx", "6xx", "xx", "100", "600", "0404", "+404", "404-400", "400-", "-404", "4x4"] {
            assert_eq!(text.parse::<StatusSet>(), Err(ParseStatusError), "{text:?}");
        }
    }

    #[test]
    fn finds_what_two_sets_share() {
        let set = |text: &str| text.parse::<StatusSet>().unwrap();
        assert_eq!(set("2xx").common(&set("250-404")), Some(250));
        assert_eq!(set("2xx").common(&set("4xx")), None);
    }
}
