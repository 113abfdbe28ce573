//! What is answered beside the addresses that there are, and what all answers say.

use super::ProblemDetails;
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, StatusCode, Uri};

pub(crate) async fn unknown_address(uri: Uri) -> ProblemDetails {
    ProblemDetails::not_found("unknown-address", format!("there is nothing at `{}`", uri.path()))
}

pub(crate) async fn unknown_method(method: Method) -> ProblemDetails {
    ProblemDetails::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        format!("`{method}` is not for this address"),
    )
}

/// Answers tell how things are at this moment, and may hold what others must not read from a cache.
pub(crate) async fn not_stored<B>(mut response: http::Response<B>) -> http::Response<B> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
