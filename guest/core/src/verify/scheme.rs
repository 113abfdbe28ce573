//! A scheme ready to be interpreted: what a definition says, with every text parsed.

use super::algorithm::{Algorithm, Encoding};
use super::context::Scope;
use super::field::Field;
use super::freshness::{Timestamp, Unit, Window};
use super::identity::{Deduplication, Identifier, IdentityKind};
use super::json::WantedPointers;
use super::jwt::Jwt;
use super::key::KeyForm;
use super::pin::Pin;
use super::place::Place;
use super::split::Batch;
use super::template::{Body, JsonPart, Template};

/// A whole scheme.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scheme {
    /// The status of a refusal.
    pub(crate) status: u16,
    /// The ways in which a request can be signed, in the order to try them.
    pub(crate) variants: Vec<Variant>,
    /// Requests that are answered and make no event.
    pub(crate) handshakes: Vec<Handshake>,
    /// What to answer when an event is accepted; the first whose conditions hold.
    pub(crate) answers: Vec<EventAnswer>,
    /// The methods of requests that are events.
    pub(crate) methods: Vec<String>,
    /// Whether the body is signed as it is when its content coding is undone.
    pub(crate) unpack: bool,
    /// Fields of a form that hold JSON.
    pub(crate) json_fields: Vec<String>,
    /// What the identifier is unique for, and for how many seconds.
    pub(crate) identity: IdentityKind,
    pub(crate) lifetime: Option<u64>,
    /// What the source says of repetitions.
    pub(crate) deduplication: Deduplication,
    /// Whether the identifier is the source's choice.
    pub(crate) configured: bool,
    /// Where the event's attributes are; for each the first that is there.
    pub(crate) id: Vec<Identifier>,
    pub(crate) kind: Vec<Template>,
    pub(crate) subject: Vec<Template>,
    pub(crate) time: Vec<(Place, Unit)>,
    /// What must not come twice.
    pub(crate) replay: Vec<Template>,
    /// The parameters that a source must or may give.
    pub(crate) parameters: Vec<Parameter>,
    /// What bodies are.
    pub(crate) body: BodyForm,
    /// Where the provider puts several events into one body.
    pub(crate) batch: Option<Batch>,
    /// The array whose elements are the events, as a JSON pointer, where the source splits bodies.
    pub(crate) split: Option<String>,
    /// What of the JSON body is needed.
    pub(crate) wanted: WantedPointers,
}

/// What the bodies of a provider's events are, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyForm {
    /// JSON, or whatever the request's media type says.
    #[default]
    Any,
    /// A form: `message` is an object of texts.
    Form,
    /// Text or XML: there is no `message`.
    Other,
}

impl BodyForm {
    pub(crate) const NAMES: [(&'static str, Self); 3] =
        [("any", Self::Any), ("form", Self::Form), ("other", Self::Other)];
}

/// One way in which a request can be signed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variant {
    pub(crate) name: String,
    /// Accepted only if the source names it.
    pub(crate) opt_in: bool,
    /// When the variant is at issue at all.
    pub(crate) when: Vec<Condition>,
    pub(crate) algorithm: Algorithm,
    pub(crate) keys: Vec<KeyForm>,
    pub(crate) encoding: Encoding,
    /// Where signatures are; every one that is there is tried.
    pub(crate) signatures: Vec<Field>,
    pub(crate) signed: Template,
    pub(crate) id: Option<Place>,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) window: Window,
    /// The array whose elements are signed one by one; each must hold.
    pub(crate) each: Option<String>,
    /// What must hold besides the signature; it can name the secret.
    pub(crate) requires: Vec<Condition>,
    /// Whether the URL is tried with and without its default port.
    pub(crate) url_ports: bool,
    /// Where the certificate with the key is.
    pub(crate) certificate: Option<Pin>,
    /// Where the token's key is.
    pub(crate) jwt: Option<Jwt>,
    /// Whether the URL is also tried with some escapes of its query undone.
    pub(crate) url_escapes: bool,
    /// Whether what was signed must be remembered, because a time limits how long it counts and no identifier within it
    /// tells a repetition.
    pub(crate) remember: bool,
}

