//! The request of one attempt.

use super::cloudevent::{CloudEvent, DataForm, Envelope};
use super::field::{HeaderError, encoded, put, put_data, put_event};
use super::fill::{self, FillError};
use crate::config::{
    ContentMode, DataKind, DeliveryConfig, EndpointConfig, EndpointTemplates, ForwardHeaders,
};
use crate::event::{CONTENT_CODING, Event};
use crate::request::UnixMillis;
use crate::router::Rendered;
use crate::sign::{SignInput, SignatureError, Signer};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use percent_encoding::{CONTROLS, utf8_percent_encode};

/// How many fields are put beside the configured ones, as a rule.
const OWN: usize = 13;

pub(super) const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
pub(super) const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The media type of an event in CloudEvents' JSON format.
const STRUCTURED: HeaderValue = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

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
    /// What of the URL and the fields depends on the event.
    pub templates: EndpointTemplates,
    /// The media type of the data that is made of the event, if the data that is sent is.
    pub made: Option<&'static str>,
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
    /// What was made of the event for this endpoint; needed if [`Outgoing::needs_rendering`] says so.
    pub rendered: Option<&'a Rendered>,
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
    /// What was made of the event cannot stand where it is to stand.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// What was made of the event is not what is asked for: the subscription was changed meanwhile.
    #[error("the subscription was changed meanwhile")]
    Outdated,
    /// The event's data is no JSON, and has to stand in a list of JSON.
    #[error("the data is no JSON, and a batch of raw data is a JSON array")]
    NotJson,
    /// The event could not be written.
    #[error("the event cannot be written as JSON: {0}")]
    Json(String),
}

/// The media type of what is made of events for an endpoint, if something is made.
#[must_use]
pub fn made(endpoint: &EndpointConfig, delivery: &DeliveryConfig) -> Option<&'static str> {
    let of_data = || endpoint.templates.data.as_ref().map(|data| data.kind.media_type());
    delivery.transform.as_ref().map(|_| DataKind::Json.media_type()).or_else(of_data)
}

impl Outgoing {
    /// Whether something has to be made of an event before it can be sent.
    #[must_use]
    pub fn needs_rendering(&self) -> bool {
        self.made.is_some() || self.templates.target.is_some() || !self.templates.headers.is_empty()
    }

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
        let Sending { event, data, received, own, rendered, now } = *sending;
        let made = match self.made {
            Some(_) => Some(rendered.and_then(|made| made.body.as_deref()).ok_or(OutgoingError::Outdated)?),
            None => None,
        };
        let event_of_made = self.made.map(|kind| made_anew(event, kind));
        let (event, data) = (event_of_made.as_ref().unwrap_or(event), made.unwrap_or(data));
        let values = rendered.map(|made| made.values.as_slice()).unwrap_or_default();
        let uri = match &self.templates.target {
            Some(target) => fill::target(&self.uri, target, values)?,
            None => self.uri.clone(),
        };
        let mut headers = HeaderMap::with_capacity(self.headers.len() + OWN);
        headers.clone_from(&self.headers);
        for (name, template) in &self.templates.headers {
            fill::header(&mut headers, name, template, values)?;
        }
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
            // Some providers send it in a field of their own, where no other characters can stand.
            let kind = utf8_percent_encode(&event.kind, CONTROLS).to_string();
            let (timestamp, kind) = (now, Some(kind.as_str()));
            let input = SignInput { body, id: &id, timestamp, kind, ..SignInput::default() };
            self.sign(&uri, &mut headers, &input)?;
        }
        let body = body.or_else(|| made.map(<[u8]>::to_vec));
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Puts the fields that sign a request; what of it only some signers look at is filled in here.
    pub(super) fn sign(
        &self,
        uri: &Uri,
        headers: &mut HeaderMap,
        input: &SignInput<'_>,
    ) -> Result<(), OutgoingError> {
        let seen = self.signer.sees_headers();
        let fields: Vec<(String, String)> = match seen {
            true => headers
                .iter()
                .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
                .collect(),
            false => Vec::new(),
        };
        let url = if seen { uri.to_string() } else { String::new() };
        let signed = self.signer.sign(&SignInput {
            method: self.method.as_str(),
            url: &url,
            headers: &fields,
            ..*input
        })?;
        for (name, value) in signed {
            let field = HeaderName::try_from(&name).map_err(|_| SignatureError::Elsewhere(name))?;
            put(headers, field, &value)?;
        }
        Ok(())
    }
}

