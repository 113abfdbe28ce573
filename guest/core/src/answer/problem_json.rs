//! Problem details for HTTP APIs, RFC 9457.

use serde::Serialize;

/// The media type of a problem document.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

#[derive(Serialize)]
struct Document<'a> {
    /// `about:blank` says that the status tells it all (RFC 9457, section 4.2.1); programs look at `code`.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

/// The document's bytes.
pub(super) fn body(status: u16, code: &str, detail: &str) -> Vec<u8> {
    let document = Document { kind: "about:blank", title: title(status), status, detail, code };
    // Strings and a number always serialise; an empty body beside the status is still a refusal.
    serde_json::to_vec(&document).unwrap_or_default()
}

/// The title of a problem: the reason phrase of its status (RFC 9110, section 15; RFC 6585 for 429).
#[must_use]
pub const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        other if other < 500 => "Client Error",
        _ => "Server Error",
    }
}
