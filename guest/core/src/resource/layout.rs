//! Dates written after a reference date, as Go's package `time` reads them: `2006-01-02T15:04:05Z07:00`.
//!
//! The elements and their rules are those of `time.Parse` (Go 1.22, `src/time/format.go`).

mod parse;
mod token;

use token::Token;

/// The longest layout, in bytes.
const LONGEST: usize = 200;

/// How dates are written, valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    text: String,
    tokens: Vec<Token>,
}

/// Why a text is no layout, or a value is no date of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The layout has nothing that could be read from a date.
    #[error("'{0}' has no part of the reference date 2006-01-02T15:04:05Z07:00")]
    Empty(String),
    /// The layout is too long.
    #[error("the format is longer than {LONGEST} bytes")]
    Long,
    /// A value differs from the layout.
    #[error("error during parse time using '{value}' with format '{layout}': {reason}")]
    Value {
        /// What was to be read, or the beginning of it.
        value: String,
        /// The layout.
        layout: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Layout {
    /// Reads a layout.
    ///
    /// # Errors
    ///
    /// If no date could ever be read by it.
    pub fn parse(text: &str) -> Result<Self, LayoutError> {
        if text.len() > LONGEST {
            return Err(LayoutError::Long);
        }
        let tokens = token::tokens(text);
        if tokens.iter().all(|token| matches!(token, Token::Literal(_))) {
            return Err(LayoutError::Empty(text.to_owned()));
        }
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Reads a date, as nanoseconds since the Unix epoch. Without a zone it is in UTC.
    ///
    /// # Errors
    ///
    /// Where it differs from the layout.
    pub fn read(&self, value: &str) -> Result<i128, LayoutError> {
        parse::read(&self.tokens, value).map_err(|reason| LayoutError::Value {
            value: quoted(value),
            layout: self.text.clone(),
            reason,
        })
    }
}

/// How much of what cannot be read is quoted, in characters.
const QUOTED: usize = 100;

/// A text that came from outside, bounded: it goes into an answer and into logs.
pub(super) fn quoted(text: &str) -> String {
    let (begin, rest) = text.split_at(text.char_indices().nth(QUOTED).map_or(text.len(), |(at, _)| at));
    if rest.is_empty() { begin.to_owned() } else { format!("{begin}…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn read(layout: &str, value: &str) -> Result<i128, String> {
        Layout::parse(layout).unwrap().read(value).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_the_vectors_of_the_service() {
        assert_eq!(
            read("2006-01-02T15:04:05Z07:00", "2010-12-10T08:35:08.008Z"),
            Ok(1_291_970_108_008_000_000)
        );
        assert_eq!(
            read("2006-01-02T15:04:05.999-07:00", "2018-05-18T22:05:14.1-03:00"),
            Ok(1_526_691_914_100_000_000)
        );
        assert!(Layout::parse("invalid").is_err());
        assert!(Layout::parse("").is_err());
        let error = read("2006-01-02", "today").unwrap_err();
        assert!(
            error.starts_with("error during parse time using 'today' with format '2006-01-02': "),
            "{error}"
        );
    }

    #[test]
    fn reads_every_element() {
        let expected = 1_136_239_445 * SECOND;
        for (layout, value) in [
            ("Mon Jan _2 15:04:05 2006", "Mon Jan  2 22:04:05 2006"),
            ("Mon Jan _2 15:04:05 MST 2006", "mon jan  2 22:04:05 UTC 2006"),
            ("Mon Jan 02 15:04:05 -0700 2006", "Mon Jan 02 15:04:05 -0700 2006"),
            ("02 Jan 06 15:04:05 MST", "02 Jan 06 22:04:05 UTC"),
            ("Monday, 02-Jan-06 15:04:05 MST", "Monday, 02-Jan-06 22:04:05 UTC"),
            ("Mon, 02 Jan 2006 15:04:05 -0700", "Mon, 02 Jan 2006 15:04:05 -0700"),
            ("January 2, 2006 at 3:04:05pm (MST)", "January 2, 2006 at 10:04:05pm (UTC)"),
            ("1/2/2006 3:4:5 PM", "1/2/2006 10:4:5 PM"),
            ("2006-002 15:04:05", "2006-002 22:04:05"),
            ("20060102150405", "20060102220405"),
            ("2006-01-02T15:04:05Z07", "2006-01-02T15:04:05-07"),
            ("2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05-0700"),
            ("2006-01-02T15:04:05Z07:00:00", "2006-01-02T15:04:05-07:00:00"),
            ("2006-01-02T15:04:05-07", "2006-01-02T15:04:05-07"),
            ("2006-01-02T15:04:05-070000", "2006-01-02T15:04:05-070000"),
            ("2006-01-02T15:04:05Z07:00", "2006-01-02T22:04:05Z"),
            ("2006-01-02 15:04:05 MST", "2006-01-02 20:04:05 GMT-2"),
            ("2006-01-02 15:04:05.999", "2006-01-02 22:04:05"),
            ("2006-01-02 15:04:05.000", "2006-01-02 22:04:05.000"),
            ("2006-01-02 15:04:05,000", "2006-01-02 22:04:05,000"),
        ] {
            assert_eq!(read(layout, value), Ok(expected), "{layout} {value}");
        }
    }

    #[test]
    fn a_tenth_of_a_millisecond_apart_is_apart() {
        for layout in ["2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.999999999Z07:00"] {
            let earlier = read(layout, "2026-01-01T00:00:00.0001Z").unwrap();
            let later = read(layout, "2026-01-01T00:00:00.0002Z").unwrap();
            assert_eq!(later - earlier, 100_000, "{layout}");
        }
        let year = read("2006-01-02", "9999-12-31").unwrap();
        assert!(year > i128::from(i64::MAX), "beyond what 64 bits of nanoseconds have");
    }

    #[test]
    fn refuses_what_is_no_such_date() {
        for (layout, value) in [
            ("2006-01-02", "2006-13-02"),
            ("2006-01-02", "2006-02-30"),
            ("2006-01-02", "2006-1-02"),
            ("2006-01-02", "2006-01-02x"),
            ("2006-01-02", "2006/01/02"),
            ("2006-01-02", ""),
            ("2006-002", "2005-366"),
            ("15:04", "24:00"),
            ("3:04PM", "13:00PM"),
            ("2006-01-02 15:04:05.000", "2006-01-02 22:04:05.00"),
            ("2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05"),
            ("2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05+25:00"),
            ("Jan 2 2006", "Jam 2 2006"),
        ] {
            assert!(read(layout, value).is_err(), "{layout} {value}");
        }
        assert_eq!(read("2006-002", "2004-366"), Ok(1_104_451_200 * SECOND));
    }
}
