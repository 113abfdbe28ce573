//! What a decision asks its shell to fetch.

use http::header::CONTENT_TYPE;
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Uri};
use std::time::Duration;

/// A document that the decision needs from the provider's own host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// An `https` URL on a host that the scheme's definition pins. A fragment, if any, is not sent; it tells apart
    /// answers that the same address gives to different bodies.
    pub url: String,
    /// A JSON document to send with `POST`; without one the request is a `GET`. It can hold credentials.
    pub post: Option<Vec<u8>>,
    /// How long the answer may be cached and given to later decisions, in seconds; 0 forbids it.
    pub cache_seconds: u32,
}

impl Fetch {
    /// How often the decision about one request may ask for documents.
    pub const MOST_ROUNDS: usize = 3;
    /// How many documents one decision may ask for.
    pub const MOST_AT_ONCE: usize = 4;
    /// The longest document in bytes; certificates and sets of keys are some kilobytes.
    pub const LONGEST: usize = 64 << 10;
    /// How long one document may take.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// The request that gets the document. Redirects must not be followed: the host is pinned.
    ///
    /// # Errors
    ///
    /// If the address is not an `https` URL.
    pub fn request(&self) -> Result<Request<Vec<u8>>, String> {
        let url = self.url.split('#').next().unwrap_or_default();
        let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err("not an https URL".to_owned());
        }
        let mut request = Request::new(self.post.clone().unwrap_or_default());
        *request.uri_mut() = uri;
        if self.post.is_some() {
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }

    /// The URL as a log may show it: without its query, in which the token of a confirmation stands.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(url: &str, post: Option<&[u8]>) -> Fetch {
        Fetch { url: url.to_owned(), post: post.map(<[u8]>::to_vec), cache_seconds: 0 }
    }

    #[test]
    fn a_document_is_got_without_the_fragment_of_its_address() {
        let request = fetch("https://keys.example.com/a?b=c#d", None).request().unwrap();
        assert_eq!((request.method(), request.body().len()), (&Method::GET, 0));
        assert_eq!(request.uri(), "https://keys.example.com/a?b=c");
    }

    #[test]
    fn a_document_to_send_is_posted_as_json() {
        let request = fetch("https://keys.example.com/", Some(b"{}")).request().unwrap();
        assert_eq!((request.method(), request.body().as_slice()), (&Method::POST, b"{}".as_slice()));
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn a_token_in_the_query_is_not_shown() {
        let fetch = fetch("https://sns.example.com/confirm?Token=hunter2#b", None);
        assert_eq!(fetch.shown(), "https://sns.example.com/confirm");
    }

    #[test]
    fn only_https_is_asked() {
        for url in ["http://keys.example.com/", "/keys", "file:///etc/passwd", ""] {
            assert!(fetch(url, None).request().is_err(), "{url}");
        }
    }
}
