//! One delivery as an HTTP request.

use super::target::Target;
use crate::store::LeasedDelivery;
use anglerfish_core::attempt::{self, HeaderError};
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

/// Builds the request of one attempt.
pub(super) fn request(
    target: &Target,
    delivery: &LeasedDelivery,
    now: UnixMillis,
) -> Result<Request<Full<Bytes>>, HeaderError> {
    let headers = attempt::headers(&target.headers, &target.secrets, &delivery.event, &delivery.data, now)?;
    let mut request = Request::new(Full::new(delivery.data.clone()));
    *request.method_mut() = target.method.clone();
    *request.uri_mut() = target.uri.clone();
    *request.headers_mut() = headers;
    Ok(request)
}
