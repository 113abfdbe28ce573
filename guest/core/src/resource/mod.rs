//! Resources: patterns of documents whose changes are told to subscribers who have not got them yet.
//!
//! A producer puts a document under a URL of its own. Which resource the URL belongs to, how new the document is and
//! what is kept of it and of its subscribers is said here; who wants a change is decided in [`crate::router`], which
//! has the filters.

mod document_url;
mod holding;
mod instant;
mod layout;
mod notification;
mod pattern;
mod revision;
mod stored;
mod tree;
mod url;
mod wildcard;

pub use document_url::DocumentUrl;
pub use holding::{Holding, Told};
pub use instant::rfc3339;
pub use layout::{Layout, LayoutError};
pub use notification::{Action, Envelope, fill_data};
pub use pattern::{PatternError, ResourcePattern};
pub use revision::{Change, Revision, RevisionError};
pub use stored::{DocumentState, StoredDocument};
pub use tree::ResourceTree;
pub use url::UrlError;
pub use wildcard::{Part, REVISION, WildcardError, normalised, parts};

/// The source of the log's entries about documents. No source of the configuration has this name; a subscription may name it.
pub const DOCUMENTS_SOURCE: &str = "anglerfish.documents";

/// How what is kept of a document is called in the key-value state, in front of the resource's id.
pub const DOCUMENT_KEY: &str = "document";

/// How what a subscriber has of a document is called there, in front of the subscription's id.
pub const HOLDING_KEY: &str = "holding";

/// Whether a key stays until it is deleted, as those of documents and of flows that run do. All others are forgotten with the
/// event that they were written with.
#[must_use]
pub fn is_lasting(key: &str) -> bool {
    key.split_once('/').is_some_and(|(kind, _)| {
        kind == DOCUMENT_KEY || kind == HOLDING_KEY || crate::flow::FLOW_KEYS.contains(&kind)
    })
}

/// The key that has a document of a resource.
#[must_use]
pub fn document_key(resource: &str, url: &str) -> String {
    crate::state::key(DOCUMENT_KEY, resource, url)
}

/// The key that has what a subscription's subscriber has of a document, where that cannot be told from the document.
#[must_use]
pub fn holding_key(subscription: &str, url: &str) -> String {
    crate::state::key(HOLDING_KEY, subscription, url)
}
