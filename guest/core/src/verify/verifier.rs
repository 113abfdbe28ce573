//! The interpreter: one scheme, its keys, one request, one outcome.

use super::algorithm::{Check, equal};
use super::context::{Context, Scope};
use super::freshness::Unit;
use super::outcome::{Attributes, Outcome, SecretName, TraceStep, Verified};
use super::scheme::{Condition, Reply, Scheme, Test, Variant};
use super::secret::Secret;
use super::template::Template;
use super::url;
use crate::decision::{Answer, Rejection};
use crate::request::{Request, UnixMillis};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// One source's verification, ready for requests.
pub struct Verifier {
    pub(super) name: &'static str,
    pub(super) scheme: Scheme,
    pub(super) secrets: Vec<Secret>,
    pub(super) public_url: Option<String>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) credential_headers: Vec<String>,
}

/// Why a variant did not verify a request, the more telling the greater.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// The request is not of this variant.
    Inapplicable(String),
    /// Something that the variant needs is missing or malformed.
    Malformed(String),
    /// No signature matches.
    Mismatch(String),
    /// The signature holds, but what it holds for is refused.
    Refused(String),
}

/// Which secret verified a request.
struct Match<'v> {
    secret: Option<&'v Secret>,
}

/// An array with more signed items than this is an attempt to keep the verifier busy.
const MOST_ITEMS: usize = 100;

/// Attributes become keys of the store and labels of telemetry; no provider's is longer.
const LONGEST_ATTRIBUTE: usize = 256;

impl Verifier {
    /// Verifies one request.
    #[must_use]
    pub fn verify(&self, request: &Request<'_>) -> Outcome {
        self.run(request, &mut None)
    }

    /// Verifies one request and says what was tried.
    #[must_use]
    pub fn trace(&self, request: &Request<'_>) -> (Outcome, Vec<TraceStep>) {
        let mut steps = Some(Vec::new());
        let outcome = self.run(request, &mut steps);
        (outcome, steps.unwrap_or_default())
    }

