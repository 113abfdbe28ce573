//! From a definition as it is written to a scheme that can be interpreted, with all problems at once.

use super::algorithm::{Algorithm, Encoding};
use super::field::{Field, Position};
use super::freshness::{Timestamp, Unit, Window};
use super::jwt::Jwt;
use super::key::KeyForm;
use super::pin::{Pattern, Pin};
use super::place::Place;
use super::raw::{
    RawCondition, RawEvent, RawField, RawJwt, RawParameter, RawPin, RawReply, RawScheme, RawTimestamp,
    RawVariant,
};
use super::scheme::{Answering, Condition, Handshake, Parameter, Reply, Scheme, Test, Variant};
use super::suggestion;
use super::template::{Body, JsonPart, Template};
use crate::problem::Problem;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a definition.
pub(crate) fn scheme(path: &str, definition: &Value) -> Result<Scheme, Vec<Problem>> {
    let mut builder = Builder { problems: Vec::new() };
    let scheme = builder.scheme(path, definition);
    match scheme {
        Some(scheme) if builder.problems.is_empty() => Ok(scheme),
        _ => Err(builder.problems),
    }
}

struct Builder {
    problems: Vec<Problem>,
}

impl Builder {
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    /// Keeps a value, or its problem.
    fn keep<T>(&mut self, path: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problem(path, message)).ok()
    }

    fn read<T: DeserializeOwned>(&mut self, path: &str, value: &Value) -> Option<T> {
        self.keep(path, T::deserialize(value).map_err(|error| error.to_string()))
    }

    fn place(&mut self, path: &str, text: &str) -> Option<Place> {
        let place = Place::parse(text);
        self.keep(path, place)
    }

    fn template(&mut self, path: &str, text: &str) -> Option<Template> {
        let template = Template::parse(text);
        self.keep(path, template)
    }

    fn named<T: Copy>(&mut self, path: &str, text: &str, names: &[(&'static str, T)]) -> Option<T> {
        let known = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if known.is_none() {
            let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            self.problem(
                path,
                match suggestion::nearest(text, all.iter().copied()) {
                    Some(near) => format!("`{text}` is not known; did you mean `{near}`?"),
                    None => format!("`{text}` is not known; it can be {}", all.join(", ")),
                },
            );
        }
        known
    }

    fn scheme(&mut self, path: &str, definition: &Value) -> Option<Scheme> {
        let raw: RawScheme = self.read(path, definition)?;
        let mut scheme =
            Scheme { status: self.status(&format!("{path}.status"), raw.status), ..Scheme::default() };
        if raw.unsigned != raw.variant.is_empty() {
            self.problem(
                &format!("{path}.variant"),
                "a scheme has a variant, or says `unsigned = true` and has none",
            );
        }
        for (index, value) in raw.variant.iter().enumerate() {
            let path = format!("{path}.variant[{index}]");
            if let Some(variant) = self.read(&path, value).and_then(|raw| self.variant(&path, &raw)) {
                self.check_variant(&path, &variant, &scheme.variants);
                scheme.variants.push(variant);
            }
        }
        for (index, value) in raw.handshake.iter().enumerate() {
            let path = format!("{path}.handshake[{index}]");
            let Some(raw) = self.read::<RawReply>(&path, value) else { continue };
            let Some(signed) = raw.signed else {
                self.problem(&path, "`signed` is missing: whether the signature must hold first");
                continue;
            };
            if raw.when.is_empty() {
                self.problem(
                    &path,
                    "`when` is missing: a handshake without conditions would answer every request",
                );
            }
            let when = self.conditions(&format!("{path}.when"), &raw.when);
            let fetch = raw.fetch.as_ref().and_then(|fetch| self.pin(&format!("{path}.fetch"), fetch));
            if fetch.is_some() && !signed {
                self.problem(
                    &path,
                    "`fetch` needs `signed = true`: a stranger must not choose what is fetched",
                );
            }
            let answer = self.reply(&path, &raw);
            scheme.handshakes.extend(answer.map(|answer| Handshake { when, signed, fetch, answer }));
        }
        for (index, value) in raw.answer.iter().enumerate() {
            let path = format!("{path}.answer[{index}]");
            let Some(raw) = self.read::<RawReply>(&path, value) else { continue };
            if raw.signed.is_some() || raw.fetch.is_some() {
                self.problem(
                    &path,
                    "`signed` and `fetch` belong to handshakes; an answer is given to accepted events alone",
                );
            }
            let when = self.conditions(&format!("{path}.when"), &raw.when);
            let answer = self.reply(&path, &raw);
            scheme.answers.extend(answer.map(|answer| Answering { when, answer }));
        }
        if let Some(value) = &raw.event {
            let path = format!("{path}.event");
            if let Some(event) = self.read::<RawEvent>(&path, value) {
                scheme.id = self.templates(&format!("{path}.id"), &event.id);
                scheme.kind = self.templates(&format!("{path}.type"), &event.r#type);
                scheme.subject = self.templates(&format!("{path}.subject"), &event.subject);
                for (index, time) in event.time.iter().enumerate() {
                    let path = format!("{path}.time[{index}]");
                    let place = self.place(&format!("{path}.at"), &time.at);
                    let unit = self.named(&format!("{path}.unit"), &time.unit, &Unit::NAMES);
                    scheme.time.extend(place.zip(unit));
                }
            }
        }
        scheme.replay = self.templates(&format!("{path}.replay"), &raw.replay);
        for (name, value) in &raw.parameter {
            let path = format!("{path}.parameter.{name}");
            if let Some(raw) = self.read::<RawParameter>(&path, value) {
                let RawParameter { about, required, default } = raw;
                scheme.parameters.push(Parameter { name: name.clone(), about, required, default });
            }
        }
        self.check(path, &scheme);
        scheme.collect_wanted();
        Some(scheme)
    }

    fn status(&mut self, path: &str, status: u16) -> u16 {
        if !(100..=599).contains(&status) {
            self.problem(path, format!("{status} is no HTTP status"));
        }
        status
    }

    fn templates(&mut self, path: &str, texts: &[String]) -> Vec<Template> {
        texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.template(&format!("{path}[{index}]"), text))
            .collect()
    }

    fn variant(&mut self, path: &str, raw: &RawVariant) -> Option<Variant> {
        let at = |key: &str| format!("{path}.{key}");
        let algorithm = self.named(&at("algorithm"), &raw.algorithm, &Algorithm::NAMES);
        let mut keys: Vec<KeyForm> = Vec::new();
        for (index, key) in raw.key.iter().enumerate() {
            keys.extend(self.named(&format!("{path}.key[{index}]"), key, &KeyForm::NAMES));
        }
        if raw.key.is_empty() {
            keys.push(match algorithm {
                Some(Algorithm::Ed25519) => KeyForm::Hex,
                Some(Algorithm::EcdsaP256 | Algorithm::RsaSha256) => KeyForm::Spki,
                _ => KeyForm::Text,
            });
        }
        let token = algorithm == Some(Algorithm::Equal);
        let encoding = match &raw.encoding {
            Some(encoding) => self.named(&at("encoding"), encoding, &Encoding::NAMES),
            None if token || raw.jwt.is_some() => Some(Encoding::Text),
            None => {
                self.problem(&at("encoding"), "is missing: `hex`, `base64` or `base64url`");
                None
            }
        };
        let signatures = self.fields(&at("signature"), &raw.signature);
        let certificate = raw.certificate.as_ref().and_then(|pin| self.pin(&at("certificate"), pin));
        let jwt = raw.jwt.as_ref().and_then(|jwt| self.jwt(&at("jwt"), jwt));
        self.remote(path, algorithm, raw);
        let signed = match &raw.signed {
            Some(signed) => self.template(&at("signed"), signed),
            None if jwt.is_some() => Some(Template::of(Place::Body)),
            None if token => Some(Template::of(Place::Secret)),
            None => {
                self.problem(
                    &at("signed"),
                    "is missing: the string that is signed, such as `{timestamp}.{body}`",
                );
                None
            }
        };
        let id = raw.id.as_ref().and_then(|id| self.place(&at("id"), id));
        let timestamp = raw.timestamp.as_ref().and_then(|raw| self.timestamp(&at("timestamp"), raw));
        let window = raw.window.as_ref();
        if window.is_some() && raw.timestamp.is_none() && raw.jwt.is_none() {
            self.problem(&at("window"), "has no `timestamp` to be held against");
        }
        let when = self.conditions(&at("when"), &raw.when);
        let requires = self.conditions(&at("requires"), &raw.requires);
        Some(Variant {
            name: raw.name.clone(),
            opt_in: raw.opt_in,
            when,
            algorithm: algorithm?,
            keys,
            encoding: encoding?,
            signatures,
            signed: signed?,
            id,
            timestamp,
            window: window
                .map(|window| Window { past: window.past, future: window.future })
                .unwrap_or_default(),
            each: raw.each.clone(),
            requires,
            url_ports: raw.url_ports,
            certificate,
            jwt,
        })
    }

    /// Keys from the network and the algorithms that take them belong together.
    fn remote(&mut self, path: &str, algorithm: Option<Algorithm>, raw: &RawVariant) {
        use Algorithm::{CertificateRsaSha1, CertificateRsaSha256, JwtEs256};
        let Some(algorithm) = algorithm else { return };
        if raw.certificate.is_some() != matches!(algorithm, CertificateRsaSha1 | CertificateRsaSha256) {
            self.problem(
                &format!("{path}.certificate"),
                "belongs to the certificate algorithms, which need it",
            );
        }
        if raw.jwt.is_some() != (algorithm == JwtEs256) {
            self.problem(&format!("{path}.jwt"), "belongs to the algorithm `jwt-es256`, which needs it");
        }
    }

    fn pin(&mut self, path: &str, raw: &RawPin) -> Option<Pin> {
        if raw.urls.is_empty() {
            self.problem(&format!("{path}.urls"), "is empty");
        }
        let mut patterns = Vec::new();
        for (index, url) in raw.urls.iter().enumerate() {
            let pattern = Pattern::parse(url);
            patterns.extend(self.keep(&format!("{path}.urls[{index}]"), pattern));
        }
        let at = self.place(&format!("{path}.at"), &raw.at)?;
        Some(Pin { at, patterns })
    }

    fn jwt(&mut self, path: &str, raw: &RawJwt) -> Option<Jwt> {
        if !raw.url.starts_with("https://") {
            self.problem(&format!("{path}.url"), "does not begin with `https://`");
        }
        let url = self.template(&format!("{path}.url"), &raw.url);
        let mut post = Vec::new();
        for (name, text) in &raw.post {
            let template = self.template(&format!("{path}.post.{name}"), text)?;
            post.push((name.clone(), JsonPart::Text(template)));
        }
        let (key, body_hash) = (raw.key.clone(), raw.body_hash.clone());
        Some(Jwt { url: url?, post: Body::Json(post), key, body_hash })
    }

    fn fields(&mut self, path: &str, raw: &RawField) -> Vec<Field> {
        if raw.at.is_empty() {
            self.problem(&format!("{path}.at"), "is empty: where the signature is");
        }
        let position = match (raw.position, raw.from_position) {
            (None, None) => None,
            (Some(at), None) => Some(Position::At(at)),
            (None, Some(from)) => Some(Position::From(from)),
            (Some(_), Some(_)) => {
                self.problem(path, "`position` and `from-position` exclude each other");
                None
            }
        };
        if position.is_some() && raw.separator.is_none() {
            self.problem(path, "a position needs a `separator`");
        }
        if raw.separator.is_some_and(|separator| !separator.is_ascii()) {
            self.problem(&format!("{path}.separator"), "is not an ASCII character");
        }
        let mut fields = Vec::new();
        for (index, place) in raw.at.iter().enumerate() {
            let place = self.place(&format!("{path}.at[{index}]"), place);
            fields.extend(place.map(|place| Field {
                place,
                separator: raw.separator,
                prefix: raw.prefix.clone(),
                position,
            }));
        }
        fields
    }

    fn timestamp(&mut self, path: &str, raw: &RawTimestamp) -> Option<Timestamp> {
        let field = RawField {
            at: raw.at.clone(),
            separator: raw.separator,
            prefix: raw.prefix.clone(),
            position: raw.position,
            from_position: None,
        };
        let fields = self.fields(path, &field);
        let unit = self.named(&format!("{path}.unit"), &raw.unit, &Unit::NAMES)?;
        Some(Timestamp { fields, unit })
    }

    fn conditions(&mut self, path: &str, raw: &[RawCondition]) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (index, raw) in raw.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let at = self.place(&format!("{path}.at"), &raw.at);
            let test = match (&raw.is, raw.present, raw.token) {
                (Some(is), None, None) => self.template(&format!("{path}.is"), is).map(Test::Is),
                (None, Some(present), None) => Some(Test::Present(present)),
                (None, None, Some(token)) => Some(Test::Token(token)),
                _ => {
                    self.problem(&path, "says one of `is = \"…\"`, `present = true` and `token = true`");
                    None
                }
            };
            conditions.extend(at.zip(test).map(|(at, test)| Condition { at, test }));
        }
        conditions
    }

    fn reply(&mut self, path: &str, raw: &RawReply) -> Option<Reply> {
        let status = self.status(&format!("{path}.status"), raw.status);
        let mut headers = Vec::new();
        for (name, value) in &raw.headers {
            let value = self.template(&format!("{path}.headers.{name}"), value);
            headers.extend(value.map(|value| (name.to_ascii_lowercase(), value)));
        }
        let (body, default) = match (&raw.text, &raw.json) {
            (Some(_), Some(_)) => {
                self.problem(path, "`text` and `json` exclude each other");
                return None;
            }
            (text, None) => {
                let text = self.template(&format!("{path}.text"), text.as_deref().unwrap_or_default())?;
                (Body::Text(text), "text/plain; charset=utf-8")
            }
            (None, Some(members)) => {
                let mut parts = Vec::new();
                for (name, value) in members {
                    let part = match value {
                        Value::String(text) => {
                            self.template(&format!("{path}.json.{name}"), text).map(JsonPart::Text)
                        }
                        value => Some(JsonPart::Fixed(value.clone())),
                    };
                    parts.extend(part.map(|part| (name.clone(), part)));
                }
                (Body::Json(parts), "application/json")
            }
        };
        let content_type = raw.content_type.clone().unwrap_or_else(|| default.to_owned());
        Some(Reply { status, content_type, headers, body })
    }

    /// What no single text shows: names that stand for nothing.
    fn check(&mut self, path: &str, scheme: &Scheme) {
        for place in scheme.places() {
            if let Place::Parameter(name) = place
                && !scheme.parameters.iter().any(|parameter| parameter.name == *name)
            {
                self.problem(&format!("{path}.parameter"), format!("`{name}` is used but not declared"));
            }
        }
    }

    fn check_variant(&mut self, path: &str, variant: &Variant, before: &[Variant]) {
        let places: Vec<&Place> = variant.signed.places().collect();
        if places.contains(&&Place::Timestamp) && variant.timestamp.is_none() {
            self.problem(path, "`{timestamp}` is signed but there is no `timestamp`");
        }
        if places.contains(&&Place::Id) && variant.id.is_none() {
            self.problem(path, "`{id}` is signed but there is no `id`");
        }
        let item = |place: &&Place| matches!(place, Place::Item(_));
        let fields = variant.signatures.iter().map(|field| &field.place);
        if variant.each.is_none() && (places.iter().any(item) || fields.clone().any(|place| item(&place))) {
            self.problem(path, "`item:` needs `each`, the array of the items");
        }
        let named = |condition: &Condition| match &condition.test {
            Test::Is(template) => template.places().any(|place| *place == Place::Secret),
            Test::Present(_) | Test::Token(_) => false,
        };
        if matches!(variant.algorithm, Algorithm::Equal | Algorithm::Sha256)
            && !places.contains(&&Place::Secret)
            && !variant.requires.iter().any(named)
        {
            self.problem(path, "the secret has no part in it: `signed` must name `{secret}`");
        }
        if before.iter().any(|other| other.name == variant.name) {
            self.problem(path, format!("there are two variants `{}`", variant.name));
        }
    }
}
