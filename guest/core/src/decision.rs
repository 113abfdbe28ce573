//! What the component says about one request.

use crate::event::Event;
use http::header::CONTENT_TYPE;
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Uri};
use std::time::Duration;

/// The decision about one inbound request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The request is refused; nothing is remembered.
    Reject(Rejection),
    /// The request is a provider's handshake; it is answered and makes no event.
    Answer(Answer),
    /// An event of this source and id was accepted before.
    Duplicate(Duplicate),
    /// The request is an event for the subscriptions in the intents.
    Accept(Acceptance),
    /// The decision needs these documents first: the shell fetches them and asks again with the answers in
    /// [`crate::request::Request::fetched`].
    Fetch(Vec<Fetch>),
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status of the answer.
    pub status: u16,
    /// What went wrong, as a stable word for programs: `unknown-source`, `verification-failed`, `invalid-request`,
    /// `provider-unavailable`, `state-unavailable`.
    pub code: &'static str,
    /// What was missing, stale or malformed; never a secret and never the signature that was expected.
    pub reason: String,
}

/// An answer that the provider asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: String,
    /// Further header fields, by lower-case name: some handshakes echo one.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A repeated event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The id of the event that was accepted before.
    pub id: String,
    /// What the provider wants to read, where it insists on something.
    pub answer: Option<Answer>,
}

/// An accepted event with who wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The event's attributes.
    pub event: Event,
    /// One for each subscription that matched, in no particular order.
    pub intents: Vec<Intent>,
    /// Subscriptions whose filter was tried and failed on this event; they get no delivery.
    pub failures: Vec<FilterFailure>,
    /// What the provider wants to read, where it insists on something.
    pub answer: Option<Answer>,
}

/// "This event is for that subscription." It never copies the event's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The subscription's id.
    pub subscription: String,
}

/// A filter that could not be evaluated on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterFailure {
    /// The subscription's id.
    pub subscription: String,
    /// What went wrong.
    pub reason: String,
}

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
    fn only_https_is_asked() {
        for url in ["http://keys.example.com/", "/keys", "file:///etc/passwd", ""] {
            assert!(fetch(url, None).request().is_err(), "{url}");
        }
    }
}
