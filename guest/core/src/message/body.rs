//! One body as verification and filters see it.

use super::form::{self, Field, Value};
use super::{coding, multipart};
use crate::event::Event;
use crate::request::{Header, Request};
use std::borrow::Cow;
use std::cell::OnceCell;

/// The media type of a form, which is what the query of a GET is, too.
const FORM: &str = "application/x-www-form-urlencoded";

/// The field that providers put JSON into, whichever they are; a definition or a source can name more.
const PAYLOAD: &str = "payload";

/// A body as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceivedBody<'a> {
    data: &'a [u8],
    content_type: Option<&'a str>,
    coding: Option<&'a [u8]>,
}

impl<'a> ReceivedBody<'a> {
    /// What a request carries.
    pub(crate) fn of_request(request: &'a Request<'_>) -> Self {
        if request.is_query() {
            return Self { data: request.data(), content_type: Some(FORM), coding: None };
        }
        let mut types = request.header_values("content-type");
        // Of two media types neither is believed.
        let content_type = types.next().filter(|_| types.next().is_none());
        Self {
            data: request.body,
            content_type: content_type.and_then(|value| std::str::from_utf8(value).ok()),
            coding: request.header_values("content-encoding").next(),
        }
    }

    /// A part of a batch: JSON, since the batch is.
    pub(crate) const fn of_part(data: &'a [u8]) -> Self {
        Self { data, content_type: None, coding: None }
    }

    /// What was kept of an event.
    pub(crate) fn of_event(event: &'a Event, headers: &'a [Header<'a>], data: &'a [u8]) -> Self {
        let coding = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-encoding"));
        Self {
            data,
            content_type: event.datacontenttype.as_deref(),
            coding: coding.map(|header| header.value),
        }
    }

    fn is(&self, wanted: &str) -> bool {
        let essence = self.content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(wanted)
    }
}

/// What a body says. It is read when it is first looked into: a stranger whose signature does not match has nothing unpacked.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    original: ReceivedBody<'a>,
    /// Fields of a form that hold JSON, besides `payload`.
    json_fields: &'a [String],
    parts: OnceCell<Parts>,
}

/// A body that was read.
#[derive(Debug)]
struct Parts {
    /// The body with its content coding undone; `None` if it has none, or if that could not be.
    unpacked: Option<Vec<u8>>,
    /// Why the content coding could not be undone.
    packed: Option<String>,
    /// The fields of a form, or why they cannot be read.
    form: Option<Result<Vec<Field>, String>>,
    /// What is read as JSON in the place of the body.
    json: Option<Vec<u8>>,
}

impl<'a> Message<'a> {
    /// A body to be read. `json_fields` are fields of a form that hold JSON, besides `payload`.
    pub(crate) const fn new(original: ReceivedBody<'a>, json_fields: &'a [String]) -> Self {
        Self { original, json_fields, parts: OnceCell::new() }
    }

    fn parts(&self) -> &Parts {
        self.parts.get_or_init(|| Parts::read(&self.original, self.json_fields))
    }

    /// What is read as JSON: the body, or the object that stands for a form; empty if there is neither.
    pub(crate) fn json(&self) -> &[u8] {
        let parts = self.parts();
        parts.json.as_deref().or(parts.unpacked.as_deref()).unwrap_or(self.original.data)
    }

    /// The body with its content coding undone.
    ///
    /// # Errors
    ///
    /// Says why it could not be.
    pub(crate) fn unpacked(&self) -> Result<&[u8], String> {
        let parts = self.parts();
        match &parts.packed {
            None => Ok(parts.unpacked.as_deref().unwrap_or(self.original.data)),
            Some(reason) => Err(format!("the body cannot be unpacked: {reason}")),
        }
    }

    /// Whether it is read as JSON as it came, and not as a form.
    pub(crate) fn is_as_it_came(&self) -> bool {
        self.parts().form.is_none()
    }

    /// Whether the body is a form of the kind whose fields some providers sign.
    pub(crate) fn is_urlencoded(&self) -> bool {
        self.original.is(FORM)
    }