    /// The name of the scheme.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.name
    }

    /// The lower-case names of header fields that carry a secret itself; shells neither store nor show them.
    #[must_use]
    pub fn credential_headers(&self) -> &[String] {
        &self.credential_headers
    }

    pub(super) fn context<'a>(&'a self, request: &'a Request<'a>) -> Context<'a> {
        Context::new(request, self.public_url.as_deref(), &self.parameters, &self.scheme.wanted)
    }

    fn run(&self, request: &Request<'_>, steps: &mut Option<Vec<TraceStep>>) -> Outcome {
        let context = self.context(request);
        let active = self.secrets.iter().find(|secret| secret.is_active(request.received));
        let scope = Scope { secret: active.map(|secret| secret.text.as_str()), ..context.scope() };
        if let Some(outcome) = self.handshake(false, &scope, steps) {
            return outcome;
        }
        let found = match self.check(&context, steps) {
            Ok(found) => found,
            Err(failure) => return self.reject(failure),
        };
        let secret = found.secret.map(|secret| secret.text.as_str());
        let scope = Scope { secret, ..context.scope() };
        if let Some(outcome) = self.handshake(true, &scope, steps) {
            return outcome;
        }
        let answer = self.scheme.answers.iter().find(|answer| hold(&answer.when, &scope));
        let answer = match answer.map(|answer| reply(&answer.answer, &scope)).transpose() {
            Ok(answer) => answer,
            Err(reason) => return self.reject(reason),
        };
        let replay = self.scheme.replay.iter().filter_map(|template| template.text(&scope));
        Outcome::Verified(Verified {
            scheme: self.name,
            secret: found.secret.map(|secret| secret.name.clone()),
            attributes: self.attributes(&scope),
            replay_keys: replay.map(|key| bounded_id(&format!("{}:{key}", self.name))).collect(),
            answer,
        })
    }

    fn reject(&self, reason: String) -> Outcome {
        Outcome::Rejected(Rejection { status: self.scheme.status, code: "verification-failed", reason })
    }

    fn handshake(
        &self,
        signed: bool,
        scope: &Scope<'_>,
        steps: &mut Option<Vec<TraceStep>>,
    ) -> Option<Outcome> {
        let shaken = self.scheme.handshakes.iter().filter(|handshake| handshake.signed == signed);
        let handshake = { shaken }.find(|handshake| hold(&handshake.when, scope))?;
        let answer = reply(&handshake.answer, scope);
        note(steps, "handshake", None, || match &answer {
            Ok(_) => "answered".to_owned(),
            Err(reason) => reason.clone(),
        });
        Some(match answer {
            Ok(answer) => Outcome::Answered(answer),
            Err(reason) => self.reject(reason),
        })
    }

    fn check(&self, context: &Context<'_>, steps: &mut Option<Vec<TraceStep>>) -> Result<Match<'_>, String> {
        if self.scheme.variants.is_empty() {
            note(steps, self.name, None, || "accepted unsigned, as configured".to_owned());
            return Ok(Match { secret: None });
        }
        if !self.secrets.iter().any(|secret| secret.is_active(context.request.received)) {
            let reason = "no secret is active at this time".to_owned();
            note(steps, self.name, None, || reason.clone());
            return Err(reason);
        }
        let mut worst: Option<Failure> = None;
        for (index, variant) in self.scheme.variants.iter().enumerate() {
            match self.check_variant(index, variant, context, steps) {
                Ok(secret) => return Ok(Match { secret: Some(secret) }),
                // The signature is right, so no other variant has a say.
                Err(Failure::Refused(reason)) => return Err(reason),
                Err(failure) => {
                    if worst.as_ref().is_none_or(|worst| kind(&failure) > kind(worst)) {
                        worst = Some(failure);
                    }
                }
            }
        }
        Err(match worst {
            Some(
                Failure::Inapplicable(reason)
                | Failure::Malformed(reason)
                | Failure::Mismatch(reason)
                | Failure::Refused(reason),
            ) => reason,
            None => "no variant of the scheme is accepted".to_owned(),
        })
    }

    fn check_variant<'v>(
        &'v self,
        index: usize,
        variant: &'v Variant,
        context: &Context<'_>,
        steps: &mut Option<Vec<TraceStep>>,
    ) -> Result<&'v Secret, Failure> {
        let fail = |failure: Failure, steps: &mut Option<Vec<TraceStep>>| {
            note(steps, &variant.name, None, || match &failure {
                Failure::Inapplicable(reason)
                | Failure::Malformed(reason)
                | Failure::Mismatch(reason)
                | Failure::Refused(reason) => reason.clone(),
            });
            failure
        };
        let scope = context.scope();
        if let Some(condition) = variant.when.iter().find(|condition| !holds(condition, &scope)) {
            let reason = match condition.test {
                Test::Present(true) => format!("missing {}", condition.at),
                _ => format!("{} says that the request is of another kind", condition.at),
            };
            return Err(fail(Failure::Inapplicable(reason), steps));
        }
        let Some(each) = &variant.each else {
            return self.check_one(index, variant, scope, steps);
        };
        let items = context.json().and_then(|json| json.pointer(each)).and_then(Value::as_array);
        let items = match items {
            Some(items) if items.len() > MOST_ITEMS => {
                let reason = format!("`{each}` has more than {MOST_ITEMS} items");
                return Err(fail(Failure::Malformed(reason), steps));
            }
            Some(items) => items,
            None => {
                return Err(fail(Failure::Malformed(format!("missing `{each}` in the JSON body")), steps));
            }
        };
        let mut secret = None;
        for item in items {
            secret = Some(self.check_one(index, variant, Scope { item: Some(item), ..scope }, steps)?);
        }
        secret.ok_or_else(|| fail(Failure::Malformed(format!("`{each}` in the JSON body is empty")), steps))
    }

    /// Holds one signed string against every signature and secret.
    fn check_one<'v>(
        &'v self,
        index: usize,
        variant: &'v Variant,
        scope: Scope<'_>,
        steps: &mut Option<Vec<TraceStep>>,
    ) -> Result<&'v Secret, Failure> {
        let parts = match Parts::read(variant, &scope) {
            Ok(parts) => parts,
            Err(reason) => {
                note(steps, &variant.name, None, || reason.clone());
                return Err(Failure::Malformed(reason));
            }
        };
        let scope = Scope { id: parts.id.as_deref(), timestamp: parts.timestamp.as_deref(), ..scope };
        let urls = if variant.url_ports { url::port_variants(scope.url) } else { vec![scope.url.to_owned()] };
        let mut tried = 0;
        for secret in self.secrets.iter().filter(|secret| secret.is_active(scope.context.request.received)) {
            let Some(Some(key)) = secret.keys.get(index) else { continue };
            tried += 1;
            for url in &urls {
                let scope = Scope { url, secret: Some(&secret.text), ..scope };
                let pieces = match variant.signed.pieces(&scope) {
                    Ok(pieces) => pieces,
                    Err(reason) => {
                        note(steps, &variant.name, Some(&secret.name), || reason.clone());
                        return Err(Failure::Malformed(reason));
                    }
                };
                let check = Check::new(variant.algorithm, key, &pieces);
                if !parts.signatures.iter().any(|signature| check.accepts(signature)) {
                    continue;
                }
                let admitted = admit(variant, &scope);
                note(steps, &variant.name, Some(&secret.name), || match &admitted {
                    Ok(()) => "the signature matches".to_owned(),
                    Err(reason) => format!("the signature matches, but {reason}"),
                });
                return admitted.map(|()| secret).map_err(Failure::Refused);
            }
            note(steps, &variant.name, Some(&secret.name), || "no signature matches".to_owned());
        }
        Err(Failure::Mismatch(match tried {
            0 => "no active secret is a key for this kind of signature".to_owned(),
            1 => "no signature matches the secret".to_owned(),
            many => format!("no signature matches any of {many} secrets"),
        }))
    }

    fn attributes(&self, scope: &Scope<'_>) -> Attributes {
        let first = |templates: &[Template]| templates.iter().find_map(|template| template.text(scope));
        let short = |text: &String| is_plain(text);
        Attributes {
            id: first(&self.scheme.id).map(|id| bounded_id(&id)),
            kind: first(&self.scheme.kind).filter(short),
            subject: first(&self.scheme.subject).filter(short),
            time: self
                .scheme
                .time
                .iter()
                .find_map(|(place, unit)| unit.parse(scope.find(place).ok().flatten()?.as_ref())),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: Vec<&SecretName> = self.secrets.iter().map(|secret| &secret.name).collect();
        formatter
            .debug_struct("Verifier")
            .field("scheme", &self.name)
            .field("secrets", &secrets)
            .finish_non_exhaustive()
    }
}

