//! One inbound request as the native shell holds it.

use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use http::{HeaderMap, Method};

/// One inbound request.
#[derive(Debug, Clone)]
pub struct InboundRequest {
    /// A name that no other request has.
    pub id: String,
    /// The name of the source that it came in through.
    pub source: String,
    /// The HTTP method.
    pub method: Method,
    /// The full URL as the sender addressed it, with the query.
    pub url: String,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// When it was received.
    pub received: UnixMillis,
    /// What was put in front of the URL's path because a proxy took it away; empty if nothing.
    pub added_prefix: String,
    /// Documents that an earlier decision about it asked for.
    pub fetched: Vec<FetchedDocument>,
}

/// A document that a decision asked for.
#[derive(Debug, Clone)]
pub struct FetchedDocument {
    /// The URL exactly as the decision named it.
    pub url: String,
    /// The HTTP status, or `None` if no answer was had.
    pub status: Option<u16>,
    /// The answer's body.
    pub body: Bytes,
}
