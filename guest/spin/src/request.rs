//! One delivery as an HTTP request.

use crate::table::Destination;
use anglerfish_core::attempt::{self, HeaderError};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;

/// Builds the request of one attempt.
pub(crate) fn build(
    destination: &Destination,
    event: &Event,
    data: Bytes,
    now: UnixMillis,
) -> Result<Request<Full<Bytes>>, HeaderError> {
    let mut headers = attempt::headers(&destination.headers, &destination.secrets, event, &data, now)?;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(data.len()));
    let mut request = Request::new(Full::new(data));
    *request.method_mut() = destination.method.clone();
    *request.uri_mut() = destination.uri.clone();
    *request.headers_mut() = headers;
    Ok(request)
}
