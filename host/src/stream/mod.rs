//! Streams: reading the log over HTTP, as one subscription sees it.
//!
//! `GET /out/{subscription}` answers with Server-Sent Events, with JSON lines, or with one batch that is waited for. All three are
//! cursors over the log: a position is all that a reader keeps, and whatever is missing behind it is said. Nothing is stored for
//! a reader. Those near the end of the log share one read of it and one decision about each entry. A WebSocket, or a
//! connection that speaks STOMP, holds several subscriptions at once, those among them too whose messages are leased.

mod access;
mod ad_hoc;
mod attendance;
mod batch;
mod catch_up;
mod feed;
mod gzip;
mod handler;
mod item;
mod lines;
mod link;
#[cfg(feature = "api")]
mod listing;
mod metric;
#[cfg(feature = "api")]
mod openapi;
mod options;
mod place;
mod position;
mod presence;
mod probe;
mod publish;
mod reader;
mod registry;
mod request;
mod router;
mod session;
mod sse;
mod stomp;
mod tail;
#[cfg(test)]
mod test;
mod topic;
mod upgrade;
mod websocket;

pub use attendance::ReaderEvents;
pub use metric::StreamMetrics;
#[cfg(feature = "api")]
pub(crate) use openapi::description;
pub use options::StreamOptions;
pub use presence::ReaderRecord;
pub use registry::{JsonFields, Streams};
pub use router::StreamOut;
pub(crate) use router::addresses;
pub use stomp::StompListener;
