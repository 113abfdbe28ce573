//! One delivery as an HTTP request.

use super::target::Target;
use crate::store::LeasedDelivery;
use crate::telemetry::{self, TRACEPARENT};
use anglerfish_core::attempt::{self, HeaderError};
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http_body_util::Full;

/// Builds the request of one attempt.
pub(super) fn request(
    target: &Target,
    delivery: &LeasedDelivery,
    now: UnixMillis,
) -> Result<Request<Full<Bytes>>, HeaderError> {
    let mut headers =
        attempt::headers(&target.headers, &target.secrets, &delivery.event, &delivery.data, now)?;
    if delivery.data.is_empty() {
        // The client says nothing of an empty body, and some servers ask for its length (RFC 9110, section 8.6).
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    // The trace that the event came with goes on at the receiver, unless the subscription has a field of its own.
    let came = delivery.event.extensions.get(TRACEPARENT).map(String::as_str);
    if !headers.contains_key(TRACEPARENT)
        && let Some(Ok(parent)) = telemetry::onward(came).map(HeaderValue::try_from)
    {
        headers.insert(TRACEPARENT, parent);
    }
    if !target.forward.is_empty() {
        forward(target, delivery, &mut headers);
    }
    let mut request = Request::new(Full::new(delivery.data.clone()));
    *request.method_mut() = target.method.clone();
    *request.uri_mut() = target.uri.clone();
    *request.headers_mut() = headers;
    Ok(request)
}

/// Hands on what the subscription asks for of the received fields. What is there already says more of this request.
fn forward(target: &Target, delivery: &LeasedDelivery, headers: &mut HeaderMap) {
    let mut received = HeaderMap::new();
    for (name, value) in delivery.headers.iter().filter(|(name, _)| target.forward.takes(name)) {
        // What came in as a field goes out as one.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value))
            && !headers.contains_key(&name)
        {
            received.append(name, value);
        }
    }
    headers.extend(received);
}
