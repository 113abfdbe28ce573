//! The check of a signature: every variant, every signature, every active secret.

use super::algorithm::{Algorithm, Check, equal};
use super::certificate;
use super::checked_url;
use super::context::{Context, Scope};
use super::freshness::Unit;
use super::jwt::TokenCheck;
use super::key::Key;
use super::pin::{Document, document};
use super::place::Place;
use super::scheme::{Condition, Test, Variant};
use super::secret::Secret;
use super::url;
use super::verification::{SecretName, TraceStep};
use super::verifier::Verifier;
use crate::decision::Fetch;
use crate::request::UnixMillis;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Why a variant did not verify a request, from the least telling to the most.
#[derive(Debug, Clone)]
pub(super) enum Unverified {
    /// The request is not of this variant.
    Inapplicable(String),
    /// Something that the variant needs is missing or malformed.
    Malformed(String),
    /// No signature matches.
    Mismatch(String),
    /// What the provider's host must give could not be had; another time it may.
    Unavailable(String),
    /// A document is needed first.
    Pending(Fetch),
    /// The signature holds, but what it holds for is refused.
    Refused(String),
}

/// An array with more signed items than this is an attempt to keep the verifier busy.
const MOST_ITEMS: usize = 100;

/// Attributes become keys of the store and labels of telemetry; no provider's is longer.
const LONGEST_ATTRIBUTE: usize = 256;

/// A certificate changes rarely and its URL changes with it.
const CERTIFICATE_SECONDS: u32 = 24 * 3600;

type Steps = Option<Vec<TraceStep>>;

/// What verified a request.
pub(super) struct Proof<'v> {
    /// The secret; `None` for a scheme that checks no signature.
    pub(super) secret: Option<&'v Secret>,
    /// The hash of what was signed, if that must not count twice.
    pub(super) signed: Option<String>,
}

impl Unverified {
    pub(super) fn reason(self) -> String {
        match self {
            Self::Inapplicable(reason)
            | Self::Malformed(reason)
            | Self::Mismatch(reason)
            | Self::Unavailable(reason)
            | Self::Refused(reason) => reason,
            Self::Pending(_) => "the provider's key must be fetched first".to_owned(),
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::Inapplicable(_) => 0,
            Self::Malformed(_) => 1,
            Self::Mismatch(_) => 2,
            Self::Unavailable(_) => 3,
            Self::Pending(_) => 4,
            Self::Refused(_) => 5,
        }
    }
}

impl Verifier {
    /// The proof that the request is from whom it claims to be from.
    pub(super) fn check(&self, context: &Context<'_>, steps: &mut Steps) -> Result<Proof<'_>, Unverified> {
        if self.scheme.variants.is_empty() {
            note(steps, self.name, None, || "accepted unsigned, as configured".to_owned());
            return Ok(Proof { secret: None, signed: None });
        }
        if !self.secrets.iter().any(|secret| secret.is_active(context.request.received)) {
            let reason = "no secret is active at this time".to_owned();
            note(steps, self.name, None, || reason.clone());
            return Err(Unverified::Malformed(reason));
        }
        let mut telling: Option<Unverified> = None;
        for (index, variant) in self.scheme.variants.iter().enumerate() {
            match self.check_variant(index, variant, context, steps) {
                Ok(proof) => return Ok(proof),
                // The signature is right, so no other variant has a say.
                Err(failure @ Unverified::Refused(_)) => return Err(failure),
                Err(failure) if telling.as_ref().is_none_or(|other| failure.weight() > other.weight()) => {
                    telling = Some(failure);
                }
                Err(_) => {}
            }
        }
        Err(telling
            .unwrap_or_else(|| Unverified::Malformed("no variant of the scheme is accepted".to_owned())))
    }

    fn check_variant(
        &self,
        index: usize,
        variant: &Variant,
        context: &Context<'_>,
        steps: &mut Steps,
    ) -> Result<Proof<'_>, Unverified> {
        let scope = context.scope();
        let result = self.check_items(index, variant, &scope, steps);
        if let Err(failure) = &result {
            note(steps, &variant.name, None, || failure.clone().reason());
        }
        result
    }

