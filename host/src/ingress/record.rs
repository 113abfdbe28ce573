//! What is kept of a request beside its body.

use crate::store::RequestRecord;
use http::{HeaderMap, Method};

/// Header fields that carry credentials whatever the source.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Keeps the request without credentials: those that every client may send, and those that the source's scheme reads.
/// Values that are not UTF-8 are left out, because records are text.
pub(super) fn record(
    method: &Method,
    url: &str,
    headers: &HeaderMap,
    credentials: &[String],
) -> RequestRecord {
    let secret =
        |name: &str| CREDENTIALS.contains(&name) || credentials.iter().any(|credential| credential == name);
    let headers = headers
        .iter()
        .filter(|(name, _)| !secret(name.as_str()))
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), std::str::from_utf8(value.as_bytes()).ok()?.to_owned()))
        })
        .collect();
    RequestRecord { method: method.to_string(), url: url.to_owned(), headers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn credentials_are_not_kept() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "x-gitlab-token", "x-gitlab-event"] {
            headers.insert(name, HeaderValue::from_static("value"));
        }
        let record = record(&Method::POST, "http://h/in/a", &headers, &["x-gitlab-token".to_owned()]);
        assert_eq!(record.headers, [("x-gitlab-event".to_owned(), "value".to_owned())]);
    }
}
