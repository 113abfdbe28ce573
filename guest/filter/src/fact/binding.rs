//! Facts from values that are there already.

use super::{Fact, Facts};
use crate::failure::Unreadable;
use crate::ir::{Path, PathId, Root};
use crate::value::Value;

/// Facts from values that are already there, for tests and for expressions outside the table.
#[derive(Debug)]
pub struct Bindings<'a> {
    paths: &'a [Path],
    variables: Vec<(Root, Value<'a>)>,
}

impl<'a> Bindings<'a> {
    /// The values of some variables, for a program with these paths.
    #[must_use]
    pub const fn new(paths: &'a [Path], variables: Vec<(Root, Value<'a>)>) -> Self {
        Self { paths, variables }
    }
}

impl Facts for Bindings<'_> {
    fn path(&self, path: PathId) -> Fact<'_> {
        let Some(path) = self.paths.get(path.0 as usize) else {
            return Fact::Unreadable(Unreadable::Unbound);
        };
        let Some((_, root)) = self.variables.iter().find(|(root, _)| *root == path.root) else {
            return Fact::Unreadable(Unreadable::Unbound);
        };
        let mut value = root;
        for (at, field) in path.fields.iter().enumerate() {
            let Value::Map(map) = value else { return Fact::NotMap { at } };
            let Some(next) = map.field(field) else {
                return Fact::Missing { at, last: at + 1 == path.fields.len() };
            };
            value = next;
        }
        Fact::Value(value.borrowed())
    }
}
