//! Strings and octets as values.

use std::ops::Deref;
use std::sync::Arc;

/// Text that is borrowed from the event or the expression, or was made while evaluating.
#[derive(Debug, Clone)]
pub enum Text<'a> {
    /// Borrowed.
    Borrowed(&'a str),
    /// Made while evaluating, shared by its copies.
    Shared(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// Octets, shared by their copies.
#[derive(Debug, Clone)]
pub struct Blob(Arc<[u8]>);

impl Blob {
    /// The given octets.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