/// What a request says about its signature.
struct Parts {
    signatures: Vec<Vec<u8>>,
    id: Option<Vec<u8>>,
    timestamp: Option<Vec<u8>>,
}

impl Parts {
    fn read(variant: &Variant, scope: &Scope<'_>) -> Result<Self, String> {
        let mut texts = Vec::new();
        let mut missing = None;
        for field in &variant.signatures {
            // One of several headers may be absent; one that is there must be readable.
            if scope.find(&field.place)?.is_some() {
                texts.extend(field.items(scope)?);
            } else if missing.is_none() {
                missing = Some(scope.get(&field.place).err().unwrap_or_default());
            }
        }
        if texts.is_empty() {
            return Err(missing.unwrap_or_default());
        }
        let signatures: Vec<Vec<u8>> =
            texts.iter().filter_map(|text| variant.encoding.decode(text)).collect();
        if signatures.is_empty() {
            let at = variant.signatures.first().map(|field| field.place.to_string()).unwrap_or_default();
            return Err(format!("the signature in {at} is malformed"));
        }
        let id = match &variant.id {
            Some(place) => Some(scope.get(place)?.into_owned()),
            None => None,
        };
        let timestamp = match &variant.timestamp {
            Some(timestamp) => {
                let mut present = None;
                for field in &timestamp.fields {
                    if present.is_none() && scope.find(&field.place)?.is_some() {
                        present = Some(field);
                    }
                }
                let field = present.or(timestamp.fields.first());
                Some(field.ok_or("missing timestamp")?.item(scope)?)
            }
            None => None,
        };
        Ok(Self { signatures, id, timestamp })
    }
}

