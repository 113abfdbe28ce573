//! Resources and their subscribers as the store knows them.

use anglerfish_core::request::UnixMillis;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResource {
    /// Its id.
    pub id: String,
    /// The document as it was written (JSON).
    pub document: String,
    /// When it was first there.
    pub created: UnixMillis,
    /// Whether it is one of the configuration file.
    pub declared: bool,
}

/// A subscriber of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFollower {
    /// The subscription.
    pub subscription: String,
    /// The resource.
    pub resource: String,
    /// When it subscribed, in an order that all subscribers have together. 0 once it was told of everything that was there
    /// before.
    pub generation: u64,
    /// When that was.
    pub created: UnixMillis,
    /// Up to which key it was told of what was there before, while it is being told.
    pub backfilled: Option<String>,
}
