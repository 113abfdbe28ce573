//! Several events in one request.

use super::cloudevent::{CloudEvent, DataForm, Envelope, json_data};
use super::field::{encoded, put};
use super::outgoing::{JSON, Outgoing, OutgoingError, WEBHOOK_ID, WEBHOOK_TIMESTAMP, json, made_anew};
use crate::config::ContentMode;
use crate::event::Event;
use crate::request::UnixMillis;
use crate::router::Rendered;
use crate::sign::SignInput;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request};
use sha2::{Digest, Sha256};

/// The media type of several events in CloudEvents' JSON format ("JSON Event Format for CloudEvents", section 4).
const BATCHED: HeaderValue = HeaderValue::from_static("application/cloudevents-batch+json; charset=utf-8");

/// How many bytes of a hash name a batch: enough that no two have one name.
const NAME: usize = 16;

/// The body of a request with several events, as far as it is gathered.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    body: Vec<u8>,
    names: Sha256,
    count: usize,
}

impl Batch {
    /// Adds an event, as [`Outgoing::element`] wrote it.
    pub fn add(&mut self, id: &str, element: &[u8]) {
        self.body.push(if self.count == 0 { b'[' } else { b',' });
        self.body.extend_from_slice(element);
        // A length in front, so that no two lists of ids are written the same.
        self.names.update((id.len() as u64).to_be_bytes());
        self.names.update(id);
        self.count += 1;
    }

    /// How many events it has.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// How many bytes a body has with so many elements, which have so many bytes together: the brackets and commas beside.
    #[must_use]
    pub const fn length_of(elements: usize, bytes: usize) -> usize {
        bytes + elements + 1
    }
}

impl Outgoing {
    /// One event as it stands in a batch: as in CloudEvents' JSON format, as an envelope, or as its data.
    ///
    /// # Errors
    ///
    /// What cannot be written so.
    pub fn element(
        &self,
        event: &Event,
        data: &[u8],
        rendered: Option<&Rendered>,
    ) -> Result<Vec<u8>, OutgoingError> {
        let made = match self.made {
            Some(_) => Some(rendered.and_then(|made| made.body.as_deref()).ok_or(OutgoingError::Outdated)?),
            None => None,
        };
        let event_of_made = self.made.map(|kind| made_anew(event, kind));
        let (event, data) = (event_of_made.as_ref().unwrap_or(event), made.unwrap_or(data));
        match self.content {
            ContentMode::CloudEventBinary | ContentMode::CloudEvent => {
                json(&CloudEvent::new(event, data, DataForm::Plain))
            }
            ContentMode::Envelope => json(&Envelope::new(event, data)),
            ContentMode::Raw => json_data(event, data).ok_or(OutgoingError::NotJson),
        }
    }

