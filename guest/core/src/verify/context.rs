//! One request as the interpreter sees it: values by place.

use super::json::Json;
use super::place::Place;
use super::url;
use crate::message::{Message, pairs};
use crate::request::Request;
use anglerfish_filter::json::Found;
use anglerfish_filter::table::Element;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One request with what belongs to it for the length of one verification.
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) url: Cow<'a, str>,
    pub(crate) json: &'a dyn Json,
    pub(crate) message: &'a Message<'a>,
    /// Whether the body is signed as it is when its content coding is undone.
    unpack: bool,
    parameters: &'a BTreeMap<String, String>,
}

/// What only one variant, secret or item knows.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) url: &'a str,
    pub(crate) secret: Option<&'a str>,
    pub(crate) item: Option<Element<'a>>,
    pub(crate) id: Option<&'a [u8]>,
    pub(crate) timestamp: Option<&'a [u8]>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        request: &'a Request<'a>,
        public_url: Option<&'a str>,
        parameters: &'a BTreeMap<String, String>,
        json: &'a dyn Json,
        message: &'a Message<'a>,
        unpack: bool,
    ) -> Self {
        let url = url::effective(request.url, public_url);
        Self { request, url, json, message, unpack, parameters }
    }

    /// The body as it is signed.
    ///
    /// # Errors
    ///
    /// Says why it cannot be unpacked.
    pub(crate) fn body(&self) -> Result<&'a [u8], String> {
        if self.unpack { self.message.unpacked() } else { Ok(self.request.body) }
    }

    /// A scope that knows the request alone.
    pub(crate) fn scope(&'a self) -> Scope<'a> {
        Scope { context: self, url: &self.url, secret: None, item: None, id: None, timestamp: None }
    }

    fn header(&self, names: &[String]) -> Result<Option<&'a [u8]>, String> {
        for name in names {
            let mut values = self.request.header_values(name);
            if let Some(value) = values.next() {
                if values.next().is_some() {
                    return Err(format!("header `{name}` occurs more than once"));
                }
                return Ok(Some(value.trim_ascii()));
            }
        }
        Ok(None)
    }
}

impl<'a> Scope<'a> {
    /// The value at a place; `None` if it is not there, an error if it is ambiguous.
    pub(crate) fn find(&self, place: &Place) -> Result<Option<Cow<'a, [u8]>>, String> {
        let context = self.context;
        let text = |text: &'a str| Ok(Some(Cow::Borrowed(text.as_bytes())));
        match place {
            Place::Header(names) => Ok(context.header(names)?.map(Cow::Borrowed)),
            Place::Json(_) | Place::Item(_) => match self.found(place) {
                Found::Nothing => Ok(None),
                Found::Text(Cow::Borrowed(found)) | Found::Literal(Cow::Borrowed(found)) => text(found),
                Found::Text(Cow::Owned(found)) | Found::Literal(Cow::Owned(found)) => {
                    Ok(Some(Cow::Owned(found.into_bytes())))
                }
                // Two different ones could look the same.
                Found::Other => Err(format!("{place} is no text")),
                Found::Ambiguous => Err(format!("{place} is ambiguous")),
            },
            Place::Query(name) => single(url::query(self.url).as_bytes(), name, place),
            Place::Form(name) => {
                let mut values = context.message.field(name);
                let first = values.next();
                match values.next() {
                    Some(_) => Err(format!("{place} occurs more than once")),
                    None => Ok(first.map(Cow::Borrowed)),
                }
            }
            Place::Parameter(name) => match context.parameters.get(name) {
                Some(value) => text(value),
                None => Ok(None),
            },
            Place::Id => Ok(self.id.map(Cow::Borrowed)),
            Place::Timestamp => Ok(self.timestamp.map(Cow::Borrowed)),
            Place::Method => text(context.request.method),
            Place::Url => text(self.url),
            Place::Path => text(url::path(self.url)),
            Place::PathAndQuery => text(url::path_and_query(self.url)),
            Place::Body => context.body().map(|body| Some(Cow::Borrowed(body))),
            Place::Secret => Ok(self.secret.map(|secret| Cow::Borrowed(secret.as_bytes()))),
        }
    }

    /// Whether anything but `null` is at a place, be it no text; an error if it is ambiguous.
    pub(crate) fn has(&self, place: &Place) -> Result<bool, String> {
        match self.found(place) {
            Found::Other => Ok(true),
            _ => Ok(self.find(place)?.is_some()),
        }
    }

    /// Whether a number or a boolean of the JSON body is at a place: its text could be that of a string, which is another value.
    pub(crate) fn is_literal(&self, place: &Place) -> bool {
        matches!(self.found(place), Found::Literal(_))
    }

    /// What of the JSON body is at a place; nothing if the place is elsewhere.
    fn found(&self, place: &Place) -> Found<'a> {
        match place {
            Place::Json(pointer) => self.context.json.find(pointer),
            Place::Item(pointer) => self.item.map_or(Found::Nothing, |item| item.find(pointer)),
            _ => Found::Nothing,
        }
    }

    /// The value at a place that must be there.
    pub(crate) fn get(&self, place: &Place) -> Result<Cow<'a, [u8]>, String> {
        self.find(place)?.ok_or_else(|| match place {
            Place::Json(_) if !self.context.json.is_json() => "the body is not JSON".to_owned(),
            _ => format!("missing {place}"),
        })
    }
}

fn single<'a>(text: &[u8], name: &str, place: &Place) -> Result<Option<Cow<'a, [u8]>>, String> {
    let mut values = pairs(text).filter(|(key, _)| key == name.as_bytes());
    let first = values.next();
    if values.next().is_some() {
        return Err(format!("{place} occurs more than once"));
    }
    Ok(first.map(|(_, value)| Cow::Owned(value)))
}
