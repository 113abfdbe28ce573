//! One delivery as an HTTP request: the data as received, CloudEvents attributes in header fields (binary mode), and the
//! fields of Standard Webhooks.

use crate::table::Destination;
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::sign::standard_webhooks;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What the HTTP binding of CloudEvents 1.0 (section 3.1.3.2) percent-encodes in a field's value: all but printable
/// ASCII, and of that the space, the double quote and the percent sign.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// A field's value has bytes that HTTP does not allow.
#[derive(Debug, thiserror::Error)]
#[error("the value of header {0:?} cannot be sent")]
pub(crate) struct FieldError(&'static str);

/// Builds the request of one attempt. The id that is signed is the one that is sent.
pub(crate) fn build(
    destination: &Destination,
    event: &Event,
    data: Bytes,
    now: UnixMillis,
) -> Result<Request<Full<Bytes>>, FieldError> {
    let mut headers = destination.headers.clone();
    if let Some(kind) = event.datacontenttype.as_deref()
        && !headers.contains_key(header::CONTENT_TYPE)
    {
        put(&mut headers, "content-type", kind)?;
    }
    put_event(&mut headers, event)?;
    let id = encoded(&event.id);
    if !destination.secrets.is_empty() {
        let signed = standard_webhooks(&destination.secrets, &id, now.seconds(), &data);
        put(&mut headers, "webhook-signature", &signed.signature)?;
    }
    put(&mut headers, "webhook-id", &id)?;
    put(&mut headers, "webhook-timestamp", &now.seconds().to_string())?;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(data.len()));
    let mut request = Request::new(Full::new(data));
    *request.method_mut() = destination.method.clone();
    *request.uri_mut() = destination.uri.clone();
    *request.headers_mut() = headers;
    Ok(request)
}

/// A time that RFC 3339 cannot say (after the year 9999) is left out; it is an optional attribute.
fn put_event(headers: &mut HeaderMap, event: &Event) -> Result<(), FieldError> {
    put(headers, "ce-specversion", "1.0")?;
    put(headers, "ce-id", &encoded(&event.id))?;
    put(headers, "ce-source", &encoded(&event.source))?;
    put(headers, "ce-type", &encoded(&event.kind))?;
    if let Some(subject) = &event.subject {
        put(headers, "ce-subject", &encoded(subject))?;
    }
    if let Some(time) = rfc3339(event.time) {
        put(headers, "ce-time", &time)?;
    }
    Ok(())
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), FieldError> {
    let value = HeaderValue::from_str(value).map_err(|_| FieldError(name))?;
    headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn rfc3339(time: UnixMillis) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0) * 1_000_000).ok()?;
    time.format(&Rfc3339).ok()
}