    /// The request for a batch, signed once. `webhook-id` is made of the events' ids: the same events in the same order have
    /// the same one.
    ///
    /// # Errors
    ///
    /// What cannot be the value of a field, or cannot be signed.
    pub fn batch(
        &self,
        batch: Batch,
        own: &[(HeaderName, HeaderValue)],
        now: UnixMillis,
    ) -> Result<Request<Vec<u8>>, OutgoingError> {
        let Batch { mut body, names, count } = batch;
        if count == 0 {
            body.push(b'[');
        }
        body.push(b']');
        let name = names.finalize();
        let id = encoded(&format!("batch_{}", hex::encode(name.get(..NAME).unwrap_or(&name))));
        let mut headers: HeaderMap = self.headers.clone();
        headers.entry(CONTENT_TYPE).or_insert(match self.content {
            ContentMode::CloudEventBinary | ContentMode::CloudEvent => BATCHED,
            ContentMode::Envelope | ContentMode::Raw => JSON,
        });
        put(&mut headers, WEBHOOK_ID, &id)?;
        headers.insert(WEBHOOK_TIMESTAMP, now.seconds().into());
        for (name, value) in own {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        if self.signer.is_signed() {
            let input = SignInput { body: &body, id: &id, timestamp: now, ..SignInput::default() };
            self.sign(&self.uri, &mut headers, &input)?;
        }
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EndpointTemplates, ForwardHeaders, SignatureStyle, SigningKeyConfig};
    use crate::sign::{Signer, SigningSecret, standard_webhooks};
    use http::{Method, Uri};
    use serde_json::{Value, json};

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NOW: UnixMillis = UnixMillis(1_700_000_001_000);

    fn outgoing(content: ContentMode) -> Outgoing {
        Outgoing {
            uri: Uri::from_static("https://example.com/hook"),
            method: Method::POST,
            headers: HeaderMap::new(),
            content,
            forward: ForwardHeaders::default(),
            signer: Signer::try_new(&SignatureStyle::StandardWebhooks, &[SigningKeyConfig::new(KEY)])
                .unwrap(),
            templates: EndpointTemplates::default(),
            made: None,
        }
    }

    fn event(id: &str, kind: &str) -> Event {
        Event {
            id: id.into(),
            source: "shop".into(),
            kind: "order.paid".into(),
            time: UnixMillis(1_700_000_000_000),
            datacontenttype: Some(kind.into()),
            ..Event::default()
        }
    }

    fn send(outgoing: &Outgoing, events: &[(Event, &str)]) -> (Request<Vec<u8>>, Value) {
        let mut batch = Batch::default();
        for (event, data) in events {
            let element = outgoing.element(event, data.as_bytes(), None).unwrap();
            batch.add(&event.id, &element);
        }
        let bytes = batch.body.len() - batch.count();
        let length = Batch::length_of(batch.count(), bytes);
        let request = outgoing.batch(batch, &[], NOW).unwrap();
        assert_eq!(request.body().len(), length);
        let body = serde_json::from_slice(request.body()).unwrap();
        (request, body)
    }

    #[test]
    fn several_events_are_one_request_with_one_signature() {
        let events = [
            (event("a", "application/json"), "{\"n\": 1.50}"),
            (event("b", "text/plain"), "hello"),
            (event("c", "image/png"), "\u{1}"),
        ];
        let (request, body) = send(&outgoing(ContentMode::CloudEventBinary), &events);
        assert_eq!(request.headers()["content-type"], "application/cloudevents-batch+json; charset=utf-8");
        let id = request.headers()["webhook-id"].to_str().unwrap();
        let signed =
            standard_webhooks(&[SigningSecret::parse(KEY).unwrap()], id, NOW.seconds(), request.body());
        assert_eq!(request.headers()["webhook-signature"], signed.signature);
        let ids: Vec<&Value> = body.as_array().unwrap().iter().map(|event| &event["id"]).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(body[1]["data"], "hello");
        assert_eq!(body[2]["data_base64"], "AQ==");
        assert!(String::from_utf8_lossy(request.body()).contains("{\"n\": 1.50}"), "no digit is lost");
    }

    #[test]
    fn the_same_events_have_the_same_id_and_others_another() {
        let outgoing = outgoing(ContentMode::Raw);
        let id = |ids: &[&str]| {
            let events: Vec<_> = ids.iter().map(|id| (event(id, "application/json"), "1")).collect();
            send(&outgoing, &events).0.headers()["webhook-id"].clone()
        };
        assert_eq!(id(&["a", "b"]), id(&["a", "b"]));
        assert_ne!(id(&["a", "b"]), id(&["b", "a"]));
        assert_ne!(id(&["ab"]), id(&["a", "b"]));
        assert_ne!(id(&["a"]), id(&["a", "b"]));
    }

    #[test]
    fn envelopes_and_raw_data_stand_in_a_list() {
        let events =
            [(event("a", "application/json"), "{\"n\": 1.50}"), (event("b", "application/json"), "[]")];
        let (request, body) = send(&outgoing(ContentMode::Envelope), &events);
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!((&body[0]["type"], &body[1]["data"]), (&json!("order.paid"), &json!([])));
        let (request, body) = send(&outgoing(ContentMode::Raw), &events);
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(body, json!([{"n": 1.5}, []]));
        assert_eq!(request.body(), b"[{\"n\": 1.50},[]]");
        let text = outgoing(ContentMode::Raw).element(&event("a", "text/plain"), b"hello", None);
        assert_eq!(text, Err(OutgoingError::NotJson));
    }
}