/// Something that a request must say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) at: Place,
    pub(crate) test: Test,
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// It is there, or it is not.
    Present(bool),
    /// It is a short text of letters, digits and `-._~+/=:`, or it is not.
    Token(bool),
    /// It is this text; compared in constant time, since the text can be a secret.
    Is(Template),
}

/// A request that the provider wants answered and that is no event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Handshake {
    /// What shows that it is one.
    pub(crate) when: Vec<Condition>,
    /// What must hold besides, or it is refused.
    pub(crate) requires: Vec<Condition>,
    /// What only the gateway sees and an operator must copy, each with its name.
    pub(crate) copy: Vec<(String, Template)>,
    /// Whether its signature must hold first.
    pub(crate) signed: bool,
    /// A URL of the provider's that must be fetched before it is answered.
    pub(crate) fetch: Option<Pin>,
    pub(crate) answer: Reply,
}

/// What to answer to which event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventAnswer {
    pub(crate) when: Vec<Condition>,
    pub(crate) answer: Reply,
}

/// An answer before its values are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, Template)>,
    pub(crate) body: Body,
}

/// A value that the source's configuration gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) required: bool,
    /// Whether the provider's handshake is refused without it.
    pub(crate) handshake: bool,
    pub(crate) default: Option<String>,
}

impl Default for Scheme {
    fn default() -> Self {
        Self {
            status: 401,
            variants: Vec::new(),
            handshakes: Vec::new(),
            answers: Vec::new(),
            methods: vec!["POST".to_owned()],
            unpack: false,
            json_fields: Vec::new(),
            identity: IdentityKind::None,
            lifetime: None,
            deduplication: Deduplication::ByDefinition,
            configured: false,
            id: Vec::new(),
            kind: Vec::new(),
            subject: Vec::new(),
            time: Vec::new(),
            replay: Vec::new(),
            parameters: Vec::new(),
            body: BodyForm::Any,
            batch: None,
            split: None,
            wanted: WantedPointers::default(),
        }
    }
}

impl Reply {
    /// What of a request the answer would give back and the request does not say.
    pub(crate) fn lack(&self, scope: &Scope<'_>) -> Option<String> {
        let mut templates: Vec<&Template> = self.headers.iter().map(|(_, template)| template).collect();
        match &self.body {
            Body::Text(template) => templates.push(template),
            Body::Json(parts) => templates.extend(parts.iter().filter_map(|(_, part)| match part {
                JsonPart::Text(template) => Some(template),
                JsonPart::Fixed(_) => None,
            })),
        }
        let mut templates = templates.into_iter();
        let lacking = templates.find(|one| !one.places().is_empty() && one.text(scope).is_none())?;
        let place = { lacking.places().into_iter() }
            .find(|place| !matches!(scope.find(place), Ok(Some(value)) if !value.is_empty()))?;
        Some(match scope.find(place) {
            Ok(_) => format!("{place} is missing or empty"),
            Err(reason) => reason,
        })
    }
}

impl Variant {
    /// Whether the request says when it was signed.
    pub(crate) fn is_timed(&self) -> bool {
        self.timestamp.is_some() || self.jwt.is_some()
    }
}