/// What is asked of a request once its signature holds: conditions on what was signed, and freshness.
fn admit(variant: &Variant, scope: &Scope<'_>) -> Result<(), String> {
    if let Some(condition) = variant.requires.iter().find(|condition| !holds(condition, scope)) {
        return Err(format!("{} is not what it must be", condition.at));
    }
    let (Some(timestamp), Some(text)) = (&variant.timestamp, scope.timestamp) else { return Ok(()) };
    if variant.window.past.is_none() && variant.window.future.is_none() {
        return Ok(());
    }
    let time = timestamp.unit.parse(text).ok_or_else(|| {
        let unit = match timestamp.unit {
            Unit::Seconds => "a number of seconds",
            Unit::Milliseconds => "a number of milliseconds",
            Unit::Rfc3339 => "of the form of RFC 3339",
        };
        format!("the timestamp is not {unit}")
    })?;
    variant.window.check(time, scope.context.request.received, timestamp.unit)
}

fn hold(conditions: &[Condition], scope: &Scope<'_>) -> bool {
    conditions.iter().all(|condition| holds(condition, scope))
}

fn holds(condition: &Condition, scope: &Scope<'_>) -> bool {
    if let Test::Present(present) = condition.test {
        return scope.has(&condition.at).is_ok_and(|has| has == present);
    }
    let Ok(value) = scope.find(&condition.at) else { return false };
    match &condition.test {
        Test::Present(present) => value.is_some() == *present,
        Test::Token(token) => value.is_some_and(|value| is_token(&value) == *token),
        Test::Is(template) => match (value, template.bytes(scope)) {
            (Some(value), Ok(expected)) => equal(&value, &expected),
            _ => false,
        },
    }
}

/// Whether a value could be a challenge or a token; an event's body could not.
fn is_token(value: &[u8]) -> bool {
    (1..=LONGEST_ATTRIBUTE).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(byte))
}

fn reply(reply: &Reply, scope: &Scope<'_>) -> Result<Answer, String> {
    let mut headers = Vec::new();
    for (name, value) in &reply.headers {
        let value = String::from_utf8(value.bytes(scope)?).map_err(|_| format!("`{name}` is not text"))?;
        if value.chars().any(char::is_control) {
            return Err(format!("`{name}` has control characters"));
        }
        headers.push((name.clone(), value));
    }
    Ok(Answer {
        status: reply.status,
        content_type: reply.content_type.clone(),
        headers,
        body: reply.body.bytes(scope)?,
    })
}

/// An identifier as it is, or its hash if no provider would make such a one: two stay two either way.
fn bounded_id(id: &str) -> String {
    if is_plain(id) { id.to_owned() } else { format!("sha256:{}", hex::encode(Sha256::digest(id))) }
}

fn is_plain(text: &str) -> bool {
    text.len() <= LONGEST_ATTRIBUTE && !text.chars().any(char::is_control)
}

fn kind(failure: &Failure) -> u8 {
    match failure {
        Failure::Inapplicable(_) => 0,
        Failure::Malformed(_) => 1,
        Failure::Mismatch(_) => 2,
        Failure::Refused(_) => 3,
    }
}

fn note(
    steps: &mut Option<Vec<TraceStep>>,
    variant: &str,
    secret: Option<&SecretName>,
    result: impl FnOnce() -> String,
) {
    if let Some(steps) = steps {
        steps.push(TraceStep { variant: variant.to_owned(), secret: secret.cloned(), result: result() });
    }
}

impl Secret {
    fn is_active(&self, now: UnixMillis) -> bool {
        self.not_before.is_none_or(|start| start <= now) && self.not_after.is_none_or(|end| now < end)
    }
}
