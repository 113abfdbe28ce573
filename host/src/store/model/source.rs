//! Sources as the store knows them.

use anglerfish_core::request::UnixMillis;

/// A source written at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSource {
    /// Its name.
    pub name: String,
    /// The document as it was written (JSON).
    pub document: String,
    /// When it was last written.
    pub updated: UnixMillis,
}
