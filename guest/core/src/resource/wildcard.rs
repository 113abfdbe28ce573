//! Wildcards: `{id}` in the path of a resource, in the URL, the header fields and the data of its subscriptions.

use std::borrow::Cow;

/// The wildcard that stands for the revision of a document. No resource can have one of that name.
pub const REVISION: &str = "revision";

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it is written.
    Text(&'a str),
    /// What stands between `{` and `}`, without the spaces around it.
    Wildcard(&'a str),
}

/// Why a text cannot be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WildcardError {
    /// A `}` that closes nothing.
    #[error("missing '{{'")]
    Opening,
    /// A `{` that is never closed.
    #[error("missing '}}'")]
    Closing,
    /// A `{` behind a `{`.
    #[error("found a '{{' inside a wildcard")]
    Nested,
    /// `{}`.
    #[error("missing the wildcard id")]
    Empty,
    /// `{a}{b}`: where the one ends and the other begins nobody could tell.
    #[error("there must be at least one char between wildcard")]
    Adjacent,
    /// `{revision}` where a document's own path is meant.
    #[error("'revision' is a reserved wildcard")]
    Reserved,
    /// `{a}/{a}` in a resource.
    #[error("'{0}' is present more then one time")]
    Repeated(String),
    /// `content-{id}` in a resource.
    #[error("wildcard must appear alone at a path fragment '{0}'")]
    NotAlone(String),
}

/// Takes a text apart.
///
/// # Errors
///
/// The first thing that is wrong with it. `{revision}` is no fault here.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, WildcardError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        let Some(inside) = from.strip_prefix('{') else { return Err(WildcardError::Opening) };
        let end = inside.find(['{', '}']).ok_or(WildcardError::Closing)?;
        let (name, behind) = inside.split_at(end);
        let Some(behind) = behind.strip_prefix('}') else { return Err(WildcardError::Nested) };
        let name = name.trim();
        if name.is_empty() {
            return Err(WildcardError::Empty);
        }
        match (before, parts.last()) {
            ("", Some(Part::Wildcard(_))) => return Err(WildcardError::Adjacent),
            ("", _) => {}
            _ => parts.push(Part::Text(before)),
        }
        parts.push(Part::Wildcard(name));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// The text with `{ id }` written as `{id}`. One that cannot be taken apart stays as it is.
#[must_use]
pub fn normalised(text: &str) -> Cow<'_, str> {
    let Ok(parts) = parts(text) else { return Cow::Borrowed(text) };
    let written = parts.iter().map(|part| match part {
        Part::Text(text) => Cow::Borrowed(*text),
        Part::Wildcard(name) => Cow::Owned(format!("{{{name}}}")),
    });
    Cow::Owned(written.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_a_text_apart() {
        use Part::{Text, Wildcard};
        assert_eq!(
            parts("/users/{id}/{ * }").unwrap(),
            [Text("/users/"), Wildcard("id"), Text("/"), Wildcard("*")]
        );
        assert_eq!(parts("plain").unwrap(), [Text("plain")]);
        assert_eq!(parts("").unwrap(), []);
        for text in ["/{*}-something", "/some{*}thing", "/{*}thing{id}", "/some{x}/{id}"] {
            assert!(parts(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_wildcard() {
        for (text, error) in [
            ("/users/{}", WildcardError::Empty),
            ("/users/{ }", WildcardError::Empty),
            ("/users/{", WildcardError::Closing),
            ("/users/}", WildcardError::Opening),
            ("/{id1}{id2}", WildcardError::Adjacent),
            ("/{{*}}", WildcardError::Nested),
            ("/{wildcard}}", WildcardError::Opening),
        ] {
            assert_eq!(parts(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_taken_apart_and_normalised_is_taken_apart_the_same(text in "[a-z{} /]{0,24}") {
            let whole = normalised(&text);
            match parts(&text) {
                Ok(found) => prop_assert_eq!(parts(&whole).unwrap(), found),
                Err(_) => prop_assert_eq!(whole, text.as_str()),
            }
        }
    }
}
