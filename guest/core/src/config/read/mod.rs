//! From a document to valid configuration, or to every problem that it has.
//!
//! `source`, `resource`, `subscription`, `topic`, `api`, `endpoint`, `signature`, `policy` and `retry` know the keys; `document`
//! puts them together, and an API stands alone.

mod api;
mod batch;
mod document;
#[cfg(test)]
mod documentation;
mod endpoint;
mod expression;
mod flow;
mod ordering;
mod policy;
mod port;
mod resource;
mod retry;
mod signature;
mod source;
mod source_event;
mod start;
mod subscription;
mod topic;

pub use api::{CALL_METHODS, CALL_POLICY_KEYS, read_api, read_call_policy, read_call_url};
pub use document::{
    Document, read_delivery, read_document, read_endpoint, read_resource, read_source, read_subscription,
};
pub use endpoint::is_header_value;
pub(crate) use endpoint::{LONGEST_URL, MOST_HEADER_BYTES, MOST_HEADERS, is_reserved_header};
pub use flow::rate as read_rate;
pub use signature::{LONGEST_OVERLAP, MOST_SECRETS};
pub use start::start as read_start;
pub use subscription::MOST_TOKENS;
