//! Where requests come in.

use super::topic_of;
use crate::resource::DOCUMENTS_SOURCE;
use crate::verify::VerificationConfig;

/// The source of what the gateway tells of itself. No source of the configuration has this name, and a subscription gets such
/// events only if it names it.
pub const OPERATIONAL_SOURCE: &str = "anglerfish";

/// Whether a name is one of those that no source of the configuration has: the gateway's own, that of documents, or that of a topic.
#[must_use]
pub fn is_built_in(source: &str) -> bool {
    source == OPERATIONAL_SOURCE || source == DOCUMENTS_SOURCE || topic_of(source).is_some()
}

/// A source: a named place where requests come in, and how they are verified.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// Its name: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// How its requests are verified. Whether the scheme exists and its secrets are usable is for
    /// [`crate::verify::Verifier::try_new`] to say.
    pub verification: VerificationConfig,
}
