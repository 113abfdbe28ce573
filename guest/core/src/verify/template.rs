//! Text with places in it: `{timestamp}.{body}`.

use super::context::Scope;
use super::place::Place;
use super::url;
use crate::message::{MOST_FIELDS, pairs};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc::{CRC_32_ISO_HDLC, Crc};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_encode_byte;
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The checksum that PayPal signs.
static CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A parsed template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A value; an optional one is empty when it is not there.
    Value {
        transform: Transform,
        place: Place,
        optional: bool,
    },
    Block(Block),
}

/// What is done with a value before it is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transform {
    Plain,
    Base64,
    Crc32,
    Sha256Hex,
    HmacSha256Hex,
    HmacSha256Base64,
    HubspotUrl,
    ContentfulPath,
}

/// What some providers sign that is no single value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    /// Every form field's name and value, sorted by name, then value; equal ones once.
    SortedForm,
    /// `Name\nValue\n` for each of these members of the JSON body that is there, in this order.
    JsonLines(Vec<(String, Place)>),
    /// `name:value` joined by `;` for each header that the header of this place lists.
    ListedHeaders(Place),
}

/// A list that names one long header over and over would multiply it.
const MOST_LISTED: usize = 64;

impl Template {
    /// Reads a template; `{{` and `}}` stand for braces.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(start);
            literal.push_str(before);
            if let Some(after) = brace.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some(after) = brace.strip_prefix('{') {
                let Some((inside, after)) = after.split_once('}') else {
                    return Err("a `{` is not closed".to_owned());
                };
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(Part::parse(inside)?);
                rest = after;
            } else {
                return Err("a `}` was not opened; write `}}` for the character itself".to_owned());
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// Reads a template whose text tells one thing from another: values side by side would make one text of different
    /// ones.
    pub(crate) fn parse_distinct(text: &str) -> Result<Self, String> {
        let template = Self::parse(text)?;
        let kinds = ["header:", "json:", "query:", "form:"];
        for part in &template.0 {
            if let Part::Literal(literal) = part
                && let Some(kind) = kinds.into_iter().find(|kind| literal.contains(kind))
            {
                return Err(format!(
                    "`{kind}…` stands outside of braces and would be taken as it stands: write `{{{kind}…}}` with one \
                     brace on each side"
                ));
            }
        }
        if template.0.windows(2).any(|pair| pair.iter().all(|part| !matches!(part, Part::Literal(_)))) {
            return Err(
                "two places stand side by side, so that different ids would have the same text: put a \
                        character such as `-` between them"
                    .to_owned(),
            );
        }
        Ok(template)
    }

    /// A template of one place alone.
    pub(crate) fn of(place: Place) -> Self {
        Self(vec![Part::Value { transform: Transform::Plain, place, optional: false }])
    }

    /// A template of text alone, whatever is in it.
    pub(crate) fn literal(text: &str) -> Self {
        Self(if text.is_empty() { Vec::new() } else { vec![Part::Literal(text.to_owned())] })
    }

    /// The place, if the template is one place and nothing else.
    pub(crate) fn as_place(&self) -> Option<&Place> {
        match self.0.as_slice() {
            [Part::Value { transform: Transform::Plain, place, .. }] => Some(place),
            _ => None,
        }
    }

    /// The header that lists signed headers, if there is one.
    pub(crate) fn listed(&self) -> Option<&Place> {
        self.0.iter().find_map(|part| match part {
            Part::Block(Block::ListedHeaders(place)) => Some(place),
            _ => None,
        })
    }

    /// Every place that the template reads.
    pub(crate) fn places(&self) -> Vec<&Place> {
        let mut places = Vec::new();
        for part in &self.0 {
            match part {
                Part::Literal(_) | Part::Block(Block::SortedForm) => {}
                Part::Value {
                    transform: Transform::HmacSha256Hex | Transform::HmacSha256Base64,
                    place,
                    ..
                } => {
                    places.extend_from_slice(&[place, &Place::Secret]);
                }
                Part::Value { transform: Transform::HubspotUrl, .. } => places.push(&Place::Url),
                Part::Value { place, .. } | Part::Block(Block::ListedHeaders(place)) => places.push(place),
                Part::Block(Block::JsonLines(lines)) => places.extend(lines.iter().map(|(_, place)| place)),
            }
        }
        places
    }

    /// The template's pieces in order; they are what is signed when put together.
    pub(crate) fn pieces<'a>(&'a self, scope: &Scope<'a>) -> Result<Vec<Cow<'a, [u8]>>, String> {
        self.0.iter().map(|part| part.evaluate(scope)).collect()
    }

    /// The template's text as one run of bytes.
    pub(crate) fn bytes(&self, scope: &Scope<'_>) -> Result<Vec<u8>, String> {
        let mut result = Vec::new();
        for part in &self.0 {
            result.extend_from_slice(&part.evaluate(scope)?);
        }
        Ok(result)
    }

    /// The template's text, if it is UTF-8 and every value is there and not empty.
    pub(crate) fn text(&self, scope: &Scope<'_>) -> Option<String> {
        let mut result = Vec::new();
        for part in &self.0 {
            result.extend_from_slice(&part.present(scope)?);
        }
        String::from_utf8(result).ok().filter(|text| !text.is_empty())
    }

    /// The same text, of which no two lists of values have the same: in each value behind the first, the characters of
    /// the literal in front of it, and `%`, are percent-encoded. So the last such literal is always the template's own.
    pub(crate) fn distinct_text(&self, scope: &Scope<'_>) -> Option<String> {
        let mut result = String::new();
        let mut literal = "";
        let mut is_first = true;
        for part in &self.0 {
            let piece = part.present(scope)?;
            let piece = std::str::from_utf8(&piece).ok()?;
            if let Part::Literal(text) = part {
                literal = text;
                result.push_str(piece);
            } else if std::mem::take(&mut is_first) {
                result.push_str(piece);
            } else {
                for character in piece.chars() {
                    if character == '%' || literal.contains(character) {
                        let mut buffer = [0; 4];
                        let bytes = character.encode_utf8(&mut buffer).bytes();
                        result.extend(bytes.map(percent_encode_byte));
                    } else {
                        result.push(character);
                    }
                }
            }
        }
        (!result.is_empty()).then_some(result)
    }
}

impl Part {
    fn parse(inside: &str) -> Result<Self, String> {
        let (inside, optional) = match inside.strip_suffix('?') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let value = |transform, place: &str| {
            Place::parse(place).map(|place| Self::Value { transform, place, optional })
        };
        match inside.split_once(':') {
            Some(("base64", place)) => value(Transform::Base64, place),
            Some(("crc32", place)) => value(Transform::Crc32, place),
            Some(("sha256-hex", place)) => value(Transform::Sha256Hex, place),
            Some(("hmac-sha256-hex", place)) => value(Transform::HmacSha256Hex, place),
            Some(("hmac-sha256-base64", place)) => value(Transform::HmacSha256Base64, place),
            Some(("json-lines", names)) => Ok(Self::Block(Block::JsonLines(
                names.split(',').map(|name| (name.to_owned(), Place::Json(format!("/{name}")))).collect(),
            ))),
            Some(("listed-headers", name)) => {
                Ok(Self::Block(Block::ListedHeaders(Place::Header(vec![name.to_ascii_lowercase()]))))
            }
            None if inside == "sorted-form" => Ok(Self::Block(Block::SortedForm)),
            None if inside == "hubspot-url" => value(Transform::HubspotUrl, "url"),
            None if inside == "contentful-path" => value(Transform::ContentfulPath, "path-and-query"),
            _ => value(Transform::Plain, inside),
        }
    }