    /// The values of a field of the form, in order; a file is none.
    pub(crate) fn field(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let fields = match &self.parts().form {
            Some(Ok(fields)) => fields.as_slice(),
            _ => &[],
        };
        fields.iter().filter(move |field| field.name == name.as_bytes()).filter_map(|field| {
            match &field.value {
                Value::Text(value) => Some(value.as_slice()),
                Value::File { .. } => None,
            }
        })
    }

    /// What to tell somebody who wonders how the body was read; nothing of a body that is JSON as it is.
    pub(crate) fn note(&self, is_json: bool, is_query: bool) -> Option<String> {
        let parts = self.parts();
        if let Some(reason) = &parts.packed {
            return Some(format!("it cannot be unpacked, so `message` has no value: {reason}"));
        }
        let packed = match &parts.unpacked {
            Some(unpacked) => format!("packed, {} bytes when unpacked; ", unpacked.len()),
            None => String::new(),
        };
        match &parts.form {
            Some(Ok(fields)) => {
                let mut names: Vec<String> = Vec::new();
                for field in fields {
                    let name = String::from_utf8_lossy(&field.name);
                    let holds_json =
                        matches!(&field.value, Value::Text(value) if form::structured(value).is_some());
                    let told = match name.as_ref() {
                        PAYLOAD if holds_json => "`message.payload` (JSON: write `message.payload.…` where the documentation of the provider shows a body, or set it to send JSON)".to_owned(),
                        name => format!("`{}`", field_path(&name.chars().take(64).collect::<String>())),
                    };
                    if !names.contains(&told) && names.len() < MOST_TOLD {
                        names.push(told);
                    }
                }
                if is_json_document(parts.unpacked.as_deref().unwrap_or(self.original.data)) {
                    return Some(format!(
                        "{packed}it is JSON that is sent as a form, so `message` is one field with a name like it; send it with `content-type: application/json`"
                    ));
                }
                let what = if is_query { "its parameters" } else { "a form; its fields" };
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                Some(format!("{packed}{what} are {names}"))
            }
            Some(Err(reason)) => Some(format!("{packed}{reason}, so `message` has no value")),
            None if !is_json && self.json().starts_with(BYTE_ORDER_MARK) => Some(format!(
                "{packed}it begins with a byte order mark, which JSON must not (RFC 8259, section 8.1), so `message` has no value"
            )),
            None if !is_json => Some(format!("{packed}it is not JSON, so `message` has no value")),
            None if !packed.is_empty() => Some(format!("{packed}JSON")),
            None => None,
        }
    }
}

impl Parts {
    fn read(original: &ReceivedBody<'_>, json_fields: &[String]) -> Self {
        let (unpacked, packed) = match coding::plain(original.data, original.coding) {
            Ok(Cow::Owned(unpacked)) => (Some(unpacked), None),
            Ok(Cow::Borrowed(_)) => (None, None),
            Err(reason) => (None, Some(reason)),
        };
        let body = unpacked.as_deref().unwrap_or(original.data);
        let form = match original.content_type {
            _ if packed.is_some() => None,
            _ if original.is(FORM) => Some(form::urlencoded(body)),
            Some(content_type) if original.is("multipart/form-data") => {
                Some(multipart::boundary(content_type).map_or_else(
                    || Err("the media type of the form names no boundary".to_owned()),
                    |boundary| multipart::fields(body, &boundary),
                ))
            }
            _ => None,
        };
        let json = match &form {
            Some(Ok(fields)) => {
                let names: Vec<String> = json_fields.iter().cloned().chain([PAYLOAD.to_owned()]).collect();
                Some(form::to_json(fields, &names))
            }
            // What cannot be read as what it says it is is no JSON either.
            Some(Err(_)) => Some(Vec::new()),
            None => packed.is_some().then(Vec::new),
        };
        Self { unpacked, packed, form, json }
    }
}

/// What some writers put in front of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a body is JSON as a whole, whatever it says that it is.
fn is_json_document(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    first.is_some_and(|byte| b"{[".contains(byte))
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// How many fields of a form an explanation names.
const MOST_TOLD: usize = 20;
/// How a filter names a field of a form.
fn field_path(name: &str) -> String {
    let mut bytes = name.bytes();
    let is_name = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name { format!("message.{name}") } else { format!("message[{name:?}]") }
}
