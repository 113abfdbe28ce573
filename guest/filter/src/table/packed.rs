//! A table that was packed: it finds what an event may make true before it has seen any expression.

use super::{RuleKey, Table};
use crate::Expression;
use crate::index::{self, ByKey};
use crate::pack::Section;

/// An expression that an event came to, and the sources that it is for; none means all of them.
#[derive(Debug)]
pub struct Supplied {
    /// The expression.
    pub expression: Expression,
    /// Names of sources.
    pub sources: Vec<String>,
}

/// Gives the expression of a key, for a table that was packed; `None` if it cannot be had: then it fails.
pub type Supply<'s> = &'s mut dyn FnMut(RuleKey) -> Option<Supplied>;

impl Table {
    /// Packs what finds the expressions, and not the expressions: where each of them is filed, under the number that `number` gives to
    /// its key. [`Table::unpack`] takes it.
    #[must_use]
    pub fn pack(&self, number: &dyn Fn(RuleKey) -> u32) -> Vec<u8> {
        index::pack(&self.rules, &self.roots, &|key| number(RuleKey(key)))
    }

    /// A table of what [`Table::pack`] of the same code gave; `None` if it is nothing of the kind. It says of an event what the table says
    /// that was packed, if [`Reading::evaluate_with`](super::Reading::evaluate_with) is given the same expressions. Nothing can be added
    /// to it or removed, and [`Table::class`] knows of no expression.
    #[must_use]
    pub fn unpack(packed: &Section) -> Option<Self> {
        let mut table = Self::default();
        let mut by_key = ByKey::default();
        table.rules.take_packed(packed, &table.roots, &mut by_key)?;
        table.by_key = by_key;
        Some(table)
    }

    /// Fetches the expressions of the rules that were found, where they are not here yet; whether any was fetched.
    pub(super) fn complete(&mut self, supply: Supply<'_>) -> bool {
        let mut fetched = false;
        for place in 0..self.found.len() {
            let Some(id) = self.found.get(place).copied() else { break };
            let Some(rule) = self.rules.get(id).filter(|rule| rule.pending) else { continue };
            let Some(Supplied { expression, sources }) = supply(RuleKey(rule.key)) else { continue };
            let names: Vec<&str> = sources.iter().map(String::as_str).collect();
            let gate = self.gate(&expression, (!names.is_empty()).then_some(names.as_slice()));
            self.rules.complete(id, gate);
            fetched = true;
        }
        fetched
    }
}
