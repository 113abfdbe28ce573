//! One delivery as an HTTP request.

use super::target::Target;
use crate::store::LeasedDelivery;
use crate::telemetry::{self, TRACEPARENT};
use anglerfish_core::attempt::{Batch, OutgoingError, Sending};
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::Rendered;
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http_body_util::Full;

/// Builds the request for several events at once. Each may be of another trace; the request begins one of its own.
pub(super) fn batch_request(
    target: &Target,
    batch: Batch,
    now: UnixMillis,
) -> Result<Request<Full<Bytes>>, OutgoingError> {
    let own = parent(None);
    let request = target.outgoing.batch(batch, own.as_slice(), now)?;
    Ok(request.map(|body| Full::new(Bytes::from(body))))
}

/// The field that has the trace go on at the receiver.
fn parent(came: Option<&str>) -> Option<(HeaderName, HeaderValue)> {
    let parent = telemetry::onward(came).and_then(|parent| HeaderValue::try_from(parent).ok())?;
    Some((HeaderName::from_static(TRACEPARENT), parent))
}

/// Builds the request of one attempt.
pub(super) fn request(
    target: &Target,
    delivery: &LeasedDelivery,
    rendered: Option<&Rendered>,
    now: UnixMillis,
) -> Result<Request<Full<Bytes>>, OutgoingError> {
    // The trace that the event came with goes on at the receiver, unless the subscription has a field of its own.
    let own = parent(delivery.event.extensions.get(TRACEPARENT).map(String::as_str));
    let request = target.outgoing.request(&Sending {
        event: &delivery.event,
        data: &delivery.data,
        received: &delivery.headers,
        own: own.as_slice(),
        rendered,
        now,
    })?;
    let (mut head, body) = request.into_parts();
    let body = body.map_or_else(|| delivery.data.clone(), Bytes::from);
    if body.is_empty() {
        // The client says nothing of an empty body, and some servers ask for its length (RFC 9110, section 8.6).
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(Request::from_parts(head, Full::new(body)))
}
