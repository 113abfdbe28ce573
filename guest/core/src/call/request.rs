//! What is sent: a request of a caller's to an API, as it was asked for.

use crate::config::{
    CALL_METHODS, LONGEST_URL, MOST_HEADER_BYTES, MOST_HEADERS, is_header_value, is_reserved_header,
};
use crate::request::UnixMillis;
use crate::sign::{SignInput, SignatureError, Signer};
use http::header::{HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use std::borrow::Cow;

/// A request as its caller asked for it. The body stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallRequest {
    /// The method; the API's own if it names none.
    pub method: Option<String>,
    /// What follows the API's URL: empty, or a path with or without a query. Of a request to an API that is anywhere, the whole
    /// URL.
    pub path: String,
    /// Header fields. Those of the API go before them.
    pub headers: Vec<(String, String)>,
    /// The method that its API had when it was made, where it names none itself: it is sent by that whatever the API has by then.
    pub api_method: Option<String>,
    /// The header field that its API had for the key when it was made: every attempt has the key in the same one, so that the API
    /// knows it again. `None` of one that was made before this was kept.
    pub key_field: Option<String>,
}

/// Why a request cannot be sent. It never quotes a value that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// No method that is sent.
    #[error("must be one of GET, HEAD, POST, PUT, PATCH, DELETE")]
    Method,
    /// The path would be another one, or none.
    #[error("{0}")]
    Path(&'static str),
    /// A header field of this name cannot be sent.
    #[error("{1}")]
    Header(String, &'static str),
    /// It could not be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl CallRequest {
    /// The method by which it is sent; `None` if that is what the API has then.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref().or(self.api_method.as_deref())
    }

    /// The whole URL that it names, if it does.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        Some(self.path.as_str()).filter(|path| !path.is_empty() && !path.starts_with(['/', '?']))
    }

    /// Everything about it that cannot be sent, but for the whole URL where it names one: that is as good as what an endpoint
    /// has ([`crate::config::read_call_url`]).
    #[must_use]
    pub fn faults(&self) -> Vec<RequestFault> {
        let mut faults = Vec::new();
        if self.method.as_deref().is_some_and(|method| !CALL_METHODS.contains(&method)) {
            faults.push(RequestFault::Method);
        }
        if self.url().is_none() {
            faults.extend(path_fault(&self.path).map(RequestFault::Path));
        }
        let mut bytes = 0;
        for (name, value) in &self.headers {
            let fault = |reason| Some(RequestFault::Header(name.clone(), reason));
            bytes += name.len() + value.len();
            faults.extend(match name.parse::<HeaderName>() {
                Err(_) => fault("not the name of a header field"),
                Ok(known) if is_reserved_header(known.as_str()) => {
                    fault("this header field is written by the gateway itself")
                }
                Ok(_) if !is_header_value(value) => fault("must be printable ASCII without spaces around it"),
                Ok(_) => None,
            });
        }
        if self.headers.len() > MOST_HEADERS || bytes > MOST_HEADER_BYTES {
            faults.push(RequestFault::Header(
                String::new(),
                "there are more than 64 header fields, or more than 16 KiB of them",
            ));
        }
        faults
    }
}

/// What a URL cannot have (RFC 3986, section 2): all that is not ASCII, whose UTF-8 is sent percent-encoded as the URL Standard
/// does (section 4.4). The rest is sent as it is written.
const NOT_ASCII: &AsciiSet = &AsciiSet::EMPTY;

/// A URL with its path and query as they are sent.
fn sent_url(url: &str) -> Cow<'_, str> {
    let begin = url.find("://").map_or(0, |scheme| scheme + 3);
    let (_, rest) = url.split_at(begin);
    // A name of a host is another matter.
    let path = rest.find(['/', '?']).map_or(url.len(), |path| begin + path);
    let (host, path) = url.split_at(path);
    match path.is_ascii() {
        true => Cow::Borrowed(url),
        false => Cow::Owned(format!("{host}{}", utf8_percent_encode(path, NOT_ASCII))),
    }
}

/// A path is taken as it is written: whoever reads it must not find another one.
fn path_fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return None;
    }
    let sent = utf8_percent_encode(path, NOT_ASCII).to_string();
    if sent.len() > LONGEST_URL {
        return Some("must be at most 8000 bytes, with three for each byte of a character that is not ASCII");
    }
    if path.contains('#') || sent.parse::<PathAndQuery>().is_err() {
        return Some("not the path and query of a url");
    }
    let segments = read_as_any(path.split('?').next().unwrap_or_default());
    // What follows a semicolon is a parameter for some, and no part of the segment's name.
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    let leaves = segments.split(['/', '\\']).any(is_dots);
    leaves.then_some("must not hold a segment `.` or `..`, which would lead out of the api")
}

