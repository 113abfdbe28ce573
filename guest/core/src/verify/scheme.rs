//! A scheme ready to be interpreted: what a definition says, with every text parsed.

use super::algorithm::{Algorithm, Encoding};
use super::field::Field;
use super::freshness::{Timestamp, Unit, Window};
use super::json::Wanted;
use super::jwt::Jwt;
use super::key::KeyForm;
use super::pin::Pin;
use super::place::Place;
use super::template::{Body, Template};

/// A whole scheme.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Scheme {
    /// The status of a refusal.
    pub(crate) status: u16,
    /// The ways in which a request can be signed, in the order to try them.
    pub(crate) variants: Vec<Variant>,
    /// Requests that are answered and make no event.
    pub(crate) handshakes: Vec<Handshake>,
    /// What to answer when an event is accepted; the first whose conditions hold.
    pub(crate) answers: Vec<Answering>,
    /// Where the event's attributes are; for each the first that is there.
    pub(crate) id: Vec<Template>,
    pub(crate) kind: Vec<Template>,
    pub(crate) subject: Vec<Template>,
    pub(crate) time: Vec<(Place, Unit)>,
    /// What must not come twice.
    pub(crate) replay: Vec<Template>,
    /// The parameters that a source must or may give.
    pub(crate) parameters: Vec<Parameter>,
    /// What of the JSON body is needed.
    pub(crate) wanted: Wanted,
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
    pub(crate) when: Vec<Condition>,
    /// Whether its signature must hold first.
    pub(crate) signed: bool,
    /// A URL of the provider's that must be fetched before it is answered.
    pub(crate) fetch: Option<Pin>,
    pub(crate) answer: Reply,
}

/// What to answer to which event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answering {
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
    pub(crate) default: Option<String>,
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
            reply(&handshake.answer, &mut places);
            places.extend(handshake.fetch.as_ref().map(|pin| &pin.at));
        }
        for answer in &self.answers {
            conditions(&answer.when, &mut places);
            reply(&answer.answer, &mut places);
        }
        for template in [&self.id, &self.kind, &self.subject, &self.replay].into_iter().flatten() {
            places.append(&mut template.places());
        }
        places.extend(self.time.iter().map(|(place, _)| place));
        places
    }

    /// Computes what of the JSON body is needed.
    pub(crate) fn collect_wanted(&mut self) {
        let mut wanted = Wanted::default();
        for place in self.places() {
            if let Place::Json(pointer) = place {
                wanted.insert(pointer);
            }
        }
        self.variants.iter().flat_map(|variant| &variant.each).for_each(|each| wanted.insert(each));
        self.wanted = wanted;
    }
}
