use std::sync::Arc;

/// A compiled regular expression. Matching takes time linear in the text.
#[derive(Debug, Clone)]
pub struct Pattern(Arc<regex_lite::Regex>);

impl Pattern {
    /// Whether some part of the text matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