    fn check_items(
        &self,
        index: usize,
        variant: &Variant,
        scope: &Scope<'_>,
        steps: &mut Steps,
    ) -> Result<Proof<'_>, Unverified> {
        if let Some(condition) = variant.when.iter().find(|condition| !holds(condition, scope)) {
            return Err(Unverified::Inapplicable(match condition.test {
                Test::Present(true) => format!("missing {}", condition.at),
                _ => format!("{} says that the request is of another kind", condition.at),
            }));
        }
        let Some(each) = &variant.each else { return self.check_one(index, variant, *scope, steps) };
        let items = scope.context.json.elements(each, MOST_ITEMS + 1);
        let items =
            items.ok_or_else(|| Unverified::Malformed(format!("missing `{each}` in the JSON body")))?;
        if items.len() > MOST_ITEMS {
            return Err(Unverified::Malformed(format!("`{each}` has more than {MOST_ITEMS} items")));
        }
        let mut secret = None;
        for item in items {
            secret = Some(self.check_one(index, variant, Scope { item: Some(item), ..*scope }, steps)?);
        }
        secret.ok_or_else(|| Unverified::Malformed(format!("`{each}` in the JSON body is empty")))
    }

    /// Holds one signed string against every signature and secret.
    fn check_one(
        &self,
        index: usize,
        variant: &Variant,
        scope: Scope<'_>,
        steps: &mut Steps,
    ) -> Result<Proof<'_>, Unverified> {
        let parts = Parts::read(variant, &scope).map_err(Unverified::Malformed)?;
        let scope = Scope { id: parts.id.as_deref(), timestamp: parts.timestamp.as_deref(), ..scope };
        let now = scope.context.request.received;
        let mut urls =
            if variant.url_ports { url::port_variants(scope.url) } else { vec![scope.url.to_owned()] };
        if variant.url_escapes {
            let plain: Vec<String> = urls.iter().filter_map(|url| url::without_escapes(url)).collect();
            urls.extend(plain);
        }
        let (mut tried, mut unfit) = (0_usize, None);
        for secret in self.secrets.iter().filter(|secret| secret.is_active(now)) {
            let Some(Some(key)) = secret.keys.get(index) else { continue };
            tried += 1;
            let scope = Scope { secret: Some(&secret.text), ..scope };
            // What the network must give is asked for only when everything else is right.
            let remote = variant.certificate.is_some() || variant.jwt.is_some();
            if remote && let Err(reason) = fit(variant, &scope) {
                note(steps, &variant.name, Some(&secret.name), || reason.clone());
                unfit = Some(reason);
                continue;
            }
            if let Some(jwt) = &variant.jwt {
                let token = parts.signatures.first().map(Vec::as_slice).unwrap_or_default();
                match jwt.check(token, &scope) {
                    TokenCheck::Holds(issued) => {
                        let fresh = variant.window.check(issued, now, Unit::Seconds);
                        let signed = variant.remember.then(|| hash(&[Cow::Borrowed(token)]));
                        return self.admitted(variant, secret, signed, fresh, steps);
                    }
                    TokenCheck::Wanted(wish) => return Err(Unverified::Pending(wish)),
                    TokenCheck::Unavailable(reason) => return Err(Unverified::Unavailable(reason)),
                    TokenCheck::Malformed(reason) => return Err(Unverified::Malformed(reason)),
                    TokenCheck::Mismatch => {}
                }
            } else if let Some(signed) = self.matches(variant, key, &parts, &urls, &scope)? {
                return self.admitted(variant, secret, signed, admit(variant, &scope), steps);
            }
            note(steps, &variant.name, Some(&secret.name), || "no signature matches".to_owned());
        }
        let context = scope.context;
        let mismatch = |reason: String| {
            Unverified::Mismatch(if variant.signs_url() {
                let url = checked_url::told(context, self.public_url.as_deref(), &self.credential_parameters);
                format!("{reason}; {url}")
            } else {
                reason
            })
        };
        Err(match tried {
            _ if unfit.is_some() => Unverified::Mismatch(unfit.unwrap_or_default()),
            0 => Unverified::Malformed("no active secret is a key for this kind of signature".to_owned()),
            1 => mismatch("no signature matches the secret".to_owned()),
            many => mismatch(format!("no signature matches any of {many} secrets")),
        })
    }

    /// What was signed, as far as it must be remembered, if a signature matches.
    fn matches(
        &self,
        variant: &Variant,
        key: &Key,
        parts: &Parts,
        urls: &[String],
        scope: &Scope<'_>,
    ) -> Result<Option<Option<String>>, Unverified> {
        let fetched;
        let key = match &variant.certificate {
            Some(pin) => {
                let url = pin.url(scope).map_err(Unverified::Malformed)?;
                let wish = Fetch { url, post: None, cache_seconds: CERTIFICATE_SECONDS };
                let pem = match document(&scope.context.request.fetched, wish) {
                    Document::Here(pem) => pem,
                    Document::Wanted(wish) => return Err(Unverified::Pending(wish)),
                    Document::Unavailable(reason) => return Err(Unverified::Unavailable(reason)),
                };
                let sha1 = variant.algorithm == Algorithm::CertificateRsaSha1;
                fetched = certificate::key(pem, scope.context.request.received, sha1)
                    .map_err(Unverified::Malformed)?;
                &fetched
            }
            None => key,
        };
        for url in urls {
            let scope = Scope { url, ..*scope };
            let pieces: Vec<Cow<'_, [u8]>> = variant.signed.pieces(&scope).map_err(Unverified::Malformed)?;
            let check = Check::new(variant.algorithm, key, &pieces);
            if parts.signatures.iter().any(|signature| check.accepts(signature)) {
                return Ok(Some(variant.remember.then(|| hash(&pieces))));
            }
        }
        Ok(None)
    }

    /// A secret whose signature matches, if the request is let in for all else.
    fn admitted<'v>(
        &self,
        variant: &Variant,
        secret: &'v Secret,
        signed: Option<String>,
        admitted: Result<(), String>,
        steps: &mut Steps,
    ) -> Result<Proof<'v>, Unverified> {
        note(steps, &variant.name, Some(&secret.name), || match &admitted {
            Ok(()) => "the signature matches".to_owned(),
            Err(reason) => format!("the signature matches, but {reason}"),
        });
        admitted.map(|()| Proof { secret: Some(secret), signed }).map_err(Unverified::Refused)
    }
}

