//! What an event makes of the expressions in a table.

use super::RuleKey;

/// The answer for one event. Use it again for the next one to save its memory.
#[derive(Debug, Clone, Default)]
pub struct Matches {
    /// The expressions that are true, each once, in no particular order.
    pub matched: Vec<RuleKey>,
    /// The expressions that were looked at and failed, each once. One that an index found to be not true is not looked at, so
    /// that it cannot fail.
    pub failed: Vec<FailedRule>,
    /// How many expressions were looked at.
    pub looked_at: usize,
}

impl Matches {
    /// Forgets the event before.
    pub(crate) fn clear(&mut self) {
        self.matched.clear();
        self.failed.clear();
        self.looked_at = 0;
    }
}

/// An expression that failed for an event; it counts as no match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRule {
    /// Which expression.
    pub key: RuleKey,
    /// Why, as a lower-case fragment.
    pub reason: String,
}
