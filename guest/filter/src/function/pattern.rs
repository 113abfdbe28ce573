//! Regular expressions, in linear time.

use crate::failure::Failure;
use crate::value::Budget;
use std::sync::Arc;

/// The largest program that a pattern may compile to, in bytes.
const SIZE: usize = 1 << 18;

/// A compiled regular expression. Matching takes time linear in the text.
#[derive(Debug, Clone)]
pub struct Pattern(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    regex: regex_lite::Regex,
    /// How much one octet of text costs, in proportion to the length of the pattern.
    weight: usize,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The pattern is not valid, or too large when its repetitions are written out.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let regex = regex_lite::RegexBuilder::new(pattern).size_limit(SIZE).build();
        let regex = regex.map_err(|error| format!("the regular expression is not valid: {error}"))?;
        Ok(Self(Arc::new(Compiled { regex, weight: 1 + pattern.len() / 16 })))
    }

    /// Whether some part of the text matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.regex.is_match(text)
    }

    /// The same, out of a budget.
    pub(crate) fn test(&self, text: &str, budget: &mut Budget) -> Result<bool, Failure> {
        budget.spend_bytes(text.len().saturating_mul(self.0.weight).saturating_mul(8))?;
        Ok(self.is_match(text))
    }
}

/// Whether some part of the text matches a pattern that is only known now.
pub(crate) fn is_match(text: &str, pattern: &str, budget: &mut Budget) -> Result<bool, Failure> {
    // Compiling costs far more than the length of the pattern lets expect.
    budget.spend(1000)?;
    Pattern::new(pattern).map_err(|_| Failure::BadPattern)?.test(text, budget)
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn refuses_repetitions_that_would_take_megabytes() {
        assert!(Pattern::new("(((a{100}){100}){100}){100}").is_err());
    }

    #[test]
    fn finds_a_part_of_the_text() {
        assert!(Pattern::new("^or.*ed$").unwrap().is_match("order.created"));
        assert!(!Pattern::new("^x").unwrap().is_match("order.created"));
    }
}