    /// What it evaluates to, if that is there: only an optional value may be empty.
    fn present<'a>(&'a self, scope: &Scope<'a>) -> Option<Cow<'a, [u8]>> {
        let piece = self.evaluate(scope).ok()?;
        let optional = matches!(self, Self::Value { optional: true, .. });
        (optional || !piece.is_empty()).then_some(piece)
    }

    fn evaluate<'a>(&'a self, scope: &Scope<'a>) -> Result<Cow<'a, [u8]>, String> {
        match self {
            Self::Literal(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Self::Value { transform, place, optional } => {
                let value = match scope.find(place)? {
                    Some(value) => value,
                    None if *optional => return Ok(Cow::Borrowed(b"")),
                    None => scope.get(place)?,
                };
                transform.apply(value, scope)
            }
            Self::Block(block) => block.evaluate(scope).map(Cow::Owned),
        }
    }
}

impl Transform {
    fn apply<'a>(self, value: Cow<'a, [u8]>, scope: &Scope<'_>) -> Result<Cow<'a, [u8]>, String> {
        let text = match self {
            Self::Plain => return Ok(value),
            Self::Base64 => STANDARD.encode(value),
            Self::Crc32 => CRC_32.checksum(&value).to_string(),
            Self::Sha256Hex => hex::encode(Sha256::digest(&value)),
            Self::HubspotUrl => url::hubspot(scope.url),
            Self::ContentfulPath => url::contentful(scope.url),
            Self::HmacSha256Hex | Self::HmacSha256Base64 => {
                let secret = scope.secret.ok_or("no secret is active")?;
                let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
                    .map_err(|_| "the secret is no key".to_owned())?;
                mac.update(&value);
                let tag = mac.finalize().into_bytes();
                if self == Self::HmacSha256Hex { hex::encode(tag) } else { STANDARD.encode(tag) }
            }
        };
        Ok(Cow::Owned(text.into_bytes()))
    }
}

impl Block {
    fn evaluate(&self, scope: &Scope<'_>) -> Result<Vec<u8>, String> {
        let mut result = Vec::new();
        match self {
            Self::SortedForm => {
                let body = scope.context.body()?;
                if body.is_empty() {
                    return Ok(result);
                }
                // A body of another type would not be covered by the signature at all.
                if !scope.context.message.is_urlencoded() {
                    return Err("the body is not a form".to_owned());
                }
                let mut pairs: Vec<_> = pairs(body).take(MOST_FIELDS + 1).collect();
                if pairs.len() > MOST_FIELDS {
                    return Err(format!("the form has more than {MOST_FIELDS} fields"));
                }
                pairs.sort_unstable();
                pairs.dedup();
                for (name, value) in pairs {
                    result.extend(name);
                    result.extend(value);
                }
            }
            Self::JsonLines(lines) => {
                for (name, place) in lines {
                    if let Some(value) = scope.find(place)? {
                        result.extend_from_slice(name.as_bytes());
                        result.push(b'\n');
                        result.extend_from_slice(&value);
                        result.push(b'\n');
                    }
                }
            }
            Self::ListedHeaders(place) => {
                let list = scope.get(place)?;
                let list = std::str::from_utf8(&list).map_err(|_| format!("{place} is not text"))?;
                if list.split(',').count() > MOST_LISTED {
                    return Err(format!("{place} lists more than {MOST_LISTED} headers"));
                }
                for (index, name) in list.split(',').map(|name| name.trim().to_ascii_lowercase()).enumerate()
                {
                    if index > 0 {
                        result.push(b';');
                    }
                    let value = scope.get(&Place::Header(vec![name.clone()]))?;
                    result.extend_from_slice(name.as_bytes());
                    result.push(b':');
                    result.extend_from_slice(&value);
                }
            }
        }
        Ok(result)
    }
}

/// The body of an answer: text, or a JSON object whose texts are templates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Text(Template),
    Json(Vec<(String, JsonPart)>),
}

/// A member of a JSON answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JsonPart {
    Text(Template),
    Fixed(Value),
}

