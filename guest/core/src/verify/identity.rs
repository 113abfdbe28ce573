//! Which requests are one event: the identifier that the provider documents, or what the source names.

use super::check::hold;
use super::context::Scope;
use super::place::Place;
use super::scheme::{Condition, Scheme};
use super::template::Template;
use sha2::{Digest, Sha256};
use std::fmt;

/// What a provider's identifier is unique for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdentityKind {
    /// One event, however often and to whomever it is sent.
    Event,
    /// One delivery of an event, the same over its retries.
    Delivery,
    /// One request: a retry has another one, so that it recognises no repetition.
    Request,
    /// There is no identifier.
    #[default]
    None,
}

/// Where an event's id came from, and how a repetition of it is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What the id is unique for; [`IdentityKind::None`] if the request has none.
    pub kind: IdentityKind,
    /// The places that the id was read from, as an operator reads them; empty if the request has none.
    pub origin: String,
    /// Which of these places hold a number or a boolean, where one does: `1` and `"1"` have the same text and are two ids.
    /// Empty if all of them hold texts.
    pub form: String,
    /// How a repetition is recognised.
    pub repetition: Repetition,
    /// Whether the source says so, and not the definition.
    pub configured: bool,
}

/// How a repetition of an event is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repetition {
    /// By its id.
    Id {
        /// For how many seconds; `None` is as long as it is remembered.
        within: Option<u64>,
    },
    /// By what the source names, as one key.
    Named {
        /// The hash of what is named.
        key: String,
        /// For how many seconds; `None` is as long as it is remembered.
        within: Option<u64>,
    },
    /// Not at all, for this reason: every request is an event of its own.
    Never(&'static str),
}

/// One way to read an identifier.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identifier {
    /// When it is one.
    pub(crate) when: Vec<Condition>,
    /// What makes it up; all of it must be there.
    pub(crate) parts: Vec<Template>,
}

/// What the source says of repetitions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Deduplication {
    /// What the definition says.
    ByDefinition,
    /// By these places, for so many seconds.
    By(Vec<Place>, Option<u64>),
    Off,
}

impl IdentityKind {
    pub(crate) const NAMES: [(&'static str, Self); 4] = [
        ("event", Self::Event),
        ("delivery", Self::Delivery),
        ("request", Self::Request),
        ("none", Self::None),
    ];

    /// Whether two requests with the same identifier are one event.
    #[must_use]
    pub const fn recognises_repetitions(self) -> bool {
        matches!(self, Self::Event | Self::Delivery)
    }
}

impl Identifier {
    pub(crate) fn of(template: Template) -> Self {
        Self { when: Vec::new(), parts: vec![template] }
    }

    /// The identifier of a request, if it has all of its parts. Several are joined by a space, which is escaped within
    /// them, so that no two lists of parts give the same text.
    pub(crate) fn text(&self, scope: &Scope<'_>) -> Option<String> {
        if !hold(&self.when, scope) {
            return None;
        }
        if let [only] = self.parts.as_slice() {
            return only.distinct_text(scope);
        }
        let parts: Option<Vec<String>> = self
            .parts
            .iter()
            .map(|part| Some(part.distinct_text(scope)?.replace('%', "%25").replace(' ', "%20")))
            .collect();
        parts.map(|parts| parts.join(" "))
    }

    pub(crate) fn places(&self) -> Vec<&Place> {
        self.parts.iter().flat_map(Template::places).collect()
    }

    /// A letter for each place, `n` for a number or a boolean and `t` for a text; empty if all are texts.
    fn form(&self, scope: &Scope<'_>) -> String {
        let places = self.places();
        if !places.iter().any(|place| scope.is_literal(place)) {
            return String::new();
        }
        places.iter().map(|place| if scope.is_literal(place) { 'n' } else { 't' }).collect()
    }

