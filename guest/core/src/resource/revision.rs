//! How new a document is.

use super::instant::rfc3339;
use super::layout::{Layout, LayoutError, quoted};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The field of a document that says how new it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name, at the top of the document.
    pub field: String,
    /// How its dates are written; without it only numbers are revisions.
    pub layout: Option<Layout>,
}

/// How new a document is: a number, or an instant to the nanosecond. The two are compared as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    /// An integer as the document has it.
    Number(i64),
    /// Nanoseconds since the Unix epoch.
    Instant(i128),
}

/// Why a body is not a document with a revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevisionError {
    /// It is no JSON object.
    #[error("error during body unmarshal: {0}")]
    Body(String),
    /// The field is missing, or is neither a number nor a string.
    #[error("data type not supported")]
    Unsupported,
    /// The number is beyond 64 bits.
    #[error("the revision {0} is not within 64 bits")]
    TooLarge(String),
    /// A string where the resource says no format.
    #[error("error during parse time using '{0}' with format '': the resource has no format for dates")]
    NoLayout(String),
    /// A string that is no such date.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl Change {
    /// The revision of a document.
    ///
    /// # Errors
    ///
    /// Why the body has none.
    pub fn revision(&self, body: &[u8]) -> Result<Revision, RevisionError> {
        let fault = |text: &str| RevisionError::Body(quoted(text));
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(fault("EOF"));
        }
        let text = std::str::from_utf8(body).map_err(|_| fault("not UTF-8"))?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let found = FieldOf(&self.field).deserialize(&mut reader).and_then(|found| {
            reader.end()?;
            Ok(found)
        });
        let raw = found.map_err(|error| fault(&error.to_string()))?;
        let raw = raw.map(RawValue::get).ok_or(RevisionError::Unsupported)?;
        match raw.as_bytes().first() {
            Some(b'"') => {
                let value: Cow<'_, str> =
                    serde_json::from_str::<String>(raw).map_err(|error| fault(&error.to_string()))?.into();
                match &self.layout {
                    Some(layout) => Ok(Revision::Instant(layout.read(&value)?)),
                    None => Err(RevisionError::NoLayout(quoted(&value))),
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                truncated(raw).map(Revision::Number).ok_or_else(|| RevisionError::TooLarge(quoted(raw)))
            }
            _ => Err(RevisionError::Unsupported),
        }
    }
}

/// A JSON number without its fraction, if that is within 64 bits. No float comes in between: 2^53 + 1 stays what it is.
fn truncated(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent
                .parse::<i64>()
                .unwrap_or_else(|_| if exponent.starts_with('-') { i64::MIN } else { i64::MAX }),
        ),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent).unwrap_or(if exponent < 0 {
        i64::MIN
    } else {
        i64::MAX
    });
    let mut digits = whole.bytes().chain(fraction.bytes()).map(|digit| i64::from(digit - b'0'));
    let mut value = 0_i64;
    let mut at = 0;
    while at < point {
        let digit = digits.next();
        if digit.is_none() && value == 0 {
            return Some(0);
        }
        let digit = digit.unwrap_or(0);
        value = value.checked_mul(10)?.checked_add(if negative { -digit } else { digit })?;
        at += 1;
    }
    Some(value)
}

/// Reads an object for the value of one field, the last one of that name, and for nothing else.
struct FieldOf<'f>(&'f str);

impl<'de> DeserializeSeed<'de> for FieldOf<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldOf<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

impl Revision {
    /// What is compared.
    #[must_use]
    pub fn value(self) -> i128 {
        match self {
            Self::Number(number) => i128::from(number),
            Self::Instant(nanos) => nanos,
        }
    }

