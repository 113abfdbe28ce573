//! Routing: from one request to one decision.

mod admission;
mod batch;
mod document;
mod explanation;
mod filters;
mod headers;
mod review;

pub use batch::{MOST_DELIVERIES, MOST_PARTS};
pub use document::{RoutingDocument, RoutingSource, RoutingSubscription};
pub use explanation::{
    ExplainedPart, Explanation, Verdict, VerdictOutcome, VerificationOutcome, VerificationReport,
};
pub use review::{SourceFacts, missing_fields, review_filter};

use crate::decision::{
    Acceptance, AcceptedEvent, Answer, Decision, Duplicate, Rejection, RejectionCode, Routing,
};
use crate::event::Event;
use crate::message::{Message, ReceivedBody};
use crate::problem::Problem;
use crate::request::{Header, Request, UnixMillis};
use crate::state::{Keys, key};
use crate::verify::{Json, Names, Read, Verification, Verifier};
use admission::Remembered;
use anglerfish_filter::CompileError;
pub use anglerfish_filter::table::Class;
use anglerfish_filter::table::{Reading, Table};
use filters::{FilterInput, Filters};
use serde::de::DeserializeOwned;
use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};

/// A routing table: sources with their verification, subscriptions with their filters.
pub struct Router {
    sources: HashMap<String, Source>,
    filters: Filters,
}

/// A source's verification, and what it reads of a body as the filters' table has it.
struct Source {
    verifier: Verifier,
    names: Names,
}

impl Router {
    /// Builds the table from a configuration document.
    ///
    /// # Errors
    ///
    /// Every problem of the document at once, each with its path.
    pub fn load(document: &[u8]) -> Result<Self, Vec<Problem>> {
        let document: RoutingDocument = parse(document)?;
        let mut router = Self { sources: HashMap::new(), filters: Filters::default() };
        let mut problems = Vec::new();
        for (index, source) in document.source.into_iter().enumerate() {
            let path = format!("source[{index}]");
            if router.sources.contains_key(&source.name) {
                let message = format!("there is another source {:?}", source.name);
                problems.push(Problem::new(format!("{path}.name"), message));
            }
            if let Err(found) = router.insert_source(&source, &path) {
                problems.extend(found);
            }
        }
        let mut ids = HashSet::new();
        for (index, subscription) in document.subscription.into_iter().enumerate() {
            let path = format!("subscription[{index}].");
            // Whether a source is missing or broken is said once, at the source.
            if let Err(found) = router.put(&subscription, &path, problems.is_empty()) {
                problems.extend(found);
            }
            if !ids.insert(subscription.id.clone()) {
                let message = format!("there is another subscription {:?}", subscription.id);
                problems.push(Problem::new(format!("{path}id"), message));
            }
        }
        if problems.is_empty() { Ok(router) } else { Err(problems) }
    }

    /// Adds or replaces one source without rebuilding the table; on an error the table stays as it was.
    ///
    /// # Errors
    ///
    /// Every problem of the source at once, each with its path within it.
    pub fn put_source(&mut self, source: &[u8]) -> Result<(), Vec<Problem>> {
        self.insert_source(&parse(source)?, "")
    }

    fn insert_source(&mut self, source: &RoutingSource, path: &str) -> Result<(), Vec<Problem>> {
        let verifier = Verifier::try_new(path, &source.verification)?;
        let names = verifier.name(self.filters.open().0);
        // The new names come first, so that places which both versions read stay in the table.
        if let Some(old) = self.sources.insert(source.name.clone(), Source { verifier, names }) {
            old.names.forget(self.filters.open().0);
        }
        Ok(())
    }

    /// Removes one source; an unknown name is no error. Events that it accepted before can still be explained.
    ///
    /// # Errors
    ///
    /// A problem for each subscription that names it: a subscription never names a source that there is not.
    pub fn delete_source(&mut self, name: &str) -> Result<(), Vec<Problem>> {
        let problems: Vec<Problem> = self.filters.listening_to(name).map(|id| named_by(name, id)).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        if let Some(source) = self.sources.remove(name) {
            source.names.forget(self.filters.open().0);
        }
        Ok(())
    }

    /// Adds or replaces one subscription without rebuilding the table; on an error the table stays as it was.
    ///
    /// # Errors
    ///
    /// Every problem of the subscription at once, each with its path within it.
    pub fn put_subscription(&mut self, subscription: &[u8]) -> Result<(), Vec<Problem>> {
        self.put(&parse(subscription)?, "", true)
    }