/// A JSON value whose numbers are whole; another one cannot be written. Without fractions the component does without the
/// conversion of floating-point numbers to text, which is a hundredth of it.
pub(crate) struct IntegerJson<'a>(pub(crate) &'a Value);

impl Serialize for IntegerJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => serializer.collect_seq(items.iter().map(IntegerJson)),
            Value::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, IntegerJson(value))))
            }
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => serializer.serialize_u64(value),
                (_, Some(value)) => serializer.serialize_i64(value),
                _ => Err(S::Error::custom("a number of an answer is whole")),
            },
        }
    }
}

impl Body {
    /// Every place that the body reads.
    pub(crate) fn places(&self) -> Vec<&Place> {
        match self {
            Self::Text(template) => template.places(),
            Self::Json(members) => {
                let mut places = Vec::new();
                for (_, part) in members {
                    if let JsonPart::Text(template) = part {
                        places.append(&mut template.places());
                    }
                }
                places
            }
        }
    }

    pub(crate) fn bytes(&self, scope: &Scope<'_>) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(template) => template.bytes(scope),
            Self::Json(members) => {
                let mut object = serde_json::Map::new();
                for (name, part) in members {
                    let value = match part {
                        JsonPart::Fixed(value) => value.clone(),
                        JsonPart::Text(template) => Value::String(
                            String::from_utf8(template.bytes(scope)?)
                                .map_err(|_| format!("`{name}` of the answer is not text"))?,
                        ),
                    };
                    object.insert(name.clone(), value);
                }
                serde_json::to_vec(&IntegerJson(&Value::Object(object))).map_err(|error| error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CRC_32;

    #[test]
    fn the_checksum_has_the_check_value_that_is_published_for_it() {
        assert_eq!(CRC_32.checksum(b"123456789"), 0xcbf4_3926);
    }
}
