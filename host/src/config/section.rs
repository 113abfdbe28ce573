//! What a table of the configuration file is. The rooms own their tables: see `section.rs` in each of them.

use anglerfish_core::config::{Node, Problems, Table};
use anglerfish_core::problem::Problem;
use serde_json::Value;

/// How an environment variable's text becomes the value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As it is.
    Text,
    /// A number.
    Integer,
    /// Texts separated by commas.
    List,
    /// `true` or `false`.
    Boolean,
}

/// The keys of a table.
pub(crate) type Keys = &'static [(&'static str, Kind)];

/// A table of the configuration file. The room that it configures owns it: keys, defaults, reading and checks.
pub(crate) trait Section: Default {
    /// The table's name.
    const TABLE: &'static str;
    /// Its keys; each is described in `docs/configuration.md`, which a test holds to this list and to the defaults.
    const KEYS: Keys;

    /// Reads the table. What has a problem keeps its default, and the problem is reported.
    fn read(table: &Table<'_>) -> Self;

    /// Reads the table at a node.
    fn of(node: &Node<'_>) -> Self {
        let keys: Vec<&'static str> = Self::KEYS.iter().map(|(key, _)| *key).collect();
        node.table(&keys).map_or_else(Self::default, |table| Self::read(&table))
    }
}

/// A table that a program can set in code, too.
pub(crate) trait Written: Section {
    /// The table as a file would say it: all keys whose values have bounds.
    fn written(&self) -> Value;

    /// What of it a file could not say, found by the file's own reader.
    fn problems(&self) -> Vec<Problem> {
        written_problems(self)
    }
}

/// What is wrong with a table as a file would say it.
pub(crate) fn written_problems<T: Written>(table: &T) -> Vec<Problem> {
    let (value, problems) = (table.written(), Problems::default());
    T::of(&Node::root(&value, T::TABLE, &problems));
    problems.into_vec()
}

/// Refuses what asks for addresses that only the feature `api` has, in a program that was built without it.
pub(crate) fn check_served(node: Option<Node<'_>>) {
    if let Some(node) = node.filter(|_| !cfg!(feature = "api")) {
        node.report(UNSERVED);
    }
}

/// What is said where an address would be served that was not built in.
const UNSERVED: &str = "nothing is served for it: this program was built without the feature `api`";