    fn put(
        &mut self,
        subscription: &RoutingSubscription,
        path: &str,
        sources_are_known: bool,
    ) -> Result<(), Vec<Problem>> {
        if sources_are_known {
            let unknown = |name: &String| !self.sources.contains_key(name);
            let problems: Vec<Problem> = subscription
                .sources
                .iter()
                .enumerate()
                .filter(|(_, name)| unknown(name))
                .map(|(index, name)| {
                    Problem::new(format!("{path}sources[{index}]"), format!("there is no source {name:?}"))
                })
                .collect();
            if !problems.is_empty() {
                return Err(problems);
            }
        }
        self.filters
            .put(&subscription.id, &subscription.sources, subscription.filter.as_deref())
            .map_err(|error| filter_problems(error, path))
    }

    /// Removes one subscription; an unknown id is no error.
    pub fn delete_subscription(&mut self, id: &str) {
        self.filters.remove(id);
    }

    /// How each subscription is found, ordered by id: by conditions that are indexed, or by a look at every event.
    pub fn classes(&self) -> impl Iterator<Item = (&str, Class)> {
        self.filters.classes()
    }

    /// The whole decision for one inbound request.
    pub fn decide(&mut self, request: &Request<'_>, keys: &mut dyn Keys) -> Decision {
        let Some(source) = self.sources.get(request.source) else {
            return Decision::Reject(unknown_source());
        };
        let Source { verifier, names } = source;
        // The body is read once, when verification or a filter first looks into it.
        let message = Message::new(ReceivedBody::of_request(request), verifier.json_fields());
        let (table, selection) = self.filters.open();
        let mut body = lazily(table, &message);
        let verified = match verifier.verify_read(request, &message, &Read::new(names, &body)) {
            Verification::Verified(verified) => verified,
            Verification::Answered(answer) => {
                let copies = verifier.to_copy(request, &message, &Read::new(names, &body));
                return match remember_copies(request, copies, keys) {
                    Ok(()) => Decision::Answer(answer),
                    Err(reason) => Decision::Reject(state_unavailable(&reason)),
                };
            }
            Verification::Rejected(rejection) => return Decision::Reject(rejection),
            Verification::Fetch(fetches) => return Decision::Fetch(fetches),
        };
        let split = match split(verifier, request, &message, &Read::new(names, &body)) {
            Ok(split) => split,
            Err(rejection) => return Decision::Reject(rejection),
        };
        if let Some(parts) = split {
            drop(body);
            return batch::decide(&mut self.filters, source, request, *verified, parts, keys);
        }
        let mut event = match admission::event(request, &verified.attributes, verifier.methods()) {
            Ok(event) => event,
            Err(rejection) => return Decision::Reject(rejection),
        };
        match admission::remember(request, &event, &verified, keys) {
            Ok(Remembered::New(id)) => event.id = id,
            Ok(Remembered::Repetition(id)) => {
                let answer = verified.answer;
                return Decision::Duplicate(Duplicate { ids: vec![id], batch: false, answer });
            }
            Err(reason) => return Decision::Reject(state_unavailable(&reason)),
        }
        let input = FilterInput { event: &event, headers: &request.headers, now: request.received };
        let (intents, failures) = selection.select(input, LazyCell::force_mut(&mut body));
        let secret = verified.secret.map(|name| name.label.unwrap_or_else(|| name.index.to_string()));
        Decision::Accept(Acceptance {
            events: vec![AcceptedEvent { event, data: None, intents, failures }],
            repeated: Vec::new(),
            batch: false,
            answer: verified.answer,
            secret,
        })
    }

