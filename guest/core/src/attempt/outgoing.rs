//! The request of one attempt.

use super::cloudevent::{CloudEvent, DataForm, Envelope};
use super::field::{HeaderError, encoded, put, put_data, put_event};
use crate::config::{ContentMode, ForwardHeaders};
use crate::event::Event;
use crate::request::UnixMillis;
use crate::sign::{SignatureError, Signer, Unsigned};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};

/// How many fields are put beside the configured ones, as a rule.
const OWN: usize = 13;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The media type of an event in CloudEvents' JSON format.
const STRUCTURED: HeaderValue = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is the same in all requests to an endpoint.
#[derive(Debug)]
pub struct Outgoing {
    /// Where they go.
    pub uri: Uri,
    /// Their method.
    pub method: Method,
    /// The configured fields, and who sends.
    pub headers: HeaderMap,
    /// In which form events are sent.
    pub content: ContentMode,
    /// Which fields of the received request are sent along.
    pub forward: ForwardHeaders,
    /// What signs them.
    pub signer: Signer,
}

/// What one request is about.
#[derive(Debug, Clone, Copy)]
pub struct Sending<'a> {
    /// The event.
    pub event: &'a Event,
    /// Its data.
    pub data: &'a [u8],
    /// The header fields that came with it, by lower-case name.
    pub received: &'a [(String, String)],
    /// Fields of the shell's own; the endpoint's go before them, and they before what was received.
    pub own: &'a [(HeaderName, HeaderValue)],
    /// When the request is made.
    pub now: UnixMillis,
}

/// Why there is no request. It never quotes what could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutgoingError {
    /// A field's value has bytes that HTTP does not allow.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It could not be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The event could not be written.
    #[error("the event cannot be written as JSON: {0}")]
    Json(String),
}

