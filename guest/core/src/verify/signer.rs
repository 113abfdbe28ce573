//! The interpreter run backwards: fills in what a provider would send.

use super::algorithm::{Algorithm, Check};
use super::context::{Context, Scope};
use super::field::{Field, Position};
use super::freshness::Unit;
use super::key::{BASE64, Key, signing_key};
use super::place::Place;
use super::scheme::{Condition, Test, Variant};
use super::secret::Secret;
use super::template::Template;
use super::verifier::Verifier;
use crate::request::{Header, Request, UnixMillis};
use base64::Engine as _;
use ed25519_dalek::Signer as _;
use serde_json::{Map, Value};

/// A request before it is signed.
pub(crate) struct UnsignedRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
    pub(crate) id: &'a str,
    pub(crate) timestamp: UnixMillis,
    pub(crate) kind: Option<&'a str>,
}

/// Which of several keys sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SigningKeys {
    /// The first.
    First,
    /// Those that count at the time of the request: all of them where there is room, else the first of them.
    All,
}

/// URL, header fields and body.
pub(crate) type Filled = (String, Vec<(String, String)>, Vec<u8>);

/// What is filled in so far.
struct RequestDraft {
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Verifier {
    /// How many variants are accepted.
    pub(crate) fn variants(&self) -> usize {
        self.scheme.variants.len()
    }

    /// Signs a request in one variant; `None` if what verifies it cannot sign it. Of several keys the first signs, or all
    /// where the signatures stand in a list.
    pub(crate) fn fill(
        &self,
        index: usize,
        blank: &UnsignedRequest<'_>,
        by: SigningKeys,
    ) -> Result<Option<Filled>, String> {
        let Some(variant) = self.scheme.variants.get(index) else { return Ok(None) };
        let signs = |secret: &&Secret| match by {
            SigningKeys::First => true,
            SigningKeys::All => secret.is_active(blank.timestamp),
        };
        let mut usable = self.secrets.iter().filter(signs).map(|secret| {
            let key = secret.keys.get(index)?.as_ref()?;
            (variant.algorithm.is_symmetric() || secret.text.starts_with("whsk_")).then_some((secret, key))
        });
        let Some(Some((secret, key))) = usable.next() else { return Ok(None) };
        let url = self.public_url.as_deref().unwrap_or(blank.url).to_owned();
        let mut draft = RequestDraft { url, headers: blank.headers.to_vec(), body: blank.body.to_vec() };
        self.announce(variant, blank, &mut draft);
        for condition in variant.when.iter().chain(&variant.requires) {
            self.satisfy(condition, secret, blank, &mut draft)?;
        }
        let stamp = match &variant.timestamp {
            Some(timestamp) => Some(
                timestamp
                    .unit
                    .format(blank.timestamp)
                    .ok_or_else(|| "the time is out of range".to_owned())?,
            ),
            None => None,
        };
        if let (Some(timestamp), Some(text)) = (&variant.timestamp, &stamp) {
            let here = |field: &&Field| self.has(&field.place, blank, &draft);
            let field = timestamp.fields.iter().find(here).or(timestamp.fields.first());
            if let Some(field) = field.filter(|field| !variant.shares(field)) {
                draft.stamp(field, text, timestamp.unit)?;
            }
        }
        let Some(each) = &variant.each else {
            let signature = self.signature(variant, key, secret, blank, &draft, stamp.as_deref(), None)?;
            let field = variant.signatures.first().ok_or("the scheme has no place for a signature")?;
            let mut composed = variant.compose(field, &signature, stamp.as_deref());
            // A list that names places is not grown: what stands behind it would be read as something else.
            if let (SigningKeys::All, Some(separator), None) = (by, field.separator, field.position) {
                for (secret, key) in usable.flatten() {
                    let more = self.signature(variant, key, secret, blank, &draft, stamp.as_deref(), None)?;
                    composed.push(separator);
                    composed.push_str(&field.prefix);
                    composed.push_str(&more);
                }
            }
            draft.put(&field.place, &composed)?;
            return Ok(Some((draft.url, draft.headers, draft.body)));
        };
        let mut json = draft.json()?;
        let items = json.pointer(each).and_then(Value::as_array).map_or(0, Vec::len);
        for position in 0..items {
            let signature =
                self.signature(variant, key, secret, blank, &draft, stamp.as_deref(), Some(position))?;
            let Some(Field { place: Place::Item(pointer), .. }) = variant.signatures.first() else {
                return Err("the signature of an item has no place in it".to_owned());
            };
            insert(&mut json, &format!("{each}/{position}{pointer}"), signature.into())?;
        }
        draft.body = serde_json::to_vec(&json).map_err(|error| error.to_string())?;
        Ok(Some((draft.url, draft.headers, draft.body)))
    }

    /// Puts the identifier and the type where the provider has them.
    fn announce(&self, variant: &Variant, blank: &UnsignedRequest<'_>, draft: &mut RequestDraft) {
        let place = |templates: &[Template]| templates.first().and_then(Template::as_place).cloned();
        let documented = self.scheme.id.first().and_then(|identifier| match identifier.parts.as_slice() {
            [only] if identifier.when.is_empty() => only.as_place().cloned(),
            _ => None,
        });
        let id = variant.id.clone().or(documented);
        if let Some(place @ Place::Header(_)) = id {
            let _ = draft.put(&place, blank.id);
        }
        if let (Some(place @ Place::Header(_)), Some(kind)) = (place(&self.scheme.kind), blank.kind) {
            let _ = draft.put(&place, kind);
        }
        for place in self.scheme.replay.iter().filter_map(Template::as_place) {
            if !self.has(place, blank, draft) {
                let _ = draft.put(place, blank.id);
            }
        }
        if let Some(place) = variant.signed.listed() {
            let Place::Header(names) = place else { return };
            if !self.has(place, blank, draft) {
                let stamp = variant.timestamp.iter().flat_map(|timestamp| &timestamp.fields);
                let stamps = stamp.filter_map(|field| match &field.place {
                    Place::Header(names) => names.first(),
                    _ => None,
                });
                let list: Vec<&str> = names.iter().chain(stamps).map(String::as_str).collect();
                let _ = draft.put(place, &list.join(","));
            }
        }
    }

    fn satisfy(
        &self,
        condition: &Condition,
        secret: &Secret,
        blank: &UnsignedRequest<'_>,
        draft: &mut RequestDraft,
    ) -> Result<(), String> {
        let Test::Is(template) = &condition.test else { return Ok(()) };
        let value = self.read(blank, draft, |context| {
            let scope = Scope { secret: Some(&secret.text), ..context.scope() };
            let there = scope.find(&condition.at)?.is_some();
            Ok(if there { None } else { Some(template.bytes(&scope)?) })
        })?;
        match value {
            Some(value) => draft.put(&condition.at, &String::from_utf8_lossy(&value)),
            None => Ok(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "everything that one signature depends on")]
    fn signature(
        &self,
        variant: &Variant,
        key: &Key,
        secret: &Secret,
        blank: &UnsignedRequest<'_>,
        draft: &RequestDraft,
        stamp: Option<&str>,
        item: Option<usize>,
    ) -> Result<String, String> {
        self.read(blank, draft, |context| {
            // The timestamp as it stands in the request, where the sender wrote it into the body.
            let written = match variant.timestamp.as_ref().and_then(|timestamp| timestamp.fields.first()) {
                Some(field) if !variant.shares(field) => field.item(&context.scope()).ok(),
                _ => None,
            };
            let item = item.zip(variant.each.as_ref()).and_then(|(position, each)| {
                context.json.elements(each, position + 1)?.get(position).copied()
            });
            let scope = Scope {
                secret: Some(&secret.text),
                id: Some(blank.id.as_bytes()),
                timestamp: written.as_deref().or(stamp.map(str::as_bytes)),
                item,
                ..context.scope()
            };
            let pieces = variant.signed.pieces(&scope)?;
            let bytes = match secret.text.strip_prefix("whsk_") {
                Some(private) if variant.algorithm == Algorithm::Ed25519 => {
                    let private = BASE64.decode(private).map_err(|_| "the key is not base64".to_owned())?;
                    signing_key(&private)?.sign(&pieces.concat()).to_bytes().to_vec()
                }
                _ => Check::new(variant.algorithm, key, &pieces).sign().ok_or("the key cannot sign")?,
            };
            String::from_utf8(variant.encoding.encode(&bytes))
                .map_err(|_| "the signature is not text".to_owned())
        })
    }

    fn has(&self, place: &Place, blank: &UnsignedRequest<'_>, draft: &RequestDraft) -> bool {
        self.read(blank, draft, |context| Ok(context.scope().find(place)?.is_some())).unwrap_or(false)
    }

    /// Reads a draft as the receiver will.
    fn read<T>(
        &self,
        blank: &UnsignedRequest<'_>,
        draft: &RequestDraft,
        read: impl FnOnce(&Context<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let headers =
            draft.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        let request = Request {
            id: "",
            source: "",
            method: blank.method,
            url: &draft.url,
            headers,
            body: &draft.body,
            received: blank.timestamp,
            added_prefix: "",
            fetched: Vec::new(),
        };
        self.with(&request, read)
    }
}

impl Variant {
    /// Whether a timestamp stands in the list that carries the signature.
    fn shares(&self, field: &Field) -> bool {
        field.separator.is_some() && self.signatures.iter().any(|other| other.place == field.place)
    }

    /// The text of the place that carries the signature, with the timestamp if it shares it.
    fn compose(&self, field: &Field, signature: &str, stamp: Option<&str>) -> String {
        let signature = format!("{}{signature}", field.prefix);
        let shared =
            self.timestamp.iter().flat_map(|timestamp| &timestamp.fields).find(|time| self.shares(time));
        match (shared, field.separator, stamp) {
            (Some(time), Some(separator), Some(stamp)) => {
                let stamp = format!("{}{stamp}", time.prefix);
                if field.position == Some(Position::At(0)) {
                    format!("{signature}{separator}{stamp}")
                } else {
                    format!("{stamp}{separator}{signature}")
                }
            }
            _ => signature,
        }
    }
}

impl RequestDraft {
    /// Writes when the request is made: in a body as a number if there is one in its place, or if it counts milliseconds.
    fn stamp(&mut self, field: &Field, text: &str, unit: Unit) -> Result<(), String> {
        let Place::Json(pointer) = &field.place else {
            return self.put(&field.place, &format!("{}{text}", field.prefix));
        };
        let mut json = self.json()?;
        let number = match json.pointer(pointer) {
            None | Some(Value::Null) => unit == Unit::Milliseconds,
            Some(before) => before.is_number(),
        };
        let number = if number { text.parse::<u64>().ok() } else { None };
        insert(&mut json, pointer, number.map_or_else(|| text.into(), Value::from))?;
        self.body = serde_json::to_vec(&json).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|_| "the body is not JSON".to_owned())
    }

    fn put(&mut self, place: &Place, value: &str) -> Result<(), String> {
        match place {
            Place::Header(names) => {
                let name = names.first().map(String::as_str).unwrap_or_default();
                self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
                self.headers.push((name.to_owned(), value.to_owned()));
                Ok(())
            }
            Place::Query(name) => {
                let separator = if self.url.contains('?') { '&' } else { '?' };
                self.url = format!("{}{separator}{name}={value}", self.url);
                Ok(())
            }
            Place::Json(pointer) => {
                let mut json = self.json()?;
                insert(&mut json, pointer, value.into())?;
                self.body = serde_json::to_vec(&json).map_err(|error| error.to_string())?;
                Ok(())
            }
            _ => Err(format!("{place} cannot be filled in")),
        }
    }
}

/// Sets a value in a JSON value, with the objects on the way to it.
fn insert(json: &mut Value, pointer: &str, value: Value) -> Result<(), String> {
    let mut node = json;
    for step in pointer.split('/').skip(1) {
        if node.is_null() {
            *node = Value::Object(Map::new());
        }
        node = match node {
            Value::Object(members) => {
                members.entry(step.replace("~1", "/").replace("~0", "~")).or_insert(Value::Null)
            }
            Value::Array(items) => step
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get_mut(index))
                .ok_or_else(|| format!("`{pointer}` has no place in the body"))?,
            _ => return Err(format!("`{pointer}` has no place in the body")),
        };
    }
    *node = value;
    Ok(())
}