    /// Who wants an event that comes from no request: one that was published, or that the gateway records itself.
    /// Nothing is verified and no state is read.
    pub fn route(&mut self, event: &Event, headers: &[Header<'_>], data: &[u8], now: UnixMillis) -> Routing {
        let fields = self.sources.get(&event.source).map_or(&[][..], |source| source.verifier.json_fields());
        let message = Message::new(ReceivedBody::of_event(event, headers, data), fields);
        let (table, selection) = self.filters.open();
        let mut body = lazily(table, &message);
        let input = FilterInput { event, headers, now };
        let (intents, failures) = selection.select(input, LazyCell::force_mut(&mut body));
        Routing { intents, failures }
    }

    /// The same decision without effects, with a reason for each scheme, secret and subscription tried.
    pub fn explain(&mut self, request: &Request<'_>, keys: &mut dyn Keys) -> Explanation {
        let Some(source) = self.sources.get(request.source) else {
            return Explanation::rejected(unknown_source());
        };
        let Source { verifier, names } = source;
        let message = Message::new(ReceivedBody::of_request(request), verifier.json_fields());
        let ((outcome, steps), note) = {
            let body = lazily(self.filters.open().0, &message);
            let traced = verifier.trace_read(request, &message, &Read::new(names, &body));
            (traced, message.note(body.error().is_none()))
        };
        let mut steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        steps.extend(note.map(|note| format!("body: {note}")));
        let scheme = verifier.scheme();
        let verified = match outcome {
            Verification::Verified(verified) => verified,
            Verification::Answered(answer) => {
                let reason = format!("the request is a handshake and is answered {}", told(&answer));
                return Explanation::without_event(VerificationOutcome::Answered, scheme, reason, steps);
            }
            Verification::Rejected(rejection) => {
                return Explanation::without_event(
                    VerificationOutcome::Rejected,
                    scheme,
                    rejection.reason,
                    steps,
                );
            }
            Verification::Fetch(fetches) => {
                let urls: Vec<&str> = fetches.iter().map(|fetch| fetch.url.as_str()).collect();
                let reason = format!("it needs {} first", urls.join(", "));
                return Explanation::without_event(VerificationOutcome::Pending, scheme, reason, steps);
            }
        };
        let refused =
            |reason, steps| Explanation::without_event(VerificationOutcome::Rejected, scheme, reason, steps);
        let verification = |steps| VerificationReport {
            outcome: VerificationOutcome::Verified,
            scheme: scheme.to_owned(),
            reason: match &verified.secret {
                Some(secret) => format!("{secret} matches"),
                None => "the scheme asks for no secret".to_owned(),
            },
            steps,
        };
        let answer = match &verified.answer {
            Some(answer) => format!("answer: {}", told(answer)),
            None => "answer: 202 with a receipt, 200 to a repetition".to_owned(),
        };
        let split = {
            let body = lazily(self.filters.open().0, &message);
            split(verifier, request, &message, &Read::new(names, &body))
        };
        match split {
            Ok(None) => {}
            Ok(Some(parts)) => {
                return match batch::explain(&mut self.filters, source, request, &verified, parts, keys) {
                    Ok((parts, said)) => {
                        steps.extend(said);
                        steps.push(answer);
                        let verification = verification(steps);
                        let subscriptions = Vec::new();
                        Explanation { verification, parts, event: None, duplicate: false, subscriptions }
                    }
                    Err(rejection) => refused(rejection.reason, steps),
                };
            }
            Err(rejection) => return refused(rejection.reason, steps),
        }
        if let Some(at) = verifier.split() {
            steps.push(format!("split: there is no array at `json:{at}`, so it is one event"));
        }
        let mut event = match admission::event(request, &verified.attributes, verifier.methods()) {
            Ok(event) => event,
            Err(rejection) => return refused(rejection.reason, steps),
        };
        let mut unwritten = ReadOnlyKeys(keys);
        let duplicate = match admission::remember(request, &event, &verified, &mut unwritten) {
            Ok(Remembered::Repetition(id)) => {
                event.id = id;
                true
            }
            Ok(Remembered::New(id)) => {
                event.id = id;
                false
            }
            Err(_) => false,
        };
        steps.push(format!("id: {}", verified.identity));
        steps.push(answer);
        let input = FilterInput { event: &event, headers: &request.headers, now: request.received };
        let subscriptions = self.filters.explain(input, message.json(), None);
        let (verification, parts) = (verification(steps), Vec::new());
        Explanation { verification, parts, event: Some(event), duplicate, subscriptions }
    }

    /// What each subscription says of an event that was accepted before; `only` names one, `None` means all.
    pub fn explain_event(
        &mut self,
        event: &Event,
        headers: &[Header<'_>],
        data: &[u8],
        now: UnixMillis,
        only: Option<&str>,
    ) -> Vec<Verdict> {
        let fields = self.sources.get(&event.source).map_or(&[][..], |source| source.verifier.json_fields());
        let message = Message::new(ReceivedBody::of_event(event, headers, data), fields);
        self.filters.explain(FilterInput { event, headers, now }, message.json(), only)
    }
}

/// The problem of a source that is to go while a subscription names it.
#[must_use]
pub fn named_by(source: &str, subscription: &str) -> Problem {
    Problem::new("", format!("the source {source:?} is named by the subscription {subscription:?}"))
}

/// A body that is read when it is first looked into.
fn lazily<'t, 'b>(
    table: &'t mut Table,
    message: &'b Message<'_>,
) -> LazyCell<Reading<'t, 'b>, impl FnOnce() -> Reading<'t, 'b>> {
    LazyCell::new(move || table.read(Some(message.json())))
}

/// The parts of a verified request with their media type, where the source takes it apart and it has the array for that. A body
/// without it is one event: nothing is lost.
fn split(
    verifier: &Verifier,
    request: &Request<'_>,
    message: &Message<'_>,
    json: &dyn Json,
) -> Result<Option<batch::Parts>, Rejection> {
    let Some(at) = verifier.split() else { return Ok(None) };
    batch::split(at, verifier.methods(), request, message, json)
}

/// Checks a filter without a table.
///
/// # Errors
///
/// Every problem of the expression, at the path `filter`.
pub fn check_filter(filter: &str) -> Result<(), Vec<Problem>> {
    Filters::default().put("", &[], Some(filter)).map_err(|error| filter_problems(error, ""))
}

/// What a subscription that is in no table says of an event.
///
/// # Errors
///
/// Every problem of its filter, at the path `filter`.
pub fn explain_once(
    subscription: &RoutingSubscription,
    event: &Event,
    headers: &[Header<'_>],
    data: &[u8],
    now: UnixMillis,
) -> Result<Verdict, Vec<Problem>> {
    let mut filters = Filters::default();
    filters
        .put(&subscription.id, &subscription.sources, subscription.filter.as_deref())
        .map_err(|error| filter_problems(error, ""))?;
    let message = Message::new(ReceivedBody::of_event(event, headers, data), &[]);
    let verdicts = filters.explain(FilterInput { event, headers, now }, message.json(), None);
    verdicts.into_iter().next().ok_or_else(|| vec![Problem::new("", "it cannot be explained")])
}

impl Explanation {
    /// A request that was refused before it came to verification.
    #[must_use]
    pub fn rejected(rejection: Rejection) -> Self {
        Self::without_event(VerificationOutcome::Rejected, "", rejection.reason, Vec::new())
    }

    fn without_event(outcome: VerificationOutcome, scheme: &str, reason: String, steps: Vec<String>) -> Self {
        let verification = VerificationReport { outcome, scheme: scheme.to_owned(), reason, steps };
        let (parts, subscriptions) = (Vec::new(), Vec::new());
        Self { verification, parts, event: None, duplicate: false, subscriptions }
    }
}

/// The problems of an expression, with its place in the document.
fn filter_problems(error: CompileError, path: &str) -> Vec<Problem> {
    error
        .problems
        .into_iter()
        .map(|problem| Problem {
            line: u32::try_from(problem.line).ok(),
            column: u32::try_from(problem.column).ok(),
            ..Problem::new(format!("{path}filter"), problem.message)
        })
        .collect()
}

/// How many different values of one name are kept.
const MOST_COPIES: usize = 10;

/// Keeps what an operator must copy from a handshake, for the shell to show.
fn remember_copies(
    request: &Request<'_>,
    copies: Vec<(String, String)>,
    keys: &mut dyn Keys,
) -> Result<(), String> {
    for (name, text) in copies {
        let key = key("copy", request.source, &name);
        let known = keys.get(&key)?.unwrap_or_default();
        let known = String::from_utf8_lossy(&known).into_owned();
        let mut lines: Vec<&str> = known.lines().collect();
        // The same value again is nothing to be shown again.
        if lines.iter().any(|line| line.split_once(' ').is_some_and(|(_, known)| known == text)) {
            continue;
        }
        // Anybody can send one: the first is the provider's as a rule, and is never pushed out by later ones.
        if lines.len() >= MOST_COPIES {
            lines.remove(1);
        }
        let line = format!("{} {text}", request.received.0);
        lines.push(&line);
        keys.set(&key, lines.join("\n").as_bytes())?;
    }
    Ok(())
}

/// An answer as an operator reads it.
fn told(answer: &Answer) -> String {
    /// More than the longest challenge.
    const MOST: usize = 300;
    let body = String::from_utf8_lossy(&answer.body);
    if body.is_empty() {
        return format!("{} without a body", answer.status);
    }
    let shown: String = body.chars().take(MOST).collect();
    let more = if shown.len() < body.len() { "…" } else { "" };
    format!("{} with {} `{shown}{more}`", answer.status, answer.content_type)
}

/// State that can be read and forgets what is written to it.
struct ReadOnlyKeys<'a>(&'a mut dyn Keys);

impl Keys for ReadOnlyKeys<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.get(key)
    }

    fn set(&mut self, _key: &str, _value: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(document: &[u8]) -> Result<T, Vec<Problem>> {
    serde_json::from_slice(document).map_err(|error| {
        let mut problem = Problem::new("", format!("not a configuration document: {error}"));
        problem.line = u32::try_from(error.line()).ok();
        problem.column = u32::try_from(error.column()).ok();
        vec![problem]
    })
}

fn unknown_source() -> Rejection {
    Rejection {
        status: 404,
        code: RejectionCode::UnknownSource,
        reason: "there is no such source".to_owned(),
    }
}

fn state_unavailable(reason: &str) -> Rejection {
    Rejection {
        status: 503,
        code: RejectionCode::StateUnavailable,
        reason: format!("the state cannot be used: {reason}"),
    }
}
