//! What HTTP demands of a request and the server library leaves to its user.

use bytes::Bytes;
use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, Response, StatusCode, Uri, Version};

/// A request that is refused before anybody looks at what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// An HTTP/1.1 request has exactly one `Host` field, with a host in it (RFC 9112, section 3.2).
    Host,
    /// A coding besides `chunked` would have to be undone before the body is what its sender meant (RFC 9112,
    /// section 6.1).
    TransferCoding,
}

impl Malformed {
    /// Looks at a head.
    pub(super) fn find(version: Version, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        if !host_is_clear(version, uri, headers) {
            return Some(Self::Host);
        }
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        let only = match (codings.next(), codings.next()) {
            (None, _) => true,
            (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
            _ => false,
        };
        (!only).then_some(Self::TransferCoding)
    }

    /// The answer to it, as problem details (RFC 9457).
    pub(super) fn answer<B: From<&'static str>>(self) -> Response<B> {
        let (status, body) = match self {
            Self::Host => (
                StatusCode::BAD_REQUEST,
                r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"the request needs exactly one `Host` header field with a host in it","code":"invalid-host"}"#,
            ),
            Self::TransferCoding => (
                StatusCode::NOT_IMPLEMENTED,
                r#"{"type":"about:blank","title":"Not Implemented","status":501,"detail":"the only transfer coding that is understood is `chunked`","code":"unknown-transfer-coding"}"#,
            ),
        };
        problem(status, body)
    }
}

/// An answer whose handling panicked.
pub(super) fn broken<B: From<&'static str>>() -> Response<B> {
    let body = r#"{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"the gateway failed on this request","code":"internal"}"#;
    problem(StatusCode::INTERNAL_SERVER_ERROR, body)
}

/// What is said to whoever has as many connections as one address may have, before a request is read.
pub(super) fn crowded() -> Bytes {
    let body = r#"{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"as many connections are open from this address as one may have","code":"too-many-connections"}"#;
    unread("429 Too Many Requests", body)
}

/// What is said to whoever comes when as many connections are open as there may be, before a request is read.
pub(super) fn full() -> Bytes {
    let body = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"as many connections are open as there may be","code":"too-many-connections"}"#;
    unread("503 Service Unavailable", body)
}

/// An answer to a request that nobody reads.
fn unread(status: &str, body: &str) -> Bytes {
    let fields = "content-type: application/problem+json\r\nretry-after: 5\r\nconnection: close";
    let length = body.len();
    Bytes::from(format!("HTTP/1.1 {status}\r\n{fields}\r\ncontent-length: {length}\r\n\r\n{body}"))
}

fn problem<B: From<&'static str>>(status: StatusCode, body: &'static str) -> Response<B> {
    let mut response = Response::new(B::from(body));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

fn host_is_clear(version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        // HTTP/1.0 knows no `Host`, HTTP/2 has the authority in the address.
        (None, _) => version < Version::HTTP_11 || (version >= Version::HTTP_2 && uri.authority().is_some()),
        (Some(host), None) => Authority::try_from(host.as_bytes()).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn find(version: Version, uri: &str, fields: &[(&str, &str)]) -> Option<Malformed> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        Malformed::find(version, &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn a_request_names_one_host() {
        let one = [("host", "hooks.example:8080")];
        assert_eq!(find(Version::HTTP_11, "/in/s", &one), None);
        assert_eq!(find(Version::HTTP_10, "/in/s", &[]), None);
        assert_eq!(find(Version::HTTP_2, "http://hooks.example/in/s", &[]), None);
        let refused: [&[(&str, &str)]; 4] =
            [&[], &[("host", "a.example"), ("host", "a.example")], &[("host", "a b")], &[("host", "")]];
        for fields in refused {
            assert_eq!(find(Version::HTTP_11, "/in/s", fields), Some(Malformed::Host), "{fields:?}");
        }
        assert_eq!(find(Version::HTTP_2, "/in/s", &[]), Some(Malformed::Host));
    }

    #[test]
    fn no_transfer_coding_but_chunked_is_taken() {
        let with = |codings: &[&str]| {
            let mut fields = vec![("host", "x")];
            fields.extend(codings.iter().map(|coding| ("transfer-encoding", *coding)));
            find(Version::HTTP_11, "/in/s", &fields)
        };
        assert_eq!(with(&["chunked"]), None);
        assert_eq!(with(&["Chunked "]), None);
        for codings in
            [&["gzip, chunked"][..], &["gzip", "chunked"], &["gzip"], &["identity"], &["chunked, chunked"]]
        {
            assert_eq!(with(codings), Some(Malformed::TransferCoding), "{codings:?}");
        }
    }
}
