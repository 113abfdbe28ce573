//! The header fields of one attempt.

use crate::event::{CONTENT_CODING, Event};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What the HTTP binding of CloudEvents 1.0 (section 3.1.3.2) percent-encodes in a header's value: everything but
/// printable ASCII, and of that the space, the double quote and the percent sign.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

const CE_SPECVERSION: HeaderName = HeaderName::from_static("ce-specversion");
const CE_ID: HeaderName = HeaderName::from_static("ce-id");
const CE_SOURCE: HeaderName = HeaderName::from_static("ce-source");
const CE_TYPE: HeaderName = HeaderName::from_static("ce-type");
const CE_SUBJECT: HeaderName = HeaderName::from_static("ce-subject");
const CE_TIME: HeaderName = HeaderName::from_static("ce-time");

/// A field's value has bytes that HTTP does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of header `{0}` cannot be sent")]
pub struct HeaderError(pub(super) HeaderName);

/// What the data is, as it came in, unless the endpoint has a field of its own for it.
pub(super) fn put_data(headers: &mut HeaderMap, event: &Event) -> Result<(), HeaderError> {
    if let Some(kind) = event.datacontenttype.as_deref()
        && !headers.contains_key(CONTENT_TYPE)
    {
        put(headers, CONTENT_TYPE, kind)?;
    }
    if let Some(coding) = event.extensions.get(CONTENT_CODING)
        && !headers.contains_key(CONTENT_ENCODING)
    {
        put(headers, CONTENT_ENCODING, coding)?;
    }
    Ok(())
}

/// The event's attributes, as CloudEvents in binary mode. A time that RFC 3339 cannot say (after the year 9999) is
/// left out; it is an optional attribute.
pub(super) fn put_event(headers: &mut HeaderMap, event: &Event) -> Result<(), HeaderError> {
    headers.insert(CE_SPECVERSION, HeaderValue::from_static("1.0"));
    put(headers, CE_ID, &encoded(&event.id))?;
    put(headers, CE_SOURCE, &encoded(&event.source))?;
    put(headers, CE_TYPE, &encoded(&event.kind))?;
    if let Some(subject) = &event.subject {
        put(headers, CE_SUBJECT, &encoded(subject))?;
    }
    if let Some(time) = event.time.rfc3339() {
        put(headers, CE_TIME, &time)?;
    }
    for (name, value) in &event.extensions {
        // Whoever made the event has checked its attributes' names; one that is no field's name is nobody's to read.
        if let Ok(name) = HeaderName::try_from(format!("ce-{name}")) {
            put(headers, name, &encoded(value))?;
        }
    }
    Ok(())
}

pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), HeaderError> {
    let value = HeaderValue::from_str(value).map_err(|_| HeaderError(name.clone()))?;
    headers.insert(name, value);
    Ok(())
}

/// The same beside those of the same name.
pub(super) fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), HeaderError> {
    let value = HeaderValue::from_str(value).map_err(|_| HeaderError(name.clone()))?;
    headers.append(name, value);
    Ok(())
}

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::UnixMillis;

    fn event(id: &str) -> Event {
        Event {
            id: id.into(),
            source: "shop".into(),
            kind: "order.created".into(),
            subject: Some("Euro € 😀".into()),
            time: UnixMillis(784_111_777_042),
            datacontenttype: None,
            ..Event::default()
        }
    }

    #[test]
    fn attributes_are_encoded_as_the_binding_says() {
        let mut headers = HeaderMap::new();
        put_event(&mut headers, &event("a \"b\" 50%\n")).unwrap();
        assert_eq!(headers[CE_ID], "a%20%22b%22%2050%25%0A");
        assert_eq!(headers[CE_SUBJECT], "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(headers[CE_SOURCE], "shop");
        assert_eq!(headers[CE_TYPE], "order.created");
        assert_eq!(headers[CE_TIME], "1994-11-06T08:49:37.042Z");
        assert_eq!(headers[CE_SPECVERSION], "1.0");
    }

    #[test]
    fn ids_of_providers_stay_as_they_are() {
        for id in [
            "evt_1P2x3Y",
            "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
            "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "sha256:ab",
        ] {
            assert_eq!(encoded(id), id);
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_left_out() {
        let mut headers = HeaderMap::new();
        put_event(&mut headers, &Event { time: UnixMillis(u64::MAX), ..event("a") }).unwrap();
        assert!(!headers.contains_key(CE_TIME));
    }

    #[test]
    fn a_value_that_cannot_be_sent_is_an_error_that_names_the_field() {
        let error = put(&mut HeaderMap::new(), CONTENT_TYPE, "text/plain\r\nx: y").unwrap_err();
        assert_eq!(error.to_string(), "the value of header `content-type` cannot be sent");
    }
}