impl Secret {
    pub(super) fn is_active(&self, now: UnixMillis) -> bool {
        self.not_before.is_none_or(|start| start <= now) && self.not_after.is_none_or(|end| now < end)
    }
}

/// The hash of what was signed.
fn hash(pieces: &[Cow<'_, [u8]>]) -> String {
    let mut hash = Sha256::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    hex::encode(hash.finalize())
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
                missing = scope.get(&field.place).err();
            }
        }
        if texts.is_empty() {
            return Err(missing.unwrap_or_else(|| "missing signature".to_owned()));
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

/// The conditions on what is signed.
fn fit(variant: &Variant, scope: &Scope<'_>) -> Result<(), String> {
    match variant.requires.iter().find(|condition| !holds(condition, scope)) {
        Some(condition) => Err(format!("{} is not what it must be", condition.at)),
        None => Ok(()),
    }
}

/// What is asked of a request whose signature holds.
fn admit(variant: &Variant, scope: &Scope<'_>) -> Result<(), String> {
    fit(variant, scope)?;
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

/// What is wrong with the first condition that does not hold.
pub(super) fn violation(conditions: &[Condition], scope: &Scope<'_>) -> Option<String> {
    let condition = conditions.iter().find(|condition| !holds(condition, scope))?;
    let at = &condition.at;
    Some(match (&condition.test, scope.find(at)) {
        (_, Err(reason)) => reason,
        (Test::Present(false), Ok(Some(_))) => format!("{at} is not expected"),
        (Test::Present(_), _) | (_, Ok(None)) => format!("missing {at}"),
        (Test::Token(_), _) => {
            format!(
                "{at} is not a token of letters, digits and `-._~+/=:` with at most {LONGEST_ATTRIBUTE} characters"
            )
        }
        (Test::Is(template), _) => match template.as_place() {
            Some(place @ Place::Parameter(_)) => match scope.find(place) {
                Ok(Some(_)) => format!("{at} is not the {place}"),
                _ => format!("{place} is not set, which {at} is held against"),
            },
            _ => format!("{at} is not what it must be"),
        },
    })
}

/// Whether every condition holds.
pub(super) fn hold(conditions: &[Condition], scope: &Scope<'_>) -> bool {
    conditions.iter().all(|condition| holds(condition, scope))
}

fn holds(condition: &Condition, scope: &Scope<'_>) -> bool {
    if let Test::Present(present) = condition.test {
        return scope.has(&condition.at).is_ok_and(|has| has == present);
    }
    let Ok(Some(value)) = scope.find(&condition.at) else { return false };
    match &condition.test {
        Test::Present(present) => *present,
        Test::Token(wanted) => is_token(&value) == *wanted,
        Test::Is(template) => template.bytes(scope).is_ok_and(|expected| equal(&value, &expected)),
    }
}

/// Whether a value could be a challenge or a token; an event's body could not.
fn is_token(value: &[u8]) -> bool {
    (1..=LONGEST_ATTRIBUTE).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(byte))
}

/// Whether a text can be an attribute as it is.
pub(super) fn is_plain(text: &str) -> bool {
    text.len() <= LONGEST_ATTRIBUTE && !text.chars().any(char::is_control)
}

/// Writes down what was tried, if anybody asked for it.
pub(super) fn note(
    steps: &mut Steps,
    variant: &str,
    secret: Option<&SecretName>,
    result: impl FnOnce() -> String,
) {
    if let Some(steps) = steps {
        steps.push(TraceStep { variant: variant.to_owned(), secret: secret.cloned(), result: result() });
    }
}
