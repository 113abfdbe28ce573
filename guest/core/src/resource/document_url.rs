//! A document's own URL, which is its id.

use super::url::{self, UrlError};
use std::fmt;

/// The longest URL of a document, in bytes.
const LONGEST: usize = 2048;

/// The URL that a document has, with its scheme and host in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentUrl {
    text: String,
    /// How long the scheme, `://` and the host are together.
    origin: usize,
}

impl DocumentUrl {
    /// Reads what stands behind `/documents/` in a request's path: plain, with the escapes that a path needs, or escaped
    /// as a whole. Two slashes that a proxy has merged into one are taken for two.
    ///
    /// # Errors
    ///
    /// Why it is not the URL of a document.
    pub fn from_path(path: &str) -> Result<Self, UrlError> {
        let text = url::unescaped(path).ok_or(UrlError::Malformed("it has an escape that is none"))?;
        Self::parse(&text)
    }

    /// Reads a URL as it is written.
    ///
    /// # Errors
    ///
    /// Why it is not the URL of a document.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > LONGEST {
            return Err(UrlError::Malformed("it is longer than 2048 bytes"));
        }
        let split = ["http:/", "https:/"].iter().find_map(|scheme| {
            let (head, rest) = text.split_at_checked(scheme.len())?;
            (head.eq_ignore_ascii_case(scheme) && !rest.starts_with('/')).then_some((head, rest))
        });
        let whole = split.map(|(head, rest)| format!("{head}/{rest}"));
        let parts = url::parse(whole.as_deref().unwrap_or(text))?;
        // No client asks for such a part: what stands for a wildcard could be told to nobody.
        if parts.path.split('/').any(|part| part == "." || part == "..") {
            return Err(UrlError::Malformed("its path has a part that is '.' or '..'"));
        }
        let origin = format!("{}://{}", parts.scheme, parts.host).to_ascii_lowercase();
        Ok(Self { origin: origin.len(), text: origin + parts.path })
    }

    /// The whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme and the host: `http://api.company.com`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin).unwrap_or_default()
    }

    /// The parts of the path, between its slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.text.get(self.origin + 1..).unwrap_or_default().split('/')
    }
}

impl fmt::Display for DocumentUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_plain_an_escaped_and_a_merged_url_as_the_same() {
        for path in [
            "http://documents/a b/1",
            "http://documents/a%20b/1",
            "http%3A%2F%2Fdocuments%2Fa%20b%2F1",
            "http:/documents/a%20b/1",
            "HTTP://Documents/a b/1",
        ] {
            let url = DocumentUrl::from_path(path).unwrap();
            assert_eq!(url.as_str(), "http://documents/a b/1", "{path}");
            assert_eq!(url.origin(), "http://documents");
            assert_eq!(url.segments().collect::<Vec<_>>(), ["a b", "1"]);
        }
    }

    #[test]
    fn refuses_what_is_no_document() {
        assert_eq!(
            DocumentUrl::from_path("http://h/u/1%3Fkey=value"),
            Err(UrlError::Query("key=value".to_owned()))
        );
        assert_eq!(DocumentUrl::from_path("123"), Err(UrlError::Host));
        assert!(DocumentUrl::from_path("http://h/%zz").is_err());
        for path in ["http://h/u/..", "http://h/./u", "http://h/u/%2E%2E", "http://h/../u"] {
            assert!(DocumentUrl::from_path(path).is_err(), "{path}");
        }
        assert!(DocumentUrl::from_path("http://h/u/...").is_ok());
        assert!(DocumentUrl::parse(&format!("http://h/{}", "x".repeat(LONGEST))).is_err());
    }
}
