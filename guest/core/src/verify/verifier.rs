//! One source's verification: handshakes, the signature, what the provider says of the event.

use super::check::{Proof, Unverified, hold, is_plain, note, violation};
use super::context::{Context, Scope};
use super::identity::{Identity, identify};
use super::json::{Json, Names, Read};
use super::pin::{Document, document};
use super::scheme::{BodyForm, Handshake, Reply, Scheme};
use super::secret::Secret;
use super::template::Template;
use super::verification::{Attributes, SecretName, TraceStep, Verification, Verified};
use crate::decision::{Answer, Fetch, Rejection, RejectionCode};
use crate::message::{Message, ReceivedBody};
use crate::request::{Request, UnixMillis};
use anglerfish_filter::table::Table;
use sha2::{Digest, Sha256};
use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::fmt;

/// One source's verification, ready for requests. Its `Debug` form shows no secret.
pub struct Verifier {
    pub(super) name: &'static str,
    pub(super) scheme: Scheme,
    pub(super) secrets: Vec<Secret>,
    pub(super) public_url: Option<String>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) credential_headers: Vec<String>,
    pub(super) credential_parameters: Vec<String>,
}

impl Verifier {
    /// Verifies one request.
    #[must_use]
    pub fn verify(&self, request: &Request<'_>) -> Verification {
        self.with(request, |context| self.run(context, &mut None))
    }

    /// Verifies one request and says what was tried.
    #[must_use]
    pub fn trace(&self, request: &Request<'_>) -> (Verification, Vec<TraceStep>) {
        let mut steps = Some(Vec::new());
        let outcome = self.with(request, |context| self.run(context, &mut steps));
        (outcome, steps.unwrap_or_default())
    }

    /// Verifies one request whose body somebody else reads, too.
    pub(crate) fn verify_read(
        &self,
        request: &Request<'_>,
        message: &Message<'_>,
        json: &dyn Json,
    ) -> Verification {
        self.run(&self.context(request, message, json), &mut None)
    }

    /// The same, and what was tried.
    pub(crate) fn trace_read(
        &self,
        request: &Request<'_>,
        message: &Message<'_>,
        json: &dyn Json,
    ) -> (Verification, Vec<TraceStep>) {
        let mut steps = Some(Vec::new());
        let outcome = self.run(&self.context(request, message, json), &mut steps);
        (outcome, steps.unwrap_or_default())
    }

    /// What only the gateway sees of a handshake that it answers and an operator must copy, each with its name.
    pub(crate) fn to_copy(
        &self,
        request: &Request<'_>,
        message: &Message<'_>,
        json: &dyn Json,
    ) -> Vec<(String, String)> {
        let context = self.context(request, message, json);
        let scope = context.scope();
        let handshake = self.scheme.handshakes.iter().find(|handshake| hold(&handshake.when, &scope));
        let copies = handshake.into_iter().flat_map(|handshake| &handshake.copy);
        copies
            .filter_map(|(name, template)| {
                Some((name.clone(), template.text(&scope).filter(|text| is_plain(text))?))
            })
            .collect()
    }

    /// The array whose elements are the events, as a JSON pointer, where the source splits bodies.
    pub(crate) fn split(&self) -> Option<&str> {
        self.scheme.split.as_deref()
    }

    /// What the part at a position of a batch says of its event. The request has the part in the place of its body.
    pub(crate) fn identify_part(
        &self,
        request: &Request<'_>,
        message: &Message<'_>,
        json: &dyn Json,
        position: usize,
    ) -> (Attributes, Identity) {
        self.identify(&self.context(request, message, json).scope(), Some(position))
    }

    /// The methods of requests that are events: what the source says, or its scheme. A handshake may come with another one.
    #[must_use]
    pub fn methods(&self) -> &[String] {
        &self.scheme.methods
    }

    /// What the bodies of its requests are, as far as that is known.
    #[must_use]
    pub const fn body_form(&self) -> BodyForm {
        self.scheme.body
    }

