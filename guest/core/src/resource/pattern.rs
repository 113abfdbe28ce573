//! The pattern of a resource: `http://api.company.com/users/{id}`.

use super::document_url::DocumentUrl;
use super::url::{self, UrlError};
use super::wildcard::{Part, REVISION, WildcardError, normalised, parts};

/// The longest pattern, in bytes.
const LONGEST: usize = 2048;

/// Parts of a path at most: documents are looked up part by part.
const MOST_SEGMENTS: usize = 64;

/// Which documents belong to a resource, valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePattern {
    text: String,
    origin: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(String),
    Wildcard(String),
}

/// Why a text is not the pattern of a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It is no URL that could have documents.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// All documents would be one.
    #[error("missing wildcard")]
    NoWildcard,
    /// Its wildcards cannot be told apart.
    #[error("can't have duplicated wildcards: {0}")]
    Wildcard(#[from] WildcardError),
}

impl ResourcePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let text = normalised(text.trim());
        // Read again it is to be the same: all of them go.
        let text = text.trim_end_matches('/');
        let text = url::unescaped(text).ok_or(UrlError::Malformed("it has an escape that is none"))?;
        if text.len() > LONGEST {
            return Err(UrlError::Malformed("it is longer than 2048 bytes").into());
        }
        let url = url::parse(&text)?;
        if !url.path.contains(['{', '}']) {
            return Err(PatternError::NoWildcard);
        }
        parts(url.path)?;
        let path = url.path.strip_prefix('/').unwrap_or(url.path);
        let mut segments = Vec::new();
        for segment in path.split('/') {
            let segment = match parts(segment)?.as_slice() {
                [Part::Wildcard(name)] if *name == REVISION => return Err(WildcardError::Reserved.into()),
                [Part::Wildcard(name)] => Segment::Wildcard((*name).to_owned()),
                [] | [Part::Text(_)] => Segment::Literal(segment.to_owned()),
                _ => return Err(WildcardError::NotAlone(segment.to_owned()).into()),
            };
            if let Segment::Wildcard(name) = &segment
                && segments.contains(&segment)
            {
                return Err(WildcardError::Repeated(name.clone()).into());
            }
            segments.push(segment);
        }
        if segments.len() > MOST_SEGMENTS {
            return Err(UrlError::Malformed("its path has more than 64 parts").into());
        }
        let origin = format!("{}://{}", url.scheme, url.host).to_ascii_lowercase();
        Ok(Self { origin, segments, text: text.clone() })
    }

    /// As it is written, without spaces in its wildcards and without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme and the host.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of its wildcards.
    pub fn wildcards(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Wildcard(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// What its wildcards stand for in a document's URL; `None` if that is not one of its documents.
    #[must_use]
    pub fn values(&self, url: &DocumentUrl) -> Option<Vec<(String, String)>> {
        if url.origin() != self.origin || url.segments().count() != self.segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (segment, found) in self.segments.iter().zip(url.segments()) {
            match segment {
                Segment::Literal(text) if text == found => {}
                Segment::Literal(_) => return None,
                Segment::Wildcard(name) => values.push((name.clone(), found.to_owned())),
            }
        }
        Some(values)
    }

    /// What two patterns have in common that nobody could tell apart: the pattern without the names of its wildcards.
    #[must_use]
    pub fn shape(&self) -> String {
        let mut shape = self.origin.clone();
        for segment in &self.segments {
            shape.push('/');
            shape.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::Wildcard(_) => "{}",
            });
        }
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        ResourcePattern::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn reads_what_has_a_wildcard_alone_in_a_part_of_its_path() {
        for (text, written, wildcards) in [
            ("http://app1.com/resources/{*}", "http://app1.com/resources/{*}", vec!["*"]),
            (" http://h/users/{ * }/{id}/ ", "http://h/users/{*}/{id}", vec!["*", "id"]),
            ("https://H:8443/a%20b/{id}", "https://H:8443/a b/{id}", vec!["id"]),
        ] {
            let pattern = ResourcePattern::parse(text).unwrap();
            assert_eq!(pattern.as_str(), written);
            assert_eq!(pattern.wildcards().collect::<Vec<_>>(), wildcards);
        }
    }

    #[test]
    fn says_what_is_wrong_in_the_words_of_the_service() {
        for (text, expected) in [
            ("", "missing host"),
            ("/resources/{*}", "missing host"),
            ("http://flare.com", "missing path"),
            ("http://flare.com/users", "missing wildcard"),
            ("http://h/users/{*}?a=b", "should not have query string 'a=b'"),
            ("ftp://h/users/{*}", "unknown scheme 'ftp'"),
            (
                "http://h/users/{*}-path/posts/{*}",
                "can't have duplicated wildcards: wildcard must appear alone at a path fragment '{*}-path'",
            ),
            ("http://h/{ id }/{ id}", "can't have duplicated wildcards: 'id' is present more then one time"),
            ("http://h/{id", "can't have duplicated wildcards: missing '}'"),
            ("http://h/{ revision }", "can't have duplicated wildcards: 'revision' is a reserved wildcard"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
        for path in [
            "users/{}",
            "users/{",
            "users/}",
            "{revision}",
            "{id1}{id2}",
            "{{*}}",
            "{wildcard}}",
            "{*}/{*}",
            "{wildcard}/{*}/{wildcard}",
            "content-{id}",
            "content/{id}/user-{guid}",
        ] {
            assert!(ResourcePattern::parse(&format!("http://h/{path}")).is_err(), "{path}");
        }
    }

    #[test]
    fn patterns_of_one_shape_differ_in_the_names_of_wildcards_alone() {
        let shape = |text: &str| ResourcePattern::parse(text).unwrap().shape();
        assert_eq!(shape("http://h/u/{a}"), shape("http://H/u/{b}"));
        assert_ne!(shape("http://h/u/{a}"), shape("https://h/u/{a}"));
        assert_ne!(shape("http://h/u/{a}/x"), shape("http://h/u/{a}/y"));
    }

    #[test]
    fn wildcards_stand_for_what_the_document_has_in_their_place() {
        let pattern = ResourcePattern::parse("http://h/u/{a}/p/{b}").unwrap();
        let values = |url: &str| pattern.values(&DocumentUrl::parse(url).unwrap());
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(values("http://h/u/1/p/x y"), Some(vec![text("a", "1"), text("b", "x y")]));
        for url in ["http://h/u/1/q/2", "http://h/u/1/p", "http://i/u/1/p/2", "https://h/u/1/p/2"] {
            assert_eq!(values(url), None, "{url}");
        }
    }
}