/// The event whose data was made anew: of this type, whatever it was before.
pub(super) fn made_anew(event: &Event, kind: &str) -> Event {
    let mut event = Event { datacontenttype: Some(kind.to_owned()), ..event.clone() };
    event.extensions.remove(CONTENT_CODING);
    event
}

pub(super) fn json<T: serde::Serialize>(document: &T) -> Result<Vec<u8>, OutgoingError> {
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
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

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
            templates: EndpointTemplates::default(),
            made: None,
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
        let received = [("x-github-event", "push"), ("x-other", "1"), ("traceparent", "theirs")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = [(HeaderName::from_static("traceparent"), HeaderValue::from_static("00-1"))];
        let sending = Sending { event: &event, data, received: &received, own: &own, rendered: None, now };
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
        let send_with = |configured: &[(&'static str, &'static str)]| {
            let mut outgoing = outgoing(ContentMode::Raw, configured);
            outgoing.forward.add("x-github-*").unwrap();
            outgoing.forward.add("traceparent").unwrap();
            send(&outgoing, b"{}")
        };
        let request = send_with(&[("content-type", "text/x"), ("traceparent", "mine")]);
        assert_eq!(request.headers()["content-type"], "text/x");
        assert_eq!(request.headers()["traceparent"], "mine");
        assert_eq!(request.headers()["x-github-event"], "push");
        assert!(!request.headers().contains_key("x-other"));
        let request = send_with(&[]);
        let sent: Vec<&HeaderValue> = request.headers().get_all("traceparent").iter().collect();
        assert_eq!(sent, ["00-1"]);
    }

    #[test]
    fn what_was_made_of_the_event_is_sent_in_the_place_of_its_data() {
        let (event, now) = (event(), UnixMillis(1_700_000_001_000));
        let rendered = Rendered {
            body: Some(b"{\"id\":7}".to_vec()),
            values: vec![("message.id".into(), "7/é".into()), ("event.type".into(), "a\nb".into())],
        };
        let template = |text: &str| crate::config::Template::parse(text).unwrap().unwrap();
        for (content, body) in [
            (ContentMode::Raw, "{\"id\":7}".to_owned()),
            (ContentMode::Envelope, "\"data\":{\"id\":7}".to_owned()),
        ] {
            let mut outgoing = outgoing(content, &[]);
            outgoing.made = Some("application/json");
            outgoing.templates.target = Some(template("/o/{{ message.id }}?t={{ message.id }}&x=1"));
            outgoing.templates.headers = vec![("x-kind".into(), template("k {{event.type}}"))];
            let sending = Sending {
                event: &event,
                data: b"[]",
                received: &[],
                own: &[],
                rendered: Some(&rendered),
                now,
            };
            let request = outgoing.request(&sending).unwrap();
            assert_eq!(request.uri(), "https://example.com/o/7%2F%C3%A9?t=7%2F%C3%A9&x=1");
            assert_eq!(request.headers()["x-kind"], "k a%0Ab");
            assert_eq!(request.headers()["content-type"], "application/json");
            assert!(!request.headers().contains_key("content-encoding"));
            let sent = request.body().as_deref().unwrap();
            assert!(String::from_utf8_lossy(sent).contains(&body), "{sent:?}");
            let signed =
                standard_webhooks(&[SigningSecret::parse(KEY).unwrap()], "evt%201", now.seconds(), sent);
            assert_eq!(request.headers()["webhook-signature"], signed.signature);
            let missing = Sending { rendered: None, ..sending };
            assert_eq!(outgoing.request(&missing).unwrap_err(), OutgoingError::Outdated);
        }
    }

    #[test]
    fn a_provider_signs_over_what_is_sent() {
        let mut outgoing = outgoing(ContentMode::Envelope, &[]);
        let (style, key) = (SignatureStyle::Provider("github".into()), "some key of it");
        outgoing.signer = Signer::try_new(&style, &[SigningKeyConfig::new(key)]).unwrap();
        let event = event();
        let sending = Sending {
            event: &event,
            data: b"{}",
            received: &[],
            own: &[],
            rendered: None,
            now: UnixMillis(1),
        };
        let request = outgoing.request(&sending).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(request.body().as_deref().unwrap());
        let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(request.headers()["x-hub-signature-256"], expected);
        assert_eq!(request.headers()["x-github-event"], "order.paid");
        assert!(!request.headers().contains_key("webhook-signature"));
    }
}