    /// Fields of a form that hold JSON, besides `payload`.
    #[must_use]
    pub fn json_fields(&self) -> &[String] {
        &self.scheme.json_fields
    }

    /// Names what the scheme reads of a JSON body in a table that is to read it.
    pub(crate) fn name(&self, table: &mut Table) -> Names {
        self.scheme.wanted.name(table)
    }

    /// The name of the scheme.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.name
    }

    /// Whether any of its secrets counts at this time.
    pub(crate) fn has_key_at(&self, now: UnixMillis) -> bool {
        self.secrets.iter().any(|secret| secret.is_active(now))
    }

    /// The lower-case names of header fields that carry a secret itself; shells neither store nor show them.
    #[must_use]
    pub fn credential_headers(&self) -> &[String] {
        &self.credential_headers
    }

    /// The names of parameters of the URL's query that carry a secret itself; shells neither store nor show their values.
    #[must_use]
    pub fn credential_parameters(&self) -> &[String] {
        &self.credential_parameters
    }

    /// For how long a request that was accepted once would still count as fresh, in seconds: what serves once must be
    /// remembered for so long at the least. 0 if nothing limits it, since no memory is long enough then.
    #[must_use]
    pub fn replay_window(&self) -> u64 {
        self.scheme.replay_window()
    }

    fn context<'a>(
        &'a self,
        request: &'a Request<'a>,
        message: &'a Message<'a>,
        json: &'a dyn Json,
    ) -> Context<'a> {
        let unpack = self.scheme.unpack;
        Context::new(request, self.public_url.as_deref(), &self.parameters, json, message, unpack)
    }

    /// Runs with a request whose body nobody else reads.
    pub(super) fn with<R>(&self, request: &Request<'_>, run: impl FnOnce(&Context<'_>) -> R) -> R {
        let mut table = Table::new();
        let names = self.name(&mut table);
        let message = Message::new(ReceivedBody::of_request(request), self.json_fields());
        let reading = LazyCell::new(|| table.read(Some(message.json())));
        run(&self.context(request, &message, &Read::new(&names, &reading)))
    }

    fn run(&self, context: &Context<'_>, steps: &mut Option<Vec<TraceStep>>) -> Verification {
        let request = context.request;
        let active = self.secrets.iter().find(|secret| secret.is_active(request.received));
        let scope = Scope { secret: active.map(|secret| secret.text.as_str()), ..context.scope() };
        if let Some(outcome) = self.handshake(false, &scope, steps) {
            return outcome;
        }
        let Proof { secret, signed } = match self.check(context, steps) {
            Ok(proof) => proof,
            Err(Unverified::Pending(wish)) => return Verification::Fetch(vec![wish]),
            Err(Unverified::Unavailable(reason)) => return unavailable(reason),
            Err(failure) => {
                let mut signed = self.scheme.handshakes.iter().filter(|handshake| handshake.signed);
                let reason = failure.reason();
                return self.reject(if signed.any(|handshake| hold(&handshake.when, &scope)) {
                    format!(
                        "the request is a handshake, which is answered only if its signature holds: {reason}"
                    )
                } else {
                    reason
                });
            }
        };
        let scope = Scope { secret: secret.map(|secret| secret.text.as_str()), ..context.scope() };
        if let Some(outcome) = self.handshake(true, &scope, steps) {
            return outcome;
        }
        let answer = self.scheme.answers.iter().find(|answer| hold(&answer.when, &scope));
        let answer = match answer.map(|answer| fill(&answer.answer, &scope)).transpose() {
            Ok(answer) => answer,
            Err(reason) => return self.reject(reason),
        };
        let replay = self.scheme.replay.iter().filter_map(|template| template.text(&scope));
        let replay = replay.map(|key| bounded(&format!("{}:{key}", self.name)));
        let (attributes, identity) = self.identify(&scope, None);
        Verification::Verified(Box::new(Verified {
            scheme: self.name,
            secret: secret.map(|secret| secret.name.clone()),
            attributes,
            replay_keys: replay.chain(signed.map(|hash| format!("signed:{hash}"))).collect(),
            answer,
            identity,
        }))
    }

    fn reject(&self, reason: String) -> Verification {
        Verification::Rejected(Rejection {
            status: self.scheme.status,
            code: RejectionCode::VerificationFailed,
            reason,
        })
    }

    fn handshake(
        &self,
        signed: bool,
        scope: &Scope<'_>,
        steps: &mut Option<Vec<TraceStep>>,
    ) -> Option<Verification> {
        let mut handshakes = self.scheme.handshakes.iter().filter(|handshake| handshake.signed == signed);
        let handshake = handshakes.find(|handshake| hold(&handshake.when, scope))?;
        let outcome = match violation(&handshake.requires, scope) {
            Some(reason) => self.reject(format!("the request is a handshake, but {reason}")),
            None => self.shake(handshake, scope),
        };
        note(steps, "handshake", None, || match &outcome {
            Verification::Rejected(rejection) => rejection.reason.clone(),
            Verification::Fetch(_) => "the provider's host must confirm it first".to_owned(),
            _ => "answered".to_owned(),
        });
        Some(outcome)
    }

    fn shake(&self, handshake: &Handshake, scope: &Scope<'_>) -> Verification {
        if let Some(pin) = &handshake.fetch {
            let url = match pin.url(scope) {
                Ok(url) => url,
                Err(reason) => return self.reject(reason),
            };
            match document(&scope.context.request.fetched, Fetch { url, post: None, cache_seconds: 0 }) {
                Document::Here(_) => {}
                Document::Wanted(wish) => return Verification::Fetch(vec![wish]),
                Document::Unavailable(reason) => return unavailable(reason),
            }
        }
        // An echo of nothing would look like an answer, and the provider would say something else of it.
        if let Some(lack) = handshake.answer.lack(scope) {
            return self.reject(format!("the request is a handshake, but {lack}"));
        }
        match fill(&handshake.answer, scope) {
            Ok(answer) => Verification::Answered(answer),
            Err(reason) => self.reject(format!("the request is a handshake, but {reason}")),
        }
    }

    /// What the request, or the part at a position of a batch, says of its event.
    fn identify(&self, scope: &Scope<'_>, position: Option<usize>) -> (Attributes, Identity) {
        let (id, identity) = identify(&self.scheme, scope, position);
        (self.attributes(id, scope), identity)
    }

    fn attributes(&self, id: Option<String>, scope: &Scope<'_>) -> Attributes {
        let first = |templates: &[Template]| templates.iter().find_map(|template| template.text(scope));
        let plain = |text: &String| is_plain(text);
        Attributes {
            id: id.map(|id| bounded(&id)),
            kind: first(&self.scheme.kind).filter(plain),
            subject: first(&self.scheme.subject).filter(plain),
            time: self
                .scheme
                .time
                .iter()
                .filter_map(|(place, unit)| unit.parse(scope.find(place).ok().flatten()?.as_ref()))
                // What has no date is no time, just as what cannot be read.
                .find(|time| time.rfc3339().is_some()),
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

/// Neither right nor wrong could be found out. The provider tries again later when it reads this, and nothing is
/// remembered that would stand against it then.
fn unavailable(reason: String) -> Verification {
    Verification::Rejected(Rejection { status: 502, code: RejectionCode::ProviderUnavailable, reason })
}

fn fill(reply: &Reply, scope: &Scope<'_>) -> Result<Answer, String> {
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

/// An identifier as it is, or its hash if no provider would make such a one: two stay two either way. What looks like such
/// a hash is hashed, too.
fn bounded(id: &str) -> String {
    if is_plain(id) && !id.starts_with("sha256:") {
        id.to_owned()
    } else {
        format!("sha256:{}", hex::encode(Sha256::digest(id)))
    }
}
