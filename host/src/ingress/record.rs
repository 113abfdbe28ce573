//! What is kept of a request beside its body.

use crate::engine::InboundRequest;
use crate::store::RequestRecord;
use anglerfish_core::request::{event_data, hide_parameters};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;

/// What the names of header fields and parameters hold that carry a secret, whatever the source: senders put tokens
/// into requests that no scheme reads, and what is kept is shown to whoever may read events. A name too many costs a
/// value in a record; one too few shows a secret.
const TELLING: [&str; 12] = [
    "api-key",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "jwt",
    "passwd",
    "password",
    "secret",
    "session",
    "token",
];

/// Whole names that tell the same and are parts of harmless ones, also with `x-` in front of them.
const TELLING_ALONE: [&str; 10] =
    ["auth", "code", "hmac", "key", "otp", "pass", "pwd", "sid", "sig", "signature"];

/// Where the requests of a source carry a secret itself: that is not kept.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Names of header fields, in lower case.
    pub headers: Vec<String>,
    /// Names of parameters of the URL's query.
    pub parameters: Vec<String>,
}

/// Whether the name of a header field or a parameter says that its value is a secret, which is not kept.
pub(crate) fn is_telling(name: &str) -> bool {
    let is = |text: &[u8], part: &str| text.eq_ignore_ascii_case(part.as_bytes());
    let begins =
        |rest: &[u8]| TELLING.iter().any(|part| rest.get(..part.len()).is_some_and(|text| is(text, part)));
    let mut rest = name.as_bytes();
    while let [first, others @ ..] = rest {
        // Every field of every request is looked at, and most places in them begin none of the words.
        if matches!(first.to_ascii_lowercase(), b'a' | b'c' | b'j' | b'p' | b's' | b't') && begins(rest) {
            return true;
        }
        rest = others;
    }
    let (front, behind) = name.as_bytes().split_at_checked(2).unwrap_or_default();
    let alone = if is(front, "x-") { behind } else { name.as_bytes() };
    TELLING_ALONE.iter().any(|word| is(alone, word))
}

/// Keeps the request without credentials: those that names give away, and those that the source's scheme reads.
/// Values that are not UTF-8 are left out, because records are text.
pub(crate) fn record(request: &InboundRequest, credentials: &Credentials) -> RequestRecord {
    let secret =
        |name: &str| is_telling(name) || credentials.headers.iter().any(|credential| credential == name);
    let headers = { request.headers.iter() }
        .filter(|(name, _)| !secret(name.as_str()))
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), std::str::from_utf8(value.as_bytes()).ok()?.to_owned()))
        })
        .collect();
    let secret = |name: &str| is_telling(name) || credentials.parameters.iter().any(|known| known == name);
    RequestRecord {
        method: request.method.to_string(),
        url: hide_parameters(&request.url, secret),
        added_prefix: request.added_prefix.clone(),
        headers,
    }
}

/// What is kept of a request for an event: its record, and the event's data, which of a batch is this part.
pub(crate) fn keep(
    request: &InboundRequest,
    credentials: &Credentials,
    part: Option<Vec<u8>>,
) -> (RequestRecord, Bytes) {
    let mut record = record(request, credentials);
    if let Some(part) = part {
        // Its coding was undone to take it out.
        record.headers.retain(|(name, _)| name != CONTENT_ENCODING.as_str());
        return (record, part.into());
    }
    let url = without_credentials(&request.url, credentials);
    // Of a GET the query is the data.
    let data = match event_data(request.method.as_str(), &url, &request.body) {
        body if body.len() == request.body.len() => request.body.clone(),
        query => Bytes::copy_from_slice(query),
    };
    (record, data)
}

/// The URL without what the source's scheme compares with its secret: of a GET it carries the data, from which nothing else
/// is left out.
pub(super) fn without_credentials(url: &str, credentials: &Credentials) -> String {
    hide_parameters(url, |name| credentials.parameters.iter().any(|known| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::request::UnixMillis;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    fn record(url: &str, headers: &HeaderMap, credentials: &Credentials) -> RequestRecord {
        let request = InboundRequest {
            id: String::new(),
            source: String::new(),
            method: Method::POST,
            url: url.to_owned(),
            headers: headers.clone(),
            body: Bytes::new(),
            received: UnixMillis(0),
            added_prefix: "/in".to_owned(),
            fetched: Vec::new(),
        };
        super::record(&request, credentials)
    }

    fn credentials(headers: &[&str], parameters: &[&str]) -> Credentials {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Credentials { headers: owned(headers), parameters: owned(parameters) }
    }

    #[test]
    fn a_token_in_the_query_is_hidden_however_its_name_is_written() {
        let credentials = credentials(&[], &["my token"]);
        let url = "http://h/in/a?x=1&my+token=hunter2&my%20t%6Fken=hunter2&y=my+token";
        let record = record(url, &HeaderMap::new(), &credentials);
        assert_eq!(record.url, "http://h/in/a?x=1&my+token=…&my%20t%6Fken=…&y=my+token");
    }

    #[test]
    fn secrets_that_no_scheme_reads_are_hidden_by_their_names() {
        let url = "http://h/in/a?token=1&access_token=2&api%5Fkey=3&Password=4&key=5&page=6&monkey=7&sig=8&code=9\
                   &hmac=1&zipcode=2&X-Sig=3&SessionId=4";
        let mut headers = HeaderMap::new();
        for name in [
            "x-auth-token",
            "x-access-token",
            "x-api-key",
            "api-key",
            "x-shared-secret",
            "x-auth",
            "x-session-id",
            "x-sig",
            "hmac",
        ] {
            headers.insert(name, HeaderValue::from_static("hunter2"));
        }
        for name in ["x-hub-signature-256", "x-author", "idempotency-key", "content-type"] {
            headers.insert(name, HeaderValue::from_static("value"));
        }
        let record = record(url, &headers, &Credentials::default());
        assert_eq!(
            record.url,
            "http://h/in/a?token=…&access_token=…&api%5Fkey=…&Password=…&key=…&page=6&monkey=7&sig=…&code=…\
             &hmac=…&zipcode=2&X-Sig=…&SessionId=…"
        );
        let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-hub-signature-256", "x-author", "idempotency-key", "content-type"]);
    }

    #[test]
    fn every_telling_word_is_found_wherever_it_stands_in_a_name() {
        for word in TELLING {
            for name in [word.to_owned(), format!("x-{word}"), format!("{word}-x"), word.to_ascii_uppercase()]
            {
                assert!(is_telling(&name), "{name}");
            }
            assert!(!is_telling(&word[1..]), "{word}");
        }
    }

    #[test]
    fn credentials_are_not_kept() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "x-gitlab-token", "x-gitlab-event"] {
            headers.insert(name, HeaderValue::from_static("value"));
        }
        let record = record("http://h/in/a", &headers, &credentials(&["x-gitlab-token"], &[]));
        assert_eq!(record.headers, [("x-gitlab-event".to_owned(), "value".to_owned())]);
    }
}
