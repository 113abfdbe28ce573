//! What is kept of a request beside its body.

use crate::store::RequestRecord;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

/// Header fields that carry credentials whatever the source.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// What stands for a value that is not kept.
const HIDDEN: &str = "…";

/// Where the requests of a source carry a secret itself: that is not kept.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Names of header fields, in lower case.
    pub headers: Vec<String>,
    /// Names of parameters of the URL's query.
    pub parameters: Vec<String>,
}

/// Keeps the request without credentials: those that every client may send, and those that the source's scheme reads.
/// Values that are not UTF-8 are left out, because records are text.
pub(super) fn record(
    method: &Method,
    url: &str,
    headers: &HeaderMap,
    credentials: &Credentials,
) -> RequestRecord {
    let secret = |name: &str| {
        CREDENTIALS.contains(&name) || credentials.headers.iter().any(|credential| credential == name)
    };
    let headers = headers
        .iter()
        .filter(|(name, _)| !secret(name.as_str()))
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), std::str::from_utf8(value.as_bytes()).ok()?.to_owned()))
        })
        .collect();
    RequestRecord { method: method.to_string(), url: without(url, &credentials.parameters), headers }
}

/// The URL with the values of these parameters hidden.
fn without(url: &str, parameters: &[String]) -> String {
    let Some((head, query)) = url.split_once('?').filter(|_| !parameters.is_empty()) else {
        return url.to_owned();
    };
    let hide = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let spaced = name.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8_lossy();
        if parameters.iter().any(|parameter| *parameter == decoded) {
            format!("{name}={HIDDEN}")
        } else {
            pair.to_owned()
        }
    };
    let pairs: Vec<String> = query.split('&').map(hide).collect();
    format!("{head}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn credentials(headers: &[&str], parameters: &[&str]) -> Credentials {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Credentials { headers: owned(headers), parameters: owned(parameters) }
    }

    #[test]
    fn a_token_in_the_query_is_hidden_however_its_name_is_written() {
        let credentials = credentials(&[], &["my token"]);
        let url = "http://h/in/a?x=1&my+token=hunter2&my%20t%6Fken=hunter2&y=my+token";
        let record = record(&Method::POST, url, &HeaderMap::new(), &credentials);
        assert_eq!(record.url, "http://h/in/a?x=1&my+token=…&my%20t%6Fken=…&y=my+token");
    }

    #[test]
    fn credentials_are_not_kept() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "x-gitlab-token", "x-gitlab-event"] {
            headers.insert(name, HeaderValue::from_static("value"));
        }
        let record = record(&Method::POST, "http://h/in/a", &headers, &credentials(&["x-gitlab-token"], &[]));
        assert_eq!(record.headers, [("x-gitlab-event".to_owned(), "value".to_owned())]);
    }
}
