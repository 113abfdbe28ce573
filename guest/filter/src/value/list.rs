//! Lists as values.

use super::Value;
use std::ops::Deref;
use std::sync::Arc;

/// An immutable list, shared by its copies.
#[derive(Debug, Clone)]
pub struct List<'a>(Arc<[Value<'a>]>);

impl<'a> List<'a> {
    /// A list of the given values.
    #[must_use]
    pub fn new(values: Vec<Value<'a>>) -> Self {
        Self(values.into())
    }
}

impl<'a> Deref for List<'a> {
    type Target = [Value<'a>];

    fn deref(&self) -> &[Value<'a>] {
        &self.0
    }
}
