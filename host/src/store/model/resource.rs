//! Resources and their subscribers as the store knows them.

use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::FormerFilter;

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
    /// When its filter was changed last, in the same order; 0 if it never was.
    pub filter_since: u64,
    /// The filters before it that have looked at documents which it has not looked at yet, the oldest first.
    pub former: Vec<FormerFilter>,
    /// Up to which key it was told of what is there, while it is being told; in front of the key may stand why.
    pub backfilled: Option<String>,
}

impl StoredFollower {
    /// Stands before the place of one that is told whatever it was told before. Keys begin with another word.
    pub const LOST: &'static str = "lost ";
    /// Stands before the place of one that is told what its new filter makes of what it has.
    pub const REFILTERED: &'static str = "refiltered ";

    /// Where one begins that is at this place, once it has another filter.
    #[must_use]
    pub fn begun_anew(place: Option<&str>) -> &'static str {
        match place {
            Some(place) if place.starts_with(Self::LOST) => Self::LOST,
            Some(place) if !place.starts_with(Self::REFILTERED) => "",
            _ => Self::REFILTERED,
        }
    }
}
