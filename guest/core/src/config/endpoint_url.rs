//! Where deliveries go, and whether that may be said.

use std::fmt;

/// An absolute `http` or `https` URL. Its `Debug` form hides it: paths and queries carry tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    text: String,
    secret: bool,
}

impl EndpointUrl {
    /// A URL that is a secret as a whole: it was given by a reference. Some services put a token into the path, and
    /// whoever knows the URL may send.
    #[must_use]
    pub fn secret(text: impl Into<String>) -> Self {
        Self { text: text.into(), secret: true }
    }

    /// The text itself, for those who call it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether nothing of it may be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Shows nothing of it from now on.
    pub fn hide(&mut self) {
        self.secret = true;
    }
}

/// A part of a path that is as long as this is a token rather than a word.
const TOKEN: usize = 16;

/// Whether a part of a path looks like something that nobody should know: long, and with both digits and letters.
#[must_use]
pub fn is_token(part: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| part.as_bytes().iter().any(kind);
    part.len() >= TOKEN && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

impl From<String> for EndpointUrl {
    fn from(text: String) -> Self {
        Self { text, secret: false }
    }
}

impl From<&str> for EndpointUrl {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EndpointUrl(…)")
    }
}