/// A path as whoever undoes more of its percent-encoding than a URL asks for reads its separators and dots, however often it is
/// written over: also who takes ASCII that is written as several bytes, which is no UTF-8 (RFC 3629, section 3), or skips a null byte.
fn read_as_any(path: &str) -> String {
    const OVERLONG: [(&str, &str); 6] = [
        ("%00", ""),
        ("%c0%ae", "."),
        ("%c0%af", "/"),
        ("%c1%9c", "\\"),
        ("%e0%80%ae", "."),
        ("%e0%80%af", "/"),
    ];
    const CODED: [(&str, char); 4] = [("2e", '.'), ("2f", '/'), ("5c", '\\'), ("3b", ';')];
    let mut path = path.to_ascii_lowercase();
    while path.contains("%25") {
        path = path.replace("%25", "%");
    }
    for (coded, read) in OVERLONG {
        path = path.replace(coded, read);
    }
    let (mut plain, mut rest) = (String::with_capacity(path.len()), path.as_str());
    while let Some((before, after)) = rest.split_once('%') {
        let read = CODED.iter().find_map(|(coded, character)| Some((*character, after.strip_prefix(coded)?)));
        let (character, left) = read.unwrap_or(('%', after));
        plain.push_str(before);
        plain.push(character);
        rest = left;
    }
    plain + rest
}

/// The target below an API's URL.
fn target(base: &Uri, path: &str) -> Result<Uri, RequestFault> {
    if path.is_empty() {
        return Ok(base.clone());
    }
    let fault = RequestFault::Path("not the path and query of a url");
    let (own, own_query) = (base.path(), base.query());
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let own = if path.is_empty() { own } else { own.trim_end_matches('/') };
    let mut whole = format!("{own}{path}");
    // What the API asks for in every request comes first.
    for (query, mark) in [(own_query, '?'), (query, if own_query.is_some() { '&' } else { '?' })] {
        if let Some(query) = query {
            whole.push(mark);
            whole.push_str(query);
        }
    }
    let whole = utf8_percent_encode(&whole, NOT_ASCII).to_string();
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(whole).map_err(|_| fault.clone())?);
    Uri::from_parts(parts).map_err(|_| fault)
}

/// Where a request goes: below the API's URL, or, of an API without one, where it says itself. What the API was when the
/// request was made is not asked.
fn place(base: Option<&Uri>, request: &CallRequest) -> Result<Uri, RequestFault> {
    match (base, request.url()) {
        (Some(base), None) => target(base, &request.path),
        (None, Some(url)) => sent_url(url).parse().map_err(|_| RequestFault::Path("not a url")),
        (Some(_), Some(_)) => Err(RequestFault::Path("is a whole url, which this api does not take")),
        (None, None) => Err(RequestFault::Path("is no whole url, which this api needs")),
    }
}