impl Scheme {
    /// Every place that the scheme reads.
    pub(crate) fn places(&self) -> Vec<&Place> {
        fn conditions<'a>(conditions: &'a [Condition], places: &mut Vec<&'a Place>) {
            for condition in conditions {
                if let Test::Is(template) = &condition.test {
                    places.append(&mut template.places());
                }
                places.push(&condition.at);
            }
        }
        fn reply<'a>(reply: &'a Reply, places: &mut Vec<&'a Place>) {
            for (_, value) in &reply.headers {
                places.append(&mut value.places());
            }
            places.append(&mut reply.body.places());
        }
        let mut places: Vec<&Place> = Vec::new();
        for variant in &self.variants {
            conditions(&variant.when, &mut places);
            conditions(&variant.requires, &mut places);
            places.extend(variant.signatures.iter().map(|field| &field.place));
            places.append(&mut variant.signed.places());
            places.extend(&variant.id);
            places.extend(variant.certificate.as_ref().map(|pin| &pin.at));
            if let Some(jwt) = &variant.jwt {
                places.append(&mut jwt.url.places());
                places.append(&mut jwt.post.places());
            }
            if let Some(time) = &variant.timestamp {
                places.extend(time.fields.iter().map(|field| &field.place));
            }
        }
        for handshake in &self.handshakes {
            conditions(&handshake.when, &mut places);
            conditions(&handshake.requires, &mut places);
            for (_, template) in &handshake.copy {
                places.append(&mut template.places());
            }
            reply(&handshake.answer, &mut places);
            places.extend(handshake.fetch.as_ref().map(|pin| &pin.at));
        }
        for answer in &self.answers {
            conditions(&answer.when, &mut places);
            reply(&answer.answer, &mut places);
        }
        for identifier in &self.id {
            conditions(&identifier.when, &mut places);
            places.append(&mut identifier.places());
        }
        if let Deduplication::By(named, _) = &self.deduplication {
            places.extend(named);
        }
        for template in [&self.kind, &self.subject, &self.replay].into_iter().flatten() {
            places.append(&mut template.places());
        }
        places.extend(self.time.iter().map(|(place, _)| place));
        places.extend(self.batch.iter().flat_map(Batch::places));
        places
    }

    /// For how long a request that was accepted once would still count as fresh, in seconds; 0 if nothing limits it.
    pub(crate) fn replay_window(&self) -> u64 {
        let windows = self.variants.iter().filter(|variant| variant.is_timed());
        let seconds = windows.filter_map(|variant| {
            Some(variant.window.past?.saturating_add(variant.window.future.unwrap_or_default()))
        });
        let named = match &self.deduplication {
            Deduplication::By(_, within) => *within,
            _ => None,
        };
        seconds.chain(named).max().unwrap_or_default()
    }

    /// Finds out which variants' signed strings must be remembered: those that count for a while only and have no
    /// identifier in them by which a repetition would be told.
    pub(crate) fn choose_remembered(&mut self) {
        let told =
            self.deduplication == Deduplication::ByDefinition && self.identity.recognises_repetitions();
        let (own, identifiers) = (!self.replay.is_empty(), &self.id);
        for variant in &mut self.variants {
            let signed = variant.signed.places();
            let covered = |place: &Place| {
                signed.contains(&place)
                    || signed.contains(&&Place::Id) && variant.id.as_ref() == Some(place)
                    || signed.contains(&&Place::Body) && matches!(place, Place::Json(_) | Place::Form(_))
            };
            let safe = told
                && !identifiers.is_empty()
                && identifiers.iter().all(|identifier| identifier.places().into_iter().all(covered));
            variant.remember = variant.is_timed()
                && variant.window.past.is_some()
                && variant.each.is_none()
                && !safe
                && !own;
        }
    }

    /// Computes what of the JSON body is needed.
    pub(crate) fn collect_wanted(&mut self) {
        let mut wanted = WantedPointers::default();
        // Of what the definition says of a batch, a source that splits has taken over what it needs.
        self.batch = None;
        if let Some(at) = &self.split {
            wanted.insert(at);
        }
        for place in self.places() {
            if let Place::Json(pointer) = place {
                wanted.insert(pointer);
            }
        }
        self.variants.iter().flat_map(|variant| &variant.each).for_each(|each| wanted.insert(each));
        self.wanted = wanted;
    }
}