    fn origin(&self) -> String {
        let places: Vec<String> = self.places().into_iter().map(Place::to_string).collect();
        places.join(" and ")
    }
}

/// The id of a part that has none of its own: that of what carries it, with its position from 0. No two are the same, whatever
/// the ids of requests are.
pub(crate) fn part_id(whole: &str, position: usize) -> String {
    format!("{}~{position}", unlike_part(whole))
}

/// An id of a source that splits bodies, so written that it is no part's.
fn unlike_part(id: &str) -> String {
    id.replace('%', "%25").replace('~', "%7E")
}

/// Whether something of this is said by a part of a batch itself.
fn is_in_part(places: &[&Place]) -> bool {
    places.iter().any(|place| matches!(place, Place::Json(_) | Place::Body))
}

/// The identifier of a request, or of the part at a position of a batch; where it came from, and how its repetitions are
/// recognised. Where the source splits bodies, what is no part's position is written unlike one.
pub(super) fn identify(
    scheme: &Scheme,
    scope: &Scope<'_>,
    position: Option<usize>,
) -> (Option<String>, Identity) {
    let found = scheme.id.iter().find_map(|each| {
        let text = each.text(scope)?;
        // What the whole request says tells its parts from those of others, but not from each other.
        let (text, origin) = match position.filter(|_| !is_in_part(&each.places())) {
            Some(position) => {
                (part_id(&text, position), format!("{} and the position in the batch", each.origin()))
            }
            None if scheme.split.is_some() => (unlike_part(&text), each.origin()),
            None => (text, each.origin()),
        };
        Some((text, (origin, each.form(scope))))
    });
    let (id, rest) = found.unzip();
    let (origin, form) = rest.unwrap_or_default();
    let kind = if id.is_some() { scheme.identity } else { IdentityKind::None };
    let repetition = match &scheme.deduplication {
        Deduplication::Off => Repetition::Never("the source says so"),
        Deduplication::By(places, within) => match named(places, scope, position) {
            Some(key) => Repetition::Named { key, within: *within },
            None => Repetition::Never("the request lacks what the source tells repetitions by"),
        },
        Deduplication::ByDefinition => match kind {
            IdentityKind::Event | IdentityKind::Delivery => Repetition::Id { within: scheme.lifetime },
            IdentityKind::Request => Repetition::Never("the id is the request's"),
            IdentityKind::None => Repetition::Never("the request has no identifier of its event"),
        },
    };
    (id, Identity { kind, origin, form, repetition, configured: scheme.configured })
}

/// One key of all that is named; nothing if something is missing or ambiguous, since then nobody said that two are one.
fn named(places: &[Place], scope: &Scope<'_>, position: Option<usize>) -> Option<String> {
    let mut hash = Sha256::new();
    let all: Vec<&Place> = places.iter().collect();
    if let Some(position) = position.filter(|_| !is_in_part(&all)) {
        hash.update((position as u64).to_be_bytes());
    }
    for place in places {
        let value = match place {
            Place::Body => scope.context.request.data().into(),
            place => scope.find(place).ok()??,
        };
        if scope.is_literal(place) {
            // No length begins so.
            hash.update([u8::MAX]);
        }
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    }
    Some(hex::encode(hash.finalize()))
}

impl fmt::Display for Identity {
    /// Where the id came from and whether it is one, as an operator reads it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = if self.configured { "the source says" } else { "the provider documents" };
        match self.kind {
            IdentityKind::None => {
                formatter.write_str(
                    "the gateway's own, since the request has none that is known to be its event's",
                )?;
            }
            IdentityKind::Event => write!(formatter, "{}, which {says} to be the event's", self.origin)?,
            IdentityKind::Delivery => {
                write!(formatter, "{}, which {says} to be the delivery's over its retries", self.origin)?;
            }
            IdentityKind::Request => write!(formatter, "{}, which is the request's alone", self.origin)?,
        }
        match &self.repetition {
            Repetition::Id { within: None } => {
                formatter.write_str("; a second request with it is a repetition")
            }
            Repetition::Id { within: Some(seconds) } => {
                write!(formatter, "; a second request with it within {seconds} s is a repetition")
            }
            Repetition::Named { within: None, .. } => {
                formatter.write_str("; repetitions are told by what `deduplicate` of the source names")
            }
            Repetition::Named { within: Some(seconds), .. } => write!(
                formatter,
                "; repetitions are told by what `deduplicate` of the source names, within {seconds} s"
            ),
            Repetition::Never(_) if self.kind == IdentityKind::None => {
                formatter.write_str("; every request is an event of its own")
            }
            Repetition::Never(reason) => {
                write!(formatter, "; every request is an event of its own, because {reason}")
            }
        }
    }
}
