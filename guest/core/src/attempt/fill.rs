//! Values of an event in the URL and the header fields of a request, each encoded for its place.

use super::OutgoingError;
use super::field::{append, put};
use crate::config::{Piece, Template};
use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Uri};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// In a path and a query nothing of a value stands for itself but what RFC 3986, section 2.3, does not reserve: so it is never
/// read as another part of the URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What cannot stand in a field (RFC 9110, section 5.5), and the percent sign, so that it can be undone.
const UNSENDABLE: &AsciiSet = &CONTROLS.add(b'%');

/// The longest target of a request, in bytes: as much as servers take.
const LONGEST: usize = 8000;

/// What was made of an event cannot stand where it is to stand. It quotes the expression, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// Nothing is no part of a path.
    #[error("the value of `{0}` is empty, which cannot stand in a path")]
    Empty(String),
    /// A part of a path that is `.` or `..` is taken away by whoever reads it (RFC 3986, section 5.2.4).
    #[error("with the value of `{0}` a part of the path would be `.` or `..`")]
    Dots(String),
    /// The URL would be too long.
    #[error("the path and query would be longer than {LONGEST} bytes")]
    Long,
    /// The URL would be none.
    #[error("the path and query would not be those of a url")]
    Url,
}

fn value<'v>(expression: &str, values: &'v [(String, String)]) -> Result<&'v str, OutgoingError> {
    let found = values.iter().find(|(known, _)| known == expression);
    found.map(|(_, value)| value.as_str()).ok_or(OutgoingError::Outdated)
}

/// The URL with values in its path and query.
pub(super) fn target(
    uri: &Uri,
    template: &Template,
    values: &[(String, String)],
) -> Result<Uri, OutgoingError> {
    let mut text = String::new();
    for piece in template.as_slice() {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Expression(expression) => {
                let value = value(expression, values)?;
                if value.is_empty() && !text.contains('?') {
                    return Err(FillError::Empty(expression.clone()).into());
                }
                text.extend(utf8_percent_encode(value, RESERVED));
            }
        }
    }
    if text.len() > LONGEST {
        return Err(FillError::Long.into());
    }
    let path = text.split('?').next().unwrap_or_default();
    if path.split('/').any(|part| part == "." || part == "..") {
        let expressions: Vec<&str> = template.expressions().collect();
        return Err(FillError::Dots(expressions.join("`, `")).into());
    }
    // A query without a path stands behind the root (RFC 9110, section 4.2.3).
    let text = if text.starts_with('/') { text } else { format!("/{text}") };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).map_err(|_| FillError::Url)?);
    Uri::from_parts(parts).map_err(|_| FillError::Url.into())
}

/// Puts a header field with values in it.
pub(super) fn header(
    headers: &mut HeaderMap,
    name: &str,
    template: &Template,
    values: &[(String, String)],
) -> Result<(), OutgoingError> {
    let mut text = String::new();
    for piece in template.as_slice() {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Expression(expression) => {
                text.extend(utf8_percent_encode(value(expression, values)?, UNSENDABLE));
            }
        }
    }
    // The name was one when the configuration was read.
    let name = HeaderName::try_from(name).map_err(|_| OutgoingError::Outdated)?;
    // This one has a value where nothing is written; any other that is written several times is sent several times.
    if name == USER_AGENT {
        return Ok(put(headers, name, &text)?);
    }
    Ok(append(headers, name, &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, value: &str) -> Result<String, OutgoingError> {
        let template = Template::parse(template).unwrap().unwrap();
        let values = [("message.id".to_owned(), value.to_owned())];
        target(&Uri::from_static("https://example.com:8443/x"), &template, &values).map(|uri| uri.to_string())
    }

    #[test]
    fn a_value_stays_within_its_place_whatever_it_is() {
        for (value, expected) in [
            ("a b", "a%20b"),
            ("../../admin", "..%2F..%2Fadmin"),
            ("a?b=c&d#e", "a%3Fb%3Dc%26d%23e"),
            ("@evil.example/", "%40evil.example%2F"),
            ("\r\nhost: x", "%0D%0Ahost%3A%20x"),
            ("100%", "100%25"),
        ] {
            let expected = format!("https://example.com:8443/o/{expected}/x?q={expected}");
            assert_eq!(filled("/o/{{ message.id }}/x?q={{message.id}}", value), Ok(expected), "{value}");
        }
        assert_eq!(filled("?q={{message.id}}", ""), Ok("https://example.com:8443/?q=".to_owned()));
    }

    #[test]
    fn a_value_that_would_change_the_path_is_an_error() {
        let fault = |value| match filled("/o/{{ message.id }}", value) {
            Err(OutgoingError::Fill(fault)) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(""), FillError::Empty("message.id".into()));
        assert_eq!(fault(".."), FillError::Dots("message.id".into()));
        assert_eq!(fault(&"x".repeat(9000)), FillError::Long);
        assert_eq!(filled("/o/{{ message.other }}", "1"), Err(OutgoingError::Outdated));
    }
}