    /// As `{revision}` and people read it: the number, or the instant as RFC 3339 writes it.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Instant(nanos) => rfc3339(nanos).unwrap_or_else(|| nanos.to_string()),
        }
    }

    /// Reads what [`Self::text`] wrote, and what [`Self::encoded`] wrote in earlier entries of the log.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        // An instant that has no calendar date is far beyond 64 bits.
        let instant = || Layout::parse("2006-01-02T15:04:05Z07:00").ok()?.read(text).ok();
        let number = text.parse().ok().map(Self::Number);
        let beyond = || text.parse().ok().map(Self::Instant);
        number.or_else(beyond).or_else(|| instant().map(Self::Instant)).or_else(|| Self::decoded(text))
    }

    /// As it is kept: its kind and its value.
    #[must_use]
    pub fn encoded(self) -> String {
        match self {
            Self::Number(number) => format!("n{number}"),
            Self::Instant(nanos) => format!("t{nanos}"),
        }
    }

    /// Reads what [`Self::encoded`] wrote.
    #[must_use]
    pub fn decoded(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("n", number) => number.parse().ok().map(Self::Number),
            ("t", nanos) => nanos.parse().ok().map(Self::Instant),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn revision(body: &str, layout: Option<&str>) -> Result<Revision, RevisionError> {
        let layout = layout.map(|layout| Layout::parse(layout).unwrap());
        Change { field: "revision".to_owned(), layout }.revision(body.as_bytes())
    }

    #[test]
    fn integers_are_exact_and_fractions_are_cut() {
        for (text, expected) in [
            ("1", 1),
            ("-7", -7),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("1.9", 1),
            ("-1.9", -1),
            ("1.5e3", 1500),
            ("12e-1", 1),
            ("1e-400", 0),
            ("0e999999999999999999999", 0),
            ("9007199254740993.0", 9_007_199_254_740_993),
        ] {
            let body = format!("{{\"a\": {{\"revision\": 9}}, \"revision\": {text}}}");
            assert_eq!(revision(&body, None), Ok(Revision::Number(expected)), "{text}");
        }
        for text in ["9223372036854775808", "1e400", "-1e19", "18446744073709551615"] {
            let found = revision(&format!("{{\"revision\": {text}}}"), None);
            assert_eq!(found, Err(RevisionError::TooLarge(text.to_owned())));
        }
    }

    #[test]
    fn what_is_quoted_of_a_body_is_bounded() {
        let long = "x".repeat(100_000);
        for (body, layout) in [
            (format!("{{\"revision\": \"{long}\"}}"), None),
            (format!("{{\"revision\": \"{long}\"}}"), Some("2006")),
            (format!("{{\"revision\": {}}}", "9".repeat(100_000)), None),
            (format!("{{\"revision\": \"\\{long}\"}}"), None),
            (format!("\"{long}\""), None),
        ] {
            let told = revision(&body, layout).unwrap_err().to_string();
            assert!(told.len() < 500, "{} bytes: {}…", told.len(), &told[..100]);
        }
    }

    #[test]
    fn a_date_is_an_instant() {
        let body = "{\"revision\": \"2010-12-10T08:35:08.008Z\"}";
        let found = revision(body, Some("2006-01-02T15:04:05Z07:00")).unwrap();
        assert_eq!(found, Revision::Instant(1_291_970_108_008_000_000));
        assert_eq!(found.text(), "2010-12-10T08:35:08.008Z");
        let error = revision("{\"revision\": \"1\"}", None).unwrap_err().to_string();
        assert!(error.starts_with("error during parse time using '1' with format ''"), "{error}");
        assert!(revision("{\"revision\": \"1\"}", Some("2006-01-02")).is_err());
        assert_eq!(revision("{\"revision\": 3}", Some("2006-01-02")), Ok(Revision::Number(3)));
    }

    #[test]
    fn what_is_no_document_is_said_in_the_words_of_the_service() {
        assert_eq!(revision("", None).unwrap_err().to_string(), "error during body unmarshal: EOF");
        for body in ["[\"1\"]", "1", "{\"revision\": 1", "{\"revision\": 1} x", "{\"revision\": 01}"] {
            assert!(matches!(revision(body, None), Err(RevisionError::Body(_))), "{body}");
        }
        for value in ["null", "true", "[1]", "{}"] {
            let found = revision(&format!("{{\"revision\": {value}}}"), None);
            assert_eq!(found.unwrap_err().to_string(), "data type not supported", "{value}");
        }
        assert_eq!(revision("{}", None), Err(RevisionError::Unsupported));
        assert_eq!(revision("{\"revision\": 1, \"revision\": 2}", None), Ok(Revision::Number(2)));
    }

    proptest! {
        #[test]
        fn a_revision_is_read_again_from_its_text(number: i64, nanos in -60_000_000_000_000_000_000_i128..250_000_000_000_000_000_000) {
            for revision in [Revision::Number(number), Revision::Instant(nanos)] {
                let read = Revision::from_text(&revision.text()).map(Revision::value);
                prop_assert_eq!(read, Some(revision.value()), "{}", revision.text());
                prop_assert_eq!(Revision::from_text(&revision.encoded()), Some(revision));
            }
        }
    }

    proptest! {
        #[test]
        fn every_integer_of_64_bits_is_read_as_it_is_and_kept(number: i64) {
            let found = revision(&format!("{{\"revision\": {number}}}"), None).unwrap();
            prop_assert_eq!(found, Revision::Number(number));
            prop_assert_eq!(Revision::decoded(&found.encoded()), Some(found));
        }

        #[test]
        fn no_body_breaks_it(body: Vec<u8>) {
            let _ = Change { field: "a".to_owned(), layout: None }.revision(&body);
        }
    }
}
