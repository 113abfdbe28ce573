//! URLs that a request names and that are followed only where the provider itself lives.

use super::context::Scope;
use super::place::Place;
use crate::decision::Fetch;
use crate::request::Fetched;

/// A URL of the request, and the only URLs that it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    /// Where the URL stands.
    pub(crate) at: Place,
    /// What it must match, one of them.
    pub(crate) patterns: Vec<Pattern>,
}

/// A URL in which `*` stands for letters, digits and `-`, and a final `**` for the rest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

/// A fetched document that is larger is none that a provider gives out.
const LARGEST_DOCUMENT: usize = 64 * 1024;

/// What is known of a document.
pub(crate) enum Document<'a> {
    /// It was fetched.
    Here(&'a [u8]),
    /// It must be fetched first.
    Wanted(Fetch),
    /// It could not be had.
    Unavailable(String),
}

impl Pattern {
    /// Reads a pattern; the host is part of it, so that no request can choose it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let host = text.strip_prefix("https://").ok_or("a pinned URL begins with `https://`")?;
        let host = host.split('/').next().unwrap_or_default();
        // Two labels at least must be the provider's own.
        let fixed = host.rsplit('.').take_while(|label| !label.contains('*') && !label.is_empty()).count();
        if fixed < 2 || host.contains("**") {
            return Err("a pinned URL names the provider's domain".to_owned());
        }
        if text.trim_end_matches("**").contains("**") {
            return Err("`**` stands at the end of a pinned URL alone".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn matches(&self, url: &str) -> bool {
        let (pattern, open) = match self.0.strip_suffix("**") {
            Some(pattern) => (pattern, true),
            None => (self.0.as_str(), false),
        };
        let mut rest = url;
        for (index, literal) in pattern.split('*').enumerate() {
            if index > 0 {
                let end = rest
                    .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
                    .unwrap_or(rest.len());
                if end == 0 {
                    return false;
                }
                rest = rest.get(end..).unwrap_or_default();
            }
            match rest.strip_prefix(literal) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        if open { rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') } else { rest.is_empty() }
    }
}

impl Pin {
    /// The URL that the request names, if it is one of the provider's.
    pub(crate) fn url(&self, scope: &Scope<'_>) -> Result<String, String> {
        let url = scope.get(&self.at)?;
        std::str::from_utf8(&url)
            .ok()
            .filter(|url| self.patterns.iter().any(|pattern| pattern.matches(url)))
            .map(str::to_owned)
            .ok_or_else(|| format!("{} is not a URL of the provider's", self.at))
    }
}

/// A document among those that were fetched, or the wish for it.
pub(crate) fn document<'a>(fetched: &[Fetched<'a>], wish: Fetch) -> Document<'a> {
    let Some(found) = fetched.iter().find(|found| found.url == wish.url) else {
        return Document::Wanted(wish);
    };
    match found.status {
        Some(200..=299) if found.body.len() > LARGEST_DOCUMENT => {
            Document::Unavailable("what the provider's host gave is too large".to_owned())
        }
        Some(200..=299) => Document::Here(found.body),
        Some(status) => Document::Unavailable(format!("the provider's host answered {status}")),
        None => Document::Unavailable("the provider's host did not answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_providers_own_urls_only() {
        let pattern = Pattern::parse("https://sns.*.amazonaws.com/SimpleNotificationService-*.pem").unwrap();
        assert!(pattern.matches("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b.pem"));
        for url in [
            "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0a1b.pem",
            "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b.pem",
            "https://sns.evil.example/.amazonaws.com/SimpleNotificationService-0a1b.pem",
            "https://sns.a@evil.amazonaws.com/SimpleNotificationService-0a1b.pem",
            "https://sns..amazonaws.com/SimpleNotificationService-0a1b.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b.pem?x",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b.pem#x",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-../x.pem",
        ] {
            assert!(!pattern.matches(url), "{url}");
        }
    }

    #[test]
    fn an_open_end_takes_a_query_but_no_space() {
        let pattern = Pattern::parse("https://sns.*.amazonaws.com/?Action=ConfirmSubscription&**").unwrap();
        assert!(pattern.matches("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=x"));
        assert!(!pattern.matches("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&a b"));
        assert!(!pattern.matches("https://sns.us-east-1.amazonaws.com/?Action=DeleteTopic&"));
    }

    #[test]
    fn a_pattern_must_pin_a_domain() {
        for text in
            ["http://a.example/", "https://*/x", "https://*.com/x", "https://**", "https://a.example/**/b"]
        {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
