//! Documents: which of a resource's subscribers want a change, and what each is told when its delivery runs.
//!
//! Two things are kept in the key-value state: each document with its newest content, and for each subscriber to whom a
//! change is on its way what it had before. All else is implied: whoever has no such holding has every document that
//! changed since it subscribed, as far as its filter lets it. So a subscriber is a generation and a few exceptions, and not a
//! row for each document. What its filter lets it is what the filter that it had when the document changed let it, until all
//! documents were looked at by a new one.

mod announce;
mod change;
mod notice;
mod refilter;
#[cfg(test)]
mod simulation;
mod table;
#[cfg(test)]
mod tests;

pub use announce::Announcement;
pub use change::DocumentChange;
pub use notice::{Notice, Telling};
pub(super) use table::Resources;
pub use table::{FormerFilter, RoutingInterest, RoutingResource};

/// The type of the log's entry for a document that is new.
pub const CREATED: &str = "document.created";
/// The type of the log's entry for a document that has a newer revision.
pub const UPDATED: &str = "document.updated";
/// The type of the log's entry for a document that is gone; its data is the last content.
pub const DELETED: &str = "document.deleted";
/// The type of the log's entry by which subscribers are told of a document that did not change.
pub const ANNOUNCED: &str = "document.announced";

/// The extension attribute that names the resource.
pub const RESOURCE: &str = "resource";
/// The extension attribute that has the revision.
pub(crate) const REVISION: &str = "revision";
/// The extension attribute that tells a document from one that had its URL before: the id of the entry that created it.
pub(crate) const INCARNATION: &str = "incarnation";
/// The extension attribute that says by which filters it was decided who is told: by those of this generation and of earlier ones.
pub(crate) const GENERATION: &str = "generation";
