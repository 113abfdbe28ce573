//! What is sent of an event: in which form, and with which header fields of the received request.

use http::HeaderName;
use std::str::FromStr;

/// Fields that are never handed on: of the connection (RFC 9110, section 7.6.1), of the transfer, or written by the delivery itself.
const KEPT: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const KEPT_PREFIXES: &[&str] = &["ce-", "proxy-", "webhook-"];

/// In which form an event is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentMode {
    /// The data as it came in, with the attributes in `ce-` header fields: CloudEvents in binary mode.
    #[default]
    CloudEventBinary,
    /// One JSON document with the attributes and the data: CloudEvents in structured mode.
    CloudEvent,
    /// One JSON document with `type`, `timestamp` and `data`, as Standard Webhooks suggests it.
    Envelope,
    /// The data as it came in, and nothing that says more of the event.
    Raw,
}

impl ContentMode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::CloudEventBinary, Self::CloudEvent, Self::Envelope, Self::Raw];

    /// The word of the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::CloudEventBinary => "cloudevent-binary",
            Self::CloudEvent => "cloudevent",
            Self::Envelope => "envelope",
            Self::Raw => "raw",
        }
    }
}

/// Names of header fields, in lower case; one that ends with `*` stands for all that begin so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForwardHeaders(Vec<String>);

impl ForwardHeaders {
    /// Adds a pattern.
    ///
    /// # Errors
    ///
    /// Why it cannot be one.
    pub fn add(&mut self, pattern: &str) -> Result<(), &'static str> {
        let pattern = pattern.to_ascii_lowercase();
        let name = pattern.strip_suffix('*').unwrap_or(&pattern);
        if name.is_empty() {
            return Err("names no header field; begin with some of its name, as in \"x-github-*\"");
        }
        if name.contains('*') || HeaderName::from_str(name).is_err() {
            return Err("not the name of a header field, or the beginning of one with a * behind it");
        }
        if is_kept(name) {
            return Err("this header field is the connection's, or written by the delivery itself");
        }
        self.0.push(pattern);
        Ok(())
    }

    /// The patterns, in lower case.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether none goes on.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field of this name goes on; the name is in lower case.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        self.0.iter().any(fits) && !is_kept(name)
    }
}

fn is_kept(name: &str) -> bool {
    KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(patterns: &[&str]) -> ForwardHeaders {
        let mut headers = ForwardHeaders::default();
        patterns.iter().for_each(|pattern| headers.add(pattern).unwrap());
        headers
    }

    #[test]
    fn takes_what_is_named_and_nothing_else() {
        let headers = headers(&["X-GitHub-*", "user-agent", "c*"]);
        for name in ["x-github-event", "x-github-", "user-agent", "cache-control"] {
            assert!(headers.takes(name), "{name}");
        }
        for name in ["x-gitlab-event", "user-agent-x", "content-type", "connection", "ce-id", "cf"] {
            assert_eq!(headers.takes(name), name == "cf", "{name}");
        }
        assert!(!ForwardHeaders::default().takes("x"));
    }

    #[test]
    fn refuses_what_cannot_be_handed_on() {
        for pattern in
            ["", "*", "x *", "x-*-y", "Host", "content-length", "webhook-id", "ce-*", "a b", "proxy-x"]
        {
            assert!(ForwardHeaders::default().add(pattern).is_err(), "{pattern}");
        }
    }
}
