//! What a source says of its events in the place of the scheme: where their attributes are, which of them are one, how
//! they are answered.

use super::algorithm::Algorithm;
use super::builder::METHODS;
use super::config::{AnswerConfig, DeduplicateConfig, EventConfig, VerificationConfig};
use super::freshness::Unit;
use super::identity::{Deduplication, Identifier, IdentityKind};
use super::place::Place;
use super::scheme::{EventAnswer, Reply, Scheme, Variant};
use super::template::{Body, Template};
use crate::problem::Problem;

/// The word for no attribute.
const NONE: &str = "none";

/// Applies what the source says.
pub(super) fn override_event(
    path: &str,
    config: &VerificationConfig,
    scheme: &mut Scheme,
    problems: &mut Vec<Problem>,
) {
    super::split::apply(path, config, scheme, problems);
    if let Some(event) = &config.event {
        attributes(&format!("{path}.event"), event, scheme, problems);
    }
    match &config.deduplicate {
        None => {}
        Some(DeduplicateConfig::Never) => scheme.deduplication = Deduplication::Off,
        Some(DeduplicateConfig::By { places, within_seconds }) => {
            let read = |(index, text): (usize, &String)| {
                let found = Place::parse(text).and_then(comparable);
                found.map_err(|message| Problem::new(format!("{path}.deduplicate.by[{index}]"), message))
            };
            let mut found = Vec::new();
            for place in places.iter().enumerate().map(read) {
                match place {
                    Ok(place) => found.push(place),
                    Err(problem) => problems.push(problem),
                }
            }
            if found.len() == places.len() && !found.iter().any(tells_events_apart) {
                let message = "these are the same in every request, which would make all of them one event";
                problems.push(Problem::new(format!("{path}.deduplicate.by"), message));
            }
            scheme.deduplication = Deduplication::By(found, *within_seconds);
        }
    }
    match &config.answer {
        None => {}
        Some(AnswerConfig::Receipt) => scheme.answers.clear(),
        Some(AnswerConfig::Fixed { status, body, content_type }) => {
            let body = Body::Text(Template::literal(body));
            let reply =
                Reply { status: *status, content_type: content_type.clone(), headers: Vec::new(), body };
            scheme.answers = vec![EventAnswer { when: Vec::new(), answer: reply }];
        }
    }
    if !config.methods.is_empty() {
        scheme.methods.clone_from(&config.methods);
        for (index, method) in config.methods.iter().enumerate() {
            let path = format!("{path}.methods[{index}]");
            if !METHODS.iter().any(|(known, _)| known == method) {
                let known: Vec<&str> = METHODS.iter().map(|(known, _)| *known).collect();
                problems.push(Problem::new(path, format!("is not one of {}", known.join(", "))));
            } else if method == "GET" && !scheme.variants.iter().all(covers_query) {
                let message = "the signature does not cover the query, where a GET says everything";
                problems.push(Problem::new(path, message));
            }
        }
    }
    scheme.json_fields.extend(config.json_fields.iter().cloned());
}

/// Whether nobody could change the query of a signed request: what only shows a token covers nothing in any case.
fn covers_query(variant: &Variant) -> bool {
    variant.algorithm == Algorithm::Equal
        || variant
            .signed
            .places()
            .iter()
            .any(|place| matches!(place, Place::Url | Place::PathAndQuery | Place::Query(_) | Place::Form(_)))
}

fn attributes(path: &str, event: &EventConfig, scheme: &mut Scheme, problems: &mut Vec<Problem>) {
    let mut template = |key: &str, text: &str, is_distinct: bool| match read(text, is_distinct) {
        Ok(template) => template,
        Err(message) => {
            problems.push(Problem::new(format!("{path}.{key}"), message));
            None
        }
    };
    if let Some(parts) = &event.id {
        let key = |index| if parts.len() == 1 { "id".to_owned() } else { format!("id[{index}]") };
        let read = parts.iter().enumerate().filter_map(|(index, part)| template(&key(index), part, true));
        let parts: Vec<Template> = read.collect();
        scheme.configured = true;
        scheme.lifetime = None;
        (scheme.id, scheme.identity) = match parts.is_empty() {
            true => (Vec::new(), IdentityKind::None),
            false => (vec![Identifier { when: Vec::new(), parts }], IdentityKind::Event),
        };
    }
    if let Some(kind) = &event.kind {
        scheme.kind = template("type", kind, false).into_iter().collect();
    }
    if let Some(subject) = &event.subject {
        scheme.subject = template("subject", subject, false).into_iter().collect();
    }
    if let Some(time) = &event.time {
        scheme.time.clear();
        let unit = Unit::NAMES.iter().find(|(name, _)| *name == time.unit).map(|(_, unit)| *unit);
        if unit.is_none() {
            let names: Vec<&str> = Unit::NAMES.iter().map(|(name, _)| *name).collect();
            let message = format!("`{}` is no unit of time; it can be {}", time.unit, names.join(", "));
            problems.push(Problem::new(format!("{path}.time.unit"), message));
        }
        match place(&time.at) {
            Ok(place) => scheme.time = place.zip(unit).into_iter().collect(),
            Err(message) => problems.push(Problem::new(format!("{path}.time"), message)),
        }
    }
}

/// A place, a template, or nothing for `none`. What is read from it may have to tell one event from another (`is_distinct`).
fn read(text: &str, is_distinct: bool) -> Result<Option<Template>, String> {
    let template = match text {
        NONE => return Ok(None),
        text if text.contains(['{', '}']) && is_distinct => Template::parse_distinct(text)?,
        text if text.contains(['{', '}']) => Template::parse(text)?,
        text => Template::of(Place::parse(text)?),
    };
    let places = template.places();
    for place in &places {
        comparable((*place).clone())?;
    }
    if is_distinct && !places.iter().any(|place| tells_events_apart(place)) {
        return Err(
            "is the same in every request, which would make all of them one event: name a place of the \
                    event's own, such as `json:/id` or `header:x-event-id`"
                .to_owned(),
        );
    }
    Ok(Some(template))
}

/// Whether a place differs from event to event, as its method and address do not.
const fn tells_events_apart(place: &Place) -> bool {
    matches!(place, Place::Header(_) | Place::Json(_) | Place::Query(_) | Place::Form(_) | Place::Body)
}

/// A place, or nothing for `none`.
fn place(text: &str) -> Result<Option<Place>, String> {
    if text == NONE { Ok(None) } else { Place::parse(text).and_then(comparable).map(Some) }
}

/// What is wrong with a text that is to name a place of a request, or `none`.
pub(crate) fn place_problem(text: &str) -> Option<String> {
    place(text).err()
}

/// What a request says itself, and no secret.
fn comparable(place: Place) -> Result<Place, String> {
    match place {
        Place::Header(_) | Place::Json(_) | Place::Query(_) | Place::Form(_) | Place::Body => Ok(place),
        Place::Method | Place::Path | Place::PathAndQuery | Place::Url => Ok(place),
        other => Err(format!(
            "the {other} is of no use here; places are `header:NAME`, `json:/POINTER`, `query:NAME`, `form:NAME` and `body`"
        )),
    }
}
