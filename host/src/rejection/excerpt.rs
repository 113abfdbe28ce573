//! The beginning of a body, to recognise it by.

use regex_lite::Regex;
use std::sync::LazyLock;

/// What members and fields are called that hold secrets, in any case, as a part of the name.
const SECRET_NAMES: &str = "token|secret|passw|passcode|passphrase|pwd|signature|credential|authorization|\
    api_?-?key|private_?-?key|otp";

/// A member of a JSON object with such a name, and its text or number.
static MEMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r#"(?i)("[^"]*(?:{SECRET_NAMES})[^"]*"\s*:\s*)("(?:[^"\\]|\\.)*"?|[-\d.eE+]+)"#)).ok()
});

/// A field of a form with such a name, and its value.
static FIELD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r#"(?i)((?:^|&)[^=&\s"]*(?:{SECRET_NAMES})[^=&\s"]*=)([^&]*)"#)).ok()
});

/// How much of a body is shown, in bytes.
const LONGEST: usize = 512;

/// The beginning of a body as text, without the values of what is named as secrets are; bytes that are no UTF-8 become
/// U+FFFD.
pub(super) fn excerpt(body: &[u8]) -> String {
    let head = body.get(..LONGEST).unwrap_or(body);
    // A character that the end cuts through is left out instead of shown broken.
    let whole = match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() && head.len() < body.len() => error.valid_up_to(),
        _ => head.len(),
    };
    without_secrets(&String::from_utf8_lossy(head.get(..whole).unwrap_or_default()))
}

/// Senders put tokens into bodies, too. What cannot be looked through is not shown.
fn without_secrets(text: &str) -> String {
    let (Some(member), Some(field)) = (&*MEMBER, &*FIELD) else { return String::new() };
    let text = member.replace_all(text, "$1\"…\"");
    field.replace_all(&text, "$1…").into_owned()
}

/// A URL with the names of its parameters and without their values: senders put tokens there.
pub(super) fn without_values(url: &str) -> String {
    /// Longer URLs are cut; what they tell is in their beginning.
    const LONGEST_URL: usize = 2048;
    let (head, query) = url.split_once('?').map_or((url, None), |(head, query)| (head, Some(query)));
    let mut shown = head.to_owned();
    if let Some(query) = query {
        let hide = |pair: &str| match pair.split_once('=') {
            Some((name, _)) => format!("{name}=…"),
            // A parameter without a value may be nothing but a token.
            None if pair.is_empty() => String::new(),
            None => "…".to_owned(),
        };
        shown.push('?');
        shown.push_str(&query.split('&').map(hide).collect::<Vec<_>>().join("&"));
    }
    match shown.char_indices().nth(LONGEST_URL) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}

/// The name of a source that does not exist, as it was sent and as far as it can be shown. With its percent-encoding undone it
/// could look like one that does exist.
pub(super) fn requested_name(name: &str) -> String {
    const LONGEST_NAME: usize = 64;
    name.chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_bounded_and_ends_with_a_whole_character() {
        assert_eq!(excerpt(b"{\"a\":1}"), "{\"a\":1}");
        let long = "é".repeat(400);
        assert_eq!(excerpt(long.as_bytes()), "é".repeat(256));
        let odd = format!("x{long}");
        assert_eq!(excerpt(odd.as_bytes()), format!("x{}", "é".repeat(255)));
        assert_eq!(excerpt(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn an_excerpt_shows_no_value_of_what_is_named_as_secrets_are() {
        for (body, shown) in [
            (r#"{"passcode": "old-right", "a": 1}"#, r#"{"passcode": "…", "a": 1}"#),
            (
                r#"{"verification_token":"x\"y","n":{"apiKey":17}}"#,
                r#"{"verification_token":"…","n":{"apiKey":"…"}}"#,
            ),
            (r#"{"id":"e","clientSecret":"cut o"#, r#"{"id":"e","clientSecret":"…""#),
            ("password=hunter2&token=abc&x=1", "password=…&token=…&x=1"),
            ("x=1&Access_Token=abc%20d", "x=1&Access_Token=…"),
            (r#"{"type":"order","quantity":3}"#, r#"{"type":"order","quantity":3}"#),
        ] {
            assert_eq!(excerpt(body.as_bytes()), shown);
        }
    }

    #[test]
    fn a_name_is_shown_as_it_was_sent() {
        assert_eq!(requested_name("sh%6Fp"), "sh%6Fp");
        assert_eq!(requested_name(&"é".repeat(100)), "é".repeat(64));
    }

    #[test]
    fn no_value_of_a_parameter_is_shown() {
        for (url, shown) in [
            ("http://h/in/a", "http://h/in/a"),
            ("http://h/in/a?token=hunter2&x=&hunter2&&y=1=2", "http://h/in/a?token=…&x=…&…&&y=…"),
        ] {
            assert_eq!(without_values(url), shown);
        }
        assert_eq!(without_values(&format!("http://h/{}", "é".repeat(5000))).chars().count(), 2049);
    }
}
