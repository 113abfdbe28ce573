//! From a verified request to an event.

use crate::decision::{Rejection, RejectionCode};
use crate::event::Event;
use crate::request::Request;
use crate::verify::Verified;
use sha2::{Digest, Sha256};

/// The longest id or type, in bytes: with a name before it, it still fits the keys and header fields it goes into.
const LONGEST_NAME: usize = 256;

/// The longest subject, in bytes.
const LONGEST_SUBJECT: usize = 1024;

/// Makes the event of a verified request: its provider's attributes where there are any, else a hash of the body as
/// the id, the source's name as the type, the time of receipt as the time.
pub(super) fn event(request: &Request<'_>, verified: &Verified) -> Result<Event, Rejection> {
    // A handshake may come with GET; an event is posted.
    if request.method != "POST" {
        let reason = format!("events are sent with POST, not {}", request.method);
        return Err(Rejection { status: 405, code: RejectionCode::MethodNotAllowed, reason });
    }
    let attributes = &verified.attributes;
    let event = Event {
        id: match &attributes.id {
            Some(id) => id.clone(),
            None => format!("sha256:{}", hex::encode(Sha256::digest(request.body))),
        },
        source: request.source.to_owned(),
        kind: attributes.kind.clone().unwrap_or_else(|| request.source.to_owned()),
        subject: attributes.subject.clone(),
        time: attributes.time.unwrap_or(request.received),
        datacontenttype: content_type(request)?,
        ..Event::default()
    };
    check("id", &event.id, LONGEST_NAME)?;
    check("type", &event.kind, LONGEST_NAME)?;
    if let Some(subject) = &event.subject {
        check("subject", subject, LONGEST_SUBJECT)?;
    }
    Ok(event)
}

fn content_type(request: &Request<'_>) -> Result<Option<String>, Rejection> {
    let Some(value) = request.header_values("content-type").next() else { return Ok(None) };
    match std::str::from_utf8(value) {
        Ok(text) if text.len() <= LONGEST_SUBJECT => Ok(Some(text.to_owned())),
        Ok(_) => Err(invalid(format!("the content type is longer than {LONGEST_SUBJECT} bytes"))),
        Err(_) => Err(invalid("the content type is not UTF-8".to_owned())),
    }
}

fn check(name: &str, value: &str, longest: usize) -> Result<(), Rejection> {
    if value.is_empty() {
        return Err(invalid(format!("the event's {name} is empty")));
    }
    if value.len() > longest {
        let length = value.len();
        return Err(invalid(format!(
            "the event's {name} is {length} bytes long; at most {longest} are taken"
        )));
    }
    if value.chars().any(char::is_control) {
        return Err(invalid(format!("the event's {name} holds control characters")));
    }
    Ok(())
}

fn invalid(reason: String) -> Rejection {
    Rejection { status: 400, code: RejectionCode::InvalidRequest, reason }
}
