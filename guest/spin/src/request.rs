//! One delivery as an HTTP request.

use anglerfish_core::attempt::{Outgoing, OutgoingError, Sending};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::Rendered;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;

/// Builds the request of one attempt. Nothing is handed on of the received header fields: they are not kept here.
pub(crate) fn build(
    outgoing: &Outgoing,
    event: &Event,
    data: Bytes,
    rendered: Option<&Rendered>,
    now: UnixMillis,
) -> Result<Request<Full<Bytes>>, OutgoingError> {
    let sending = Sending { event, data: &data, received: &[], own: &[], rendered, now };
    let (mut head, body) = outgoing.request(&sending)?.into_parts();
    let body = body.map_or(data, Bytes::from);
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Ok(Request::from_parts(head, Full::new(body)))
}