/// What one attempt sends: the caller's request below the API's URL (or where it says itself, without one), with the API's fields, the key under its field, and
/// signed over all of it. Every attempt of a request has the same key, and as `webhook-id` the same id.
///
/// # Errors
///
/// What cannot be sent.
pub fn outgoing(
    (base, method, fields): (Option<&Uri>, &Method, &HeaderMap),
    signer: &Signer,
    request: &CallRequest,
    body: &[u8],
    (key_field, key): (&HeaderName, &str),
    now: UnixMillis,
) -> Result<Request<()>, RequestFault> {
    let uri = place(base, request)?;
    let method = match request.method() {
        Some(method) => Method::from_bytes(method.as_bytes()).map_err(|_| RequestFault::Method)?,
        None => method.clone(),
    };
    let mut headers = fields.clone();
    for (name, value) in &request.headers {
        let fault = |reason| RequestFault::Header(name.clone(), reason);
        let parsed: HeaderName = name.parse().map_err(|_| fault("not the name of a header field"))?;
        let value = HeaderValue::from_str(value).map_err(|_| fault("its value cannot be sent"))?;
        // The API's own go first, whoever asks.
        if !fields.contains_key(&parsed) {
            headers.try_append(parsed, value).map_err(|_| fault("there are more than can be sent"))?;
        }
    }
    let of_then = request.key_field.as_ref().map(|name| {
        let fault = |_| RequestFault::Header(name.clone(), "not the name of a header field");
        name.parse::<HeaderName>().map_err(fault)
    });
    let of_then = of_then.transpose()?;
    let key_field = of_then.as_ref().unwrap_or(key_field);
    let fault = |reason| RequestFault::Header(key_field.to_string(), reason);
    let value = HeaderValue::from_str(key).map_err(|_| fault("the key cannot be sent"))?;
    headers.insert(key_field.clone(), value);
    if signer.is_signed() {
        let id = HeaderValue::from_str(key).map_err(|_| fault("the key cannot be sent"))?;
        headers.insert(HeaderName::from_static("webhook-id"), id);
        headers.insert(HeaderName::from_static("webhook-timestamp"), now.seconds().into());
        let seen: Vec<(String, String)> = headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let url = uri.to_string();
        let input = SignInput {
            method: method.as_str(),
            url: &url,
            headers: &seen,
            body,
            id: key,
            timestamp: now,
            kind: None,
        };
        for (name, value) in signer.sign(&input)? {
            let fault = || RequestFault::Signature(SignatureError::Elsewhere(name.clone()));
            let field = HeaderName::try_from(&name).map_err(|_| fault())?;
            headers.insert(field, HeaderValue::from_str(&value).map_err(|_| fault())?);
        }
    }
    let mut made = Request::new(());
    *made.method_mut() = method;
    *made.uri_mut() = uri;
    *made.headers_mut() = headers;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SignatureStyle, SigningKeyConfig};
    use crate::sign::{SigningSecret, standard_webhooks};

    fn at(base: &str, path: &str) -> String {
        target(&base.parse().unwrap(), path).unwrap().to_string()
    }

    #[test]
    fn a_path_stands_below_the_url_of_its_api() {
        assert_eq!(at("https://a.example/v1", ""), "https://a.example/v1");
        assert_eq!(at("https://a.example/v1/", "/users?x=1"), "https://a.example/v1/users?x=1");
        assert_eq!(at("https://a.example/v1?k=1", "/users?x=1"), "https://a.example/v1/users?k=1&x=1");
        assert_eq!(at("https://a.example/v1", "?x=1"), "https://a.example/v1?x=1");
        assert_eq!(at("https://a.example", "/users"), "https://a.example/users");
    }

    #[test]
    fn what_is_not_ascii_is_sent_percent_encoded_and_the_rest_as_it_is_written() {
        assert_eq!(at("https://a.example/v1", "/ä?ö=ü%20x"), "https://a.example/v1/%C3%A4?%C3%B6=%C3%BC%20x");
        let request = |path: &str| CallRequest { path: path.into(), ..CallRequest::default() };
        let url = |url: &str| place(None, &request(url)).unwrap().to_string();
        assert_eq!(url("https://b.example/ä?ö"), "https://b.example/%C3%A4?%C3%B6");
        assert_eq!(url("https://b.example?ö"), "https://b.example/?%C3%B6");
        assert_eq!(url("https://b.example/x?y=%7e"), "https://b.example/x?y=%7e");
        assert!(request("/ä").faults().is_empty());
        assert_eq!(request(&format!("/{}", "ä".repeat(2000))).faults().len(), 1, "12 001 bytes are sent");
        let headers = vec![("x-a".to_owned(), "ä".to_owned())];
        let fault = CallRequest { headers, ..CallRequest::default() }.faults().pop();
        assert!(matches!(fault, Some(RequestFault::Header(name, _)) if name == "x-a"));
    }

    #[test]
    fn a_request_has_its_key_in_the_field_that_its_api_had() {
        let signer = Signer::try_new(&SignatureStyle::StandardWebhooks, &[]).unwrap();
        let (fields, base) = (HeaderMap::new(), "https://a.example/v1".parse().unwrap());
        let field = HeaderName::from_static("x-request-id");
        let request = |key_field: Option<&str>| CallRequest {
            key_field: key_field.map(str::to_owned),
            ..CallRequest::default()
        };
        for (of_then, sent) in [(None, "x-request-id"), (Some("idempotency-key"), "idempotency-key")] {
            let api = (Some(&base), &Method::POST, &fields);
            let made = outgoing(api, &signer, &request(of_then), b"", (&field, "k"), UnixMillis(0)).unwrap();
            assert_eq!((made.headers().len(), made.headers().get(sent).is_some()), (1, true), "{sent}");
        }
    }

    #[test]
    fn a_request_is_sent_by_the_method_that_its_api_had() {
        let signer = Signer::try_new(&SignatureStyle::StandardWebhooks, &[]).unwrap();
        let fields = HeaderMap::new();
        let base = "https://a.example/v1".parse().unwrap();
        let field = HeaderName::from_static("idempotency-key");
        let sent = |request: &CallRequest| {
            let api = (Some(&base), &Method::PUT, &fields);
            let made = outgoing(api, &signer, request, b"", (&field, "k"), UnixMillis(0)).unwrap();
            made.method().clone()
        };
        let none = CallRequest::default();
        let of_then = CallRequest { api_method: Some("POST".into()), ..none.clone() };
        let own = CallRequest { method: Some("PATCH".into()), ..of_then.clone() };
        assert_eq!(
            [none, of_then, own].map(|request| sent(&request)),
            [Method::PUT, Method::POST, Method::PATCH]
        );
    }

    #[test]
    fn a_path_that_would_lead_elsewhere_is_refused() {
        for path in [
            "//../x/..",
            "/a/../b",
            "/a/%2E%2e/b",
            "/a/.",
            "/a b",
            "/a#b",
            "/..\\x",
            "/..%2fadmin",
            "/..%5Cadmin",
            "/%2e%2e%2Fadmin",
            "/a%2f..%2fb",
            "/..;/x",
            "/..;a=1/x",
            "/..%3bx/y",
            "/%252e%252e/x",
            "/..%25252fx",
            "/..%00/x",
            "/.%00./x",
            "/%c0%ae%c0%ae/x",
            "/a%C0%AF..%c0%afb",
            "/%25c0%25ae/x",
            "/%e0%80%ae./x",
        ] {
            let request = CallRequest { path: path.into(), ..CallRequest::default() };
            assert_eq!(request.faults().len(), 1, "{path}");
        }
        for path in
            ["", "/", "/a.b/..c?x=../y", "?a=1", "/a%2fb", "/100%25", "/a;b=..", "/...", "/..c%2f.d?%2e%2e"]
        {
            let request = CallRequest { path: path.into(), ..CallRequest::default() };
            assert!(request.faults().is_empty(), "{path}");
        }
    }

    #[test]
    fn a_whole_url_is_only_for_an_api_without_one() {
        let base = "https://a.example/v1".parse().unwrap();
        let request = |path: &str| CallRequest { path: path.into(), ..CallRequest::default() };
        let url = "http://b.example:8080/x?y=1";
        assert_eq!(place(None, &request(url)).unwrap().to_string(), url);
        assert!(place(Some(&base), &request(url)).is_err());
        assert!(place(Some(&base), &request("users")).is_err());
        for path in ["", "/users", "?a=1"] {
            assert!(place(None, &request(path)).is_err(), "{path}");
            assert!(place(Some(&base), &request(path)).is_ok(), "{path}");
        }
    }

    #[test]
    fn fields_of_the_connection_and_of_the_gateway_are_refused() {
        for (name, value) in
            [("Host", "x"), ("webhook-id", "x"), ("content-length", "1"), ("a b", "x"), ("a", "x\n")]
        {
            let headers = vec![(name.to_owned(), value.to_owned())];
            let request = CallRequest { headers, ..CallRequest::default() };
            assert_eq!(request.faults().len(), 1, "{name}");
        }
        let request = CallRequest { method: Some("TRACE".into()), ..CallRequest::default() };
        assert_eq!(request.faults(), [RequestFault::Method]);
    }

    #[test]
    fn every_attempt_has_the_same_key_and_the_fields_of_its_api_go_first() {
        const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let keys = [SigningKeyConfig::new(KEY)];
        let signer = Signer::try_new(&SignatureStyle::StandardWebhooks, &keys).unwrap();
        let mut fields = HeaderMap::new();
        fields.insert("authorization", HeaderValue::from_static("Bearer theirs"));
        let headers = [("authorization", "mine"), ("x-a", "1"), ("idempotency-key", "mine")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let request = CallRequest {
            method: Some("PUT".into()),
            path: "/users/7".into(),
            headers: headers.into(),
            api_method: None,
            key_field: None,
        };
        let base = "https://a.example/v1".parse().unwrap();
        let field = HeaderName::from_static("idempotency-key");
        let now = UnixMillis(1_700_000_001_000);
        let api = (Some(&base), &Method::POST, &fields);
        let made = outgoing(api, &signer, &request, b"{}", (&field, "order-7"), now).unwrap();
        assert_eq!((made.method(), made.uri().path()), (&Method::PUT, "/v1/users/7"));
        let values: Vec<&HeaderValue> = made.headers().get_all("authorization").iter().collect();
        assert_eq!(values, ["Bearer theirs"]);
        assert_eq!(made.headers()["x-a"], "1");
        assert_eq!(made.headers()["idempotency-key"], "order-7");
        let key = SigningSecret::parse(KEY).unwrap();
        let signed = standard_webhooks(&[key], "order-7", now.seconds(), b"{}");
        assert_eq!(made.headers()["webhook-signature"], signed.signature);
    }
}
