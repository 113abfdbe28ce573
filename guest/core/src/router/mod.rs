//! Routing: from one request to one decision.

mod admission;
mod batch;
mod decide;
mod document;
mod explain;
mod explanation;
mod filter_table;
mod filters;
mod handshake;
mod headers;
mod order;
mod packed;
mod render;
mod resource;
mod review;
mod table;

pub use anglerfish_filter::table::Class;
pub use batch::{MOST_DELIVERIES, MOST_PARTS};
pub use document::{RoutingDocument, RoutingSource, RoutingSubscription};
pub use explain::explain_once;
pub use explanation::{
    ExplainedPart, Explanation, Verdict, VerdictOutcome, VerificationOutcome, VerificationReport,
};
pub use filter_table::{FilterTable, LoggedEvent};
pub use order::document_lane;
pub use render::{LONGEST_BODY, RenderConfig, Rendered, render_once};
pub use resource::{
    ANNOUNCED, Announcement, CREATED, DELETED, DocumentChange, FormerFilter, Notice,
    RESOURCE as RESOURCE_ATTRIBUTE, RoutingInterest, RoutingResource, Telling, UPDATED,
};
pub(crate) use resource::{INCARNATION, REVISION};
pub use review::{SourceFacts, check_document_filter, check_filter, missing_fields, review_filter};
pub use table::{Router, named_by};
