//! Why the store could not do something.

/// Why the store could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database is busy, locked, out of disk or out of reach: the same call may work later; nothing was written.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The file is not a database of this product, or of a newer version.
    #[error("{0}")]
    Unusable(String),
    /// What is written now would not be there after a restart: the file was removed or replaced. Nothing that is not
    /// there already is acknowledged any more, until the gateway is started anew.
    #[error("the store is lost: {0}")]
    Lost(String),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
    /// A fault of the store itself.
    #[error("internal store error: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether the store is out of reach, rather than at fault: whoever asked may ask again, here or of the next process.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Lost(_) | Self::Closed)
    }
}