impl Outgoing {
    /// The request for an event, signed. A body of `None` is the event's data as it is.
    ///
    /// `webhook-id` and `webhook-timestamp` are sent without secrets too: the id is what a receiver tells repetitions by.
    /// It is the event's id, encoded as `ce-id` is, which leaves the ids of every provider as they are; so any id at all
    /// can be sent, two ids never become one, and the signature is made over what the receiver reads.
    ///
    /// # Errors
    ///
    /// What cannot be the value of a field, or cannot be signed. The error names the field, never the value.
    pub fn request(&self, sending: &Sending<'_>) -> Result<Request<Option<Vec<u8>>>, OutgoingError> {
        let Sending { event, data, received, own, now } = *sending;
        let mut headers = HeaderMap::with_capacity(self.headers.len() + OWN);
        headers.clone_from(&self.headers);
        let body = match self.content {
            ContentMode::CloudEventBinary => {
                put_data(&mut headers, event)?;
                put_event(&mut headers, event)?;
                None
            }
            ContentMode::Raw => {
                put_data(&mut headers, event)?;
                None
            }
            ContentMode::CloudEvent => {
                headers.entry(CONTENT_TYPE).or_insert(STRUCTURED);
                Some(json(&CloudEvent::new(event, data, DataForm::Plain))?)
            }
            ContentMode::Envelope => {
                headers.entry(CONTENT_TYPE).or_insert(JSON);
                Some(json(&Envelope::new(event, data))?)
            }
        };
        let id = encoded(&event.id);
        put(&mut headers, WEBHOOK_ID, &id)?;
        headers.insert(WEBHOOK_TIMESTAMP, now.seconds().into());
        for (name, value) in own {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        if !self.forward.is_empty() {
            forward(&self.forward, received, &mut headers);
        }
        if self.signer.is_signed() {
            let body = body.as_deref().unwrap_or(data);
            self.sign(&mut headers, &Part { id: &id, kind: &event.kind, body, now })?;
        }
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn sign(&self, headers: &mut HeaderMap, part: &Part<'_>) -> Result<(), OutgoingError> {
        let seen = self.signer.sees_headers();
        let fields: Vec<(String, String)> = match seen {
            true => headers
                .iter()
                .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
                .collect(),
            false => Vec::new(),
        };
        let url = if seen { self.uri.to_string() } else { String::new() };
        let signed = self.signer.sign(&Unsigned {
            method: self.method.as_str(),
            url: &url,
            headers: &fields,
            body: part.body,
            id: part.id,
            kind: part.kind,
            now: part.now,
        })?;
        for (name, value) in signed {
            let name = HeaderName::try_from(name)
                .map_err(|_| OutgoingError::Json("a field without a name".into()))?;
            put(headers, name, &value)?;
        }
        Ok(())
    }
}

/// What of a request is signed whatever the style.
struct Part<'a> {
    id: &'a str,
    kind: &'a str,
    body: &'a [u8],
    now: UnixMillis,
}

fn json<T: serde::Serialize>(document: &T) -> Result<Vec<u8>, OutgoingError> {
    serde_json::to_vec(document).map_err(|error| OutgoingError::Json(error.to_string()))
}

/// Hands on what the subscription asks for of the received fields. What is there already says more of this request.
fn forward(takes: &ForwardHeaders, received: &[(String, String)], headers: &mut HeaderMap) {
    let mut more = HeaderMap::new();
    for (name, value) in received.iter().filter(|(name, _)| takes.takes(name)) {
        // What came in as a field goes out as one.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value))
            && !headers.contains_key(&name)
        {
            more.append(name, value);
        }
    }
    headers.extend(more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SignatureStyle, SigningKeyConfig};
    use crate::sign::{SigningSecret, standard_webhooks};

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn outgoing(content: ContentMode, headers: &[(&'static str, &'static str)]) -> Outgoing {
        let keys = [SigningKeyConfig::new(KEY)];
        Outgoing {
            uri: Uri::from_static("https://example.com/hook"),
            method: Method::POST,
            headers: { headers.iter() }
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect(),
            content,
            forward: ForwardHeaders::default(),
            signer: Signer::try_new(&SignatureStyle::StandardWebhooks, &keys).unwrap(),
        }
    }

    fn event() -> Event {
        Event {
            id: "evt 1".into(),
            source: "shop".into(),
            kind: "order.paid".into(),
            time: UnixMillis(1_700_000_000_000),
            datacontenttype: Some("application/json; charset=utf-8".into()),
            extensions: [("contentencoding".to_owned(), "identity".to_owned())].into(),
            ..Event::default()
        }
    }

    fn send(outgoing: &Outgoing, data: &[u8]) -> Request<Option<Vec<u8>>> {
        let (event, now) = (event(), UnixMillis(1_700_000_001_000));
        let received =
            [("x-github-event".to_owned(), "push".to_owned()), ("x-other".to_owned(), "1".to_owned())];
        let own = [(HeaderName::from_static("traceparent"), HeaderValue::from_static("00-1"))];
        let sending = Sending { event: &event, data, received: &received, own: &own, now };
        let request = outgoing.request(&sending).unwrap();
        let body = request.body().as_deref().unwrap_or(data);
        let signed = standard_webhooks(&[SigningSecret::parse(KEY).unwrap()], "evt%201", now.seconds(), body);
        assert_eq!(request.headers()["webhook-signature"], signed.signature);
        assert_eq!(request.headers()["webhook-id"], "evt%201");
        assert_eq!(request.headers()["webhook-timestamp"], "1700000001");
        request
    }

    #[test]
    fn data_goes_out_as_it_came_with_the_attributes_beside_it_or_without_them() {
        for (content, attributes) in [(ContentMode::CloudEventBinary, true), (ContentMode::Raw, false)] {
            let request = send(&outgoing(content, &[]), b"{}");
            assert_eq!(request.body(), &None);
            assert_eq!(request.headers()["content-type"], "application/json; charset=utf-8");
            assert_eq!(request.headers()["content-encoding"], "identity");
            let named = request.headers().keys().any(|name| name.as_str().starts_with("ce-"));
            assert_eq!(named, attributes, "{content:?}");
        }
    }

    #[test]
    fn a_document_has_all_of_the_event_and_is_signed_as_it_is_sent() {
        for (content, kind) in [
            (ContentMode::CloudEvent, "application/cloudevents+json; charset=utf-8"),
            (ContentMode::Envelope, "application/json"),
        ] {
            let request = send(&outgoing(content, &[]), b"{\"n\": 1.50}");
            assert_eq!(request.headers()["content-type"], kind);
            assert!(!request.headers().contains_key("content-encoding"));
            assert!(!request.headers().contains_key("ce-id"));
            let body = String::from_utf8(request.into_body().unwrap()).unwrap();
            assert!(body.contains("\"data\":{\"n\": 1.50}") && body.contains("\"id\":\"evt 1\""), "{body}");
        }
    }

    #[test]
    fn fields_of_the_endpoint_go_before_those_of_the_shell_and_these_before_what_was_received() {
        let mut outgoing = outgoing(ContentMode::Raw, &[("content-type", "text/x"), ("traceparent", "mine")]);
        outgoing.forward.add("x-github-*").unwrap();
        outgoing.forward.add("traceparent").unwrap();
        let request = send(&outgoing, b"{}");
        assert_eq!(request.headers()["content-type"], "text/x");
        assert_eq!(request.headers()["traceparent"], "mine");
        assert_eq!(request.headers()["x-github-event"], "push");
        assert!(!request.headers().contains_key("x-other"));
    }

    #[test]
    fn a_provider_signs_over_what_is_sent() {
        let mut outgoing = outgoing(ContentMode::Envelope, &[]);
        let style = SignatureStyle::Provider("github".into());
        outgoing.signer = Signer::try_new(&style, &[SigningKeyConfig::new("some key of it")]).unwrap();
        let event = event();
        let sending = Sending { event: &event, data: b"{}", received: &[], own: &[], now: UnixMillis(1) };
        let request = outgoing.request(&sending).unwrap();
        assert!(request.headers()["x-hub-signature-256"].to_str().unwrap().starts_with("sha256="));
        assert_eq!(request.headers()["x-github-event"], "order.paid");
        assert!(!request.headers().contains_key("webhook-signature"));
    }
}
