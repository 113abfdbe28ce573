//! Explains: the same decision without effects, with its reasons.

use super::admission::{self, Remembered};
use super::batch;
use super::decide::{lazily, split, state_unavailable, unknown_source};
use super::document::RoutingSubscription;
use super::explanation::{Explanation, Verdict, VerdictOutcome, VerificationOutcome, VerificationReport};
use super::filters::{FilterInput, Filters, filter_problems};
use super::table::{Router, Source};
use crate::decision::Answer;
use crate::event::Event;
use crate::message::{Message, ReceivedBody};
use crate::problem::Problem;
use crate::request::{Header, Request, UnixMillis};
use crate::state::Keys;
use crate::verify::{Read, Verification};

impl Router {
    /// The same decision without effects, with a reason for each scheme, secret and subscription tried.
    pub fn explain(&mut self, request: &Request<'_>, keys: &mut dyn Keys) -> Explanation {
        if let Err(problems) = self.load_all() {
            return Explanation::rejected(state_unavailable(&told_of(&problems)));
        }
        let Some(source) = self.sources.get(request.source) else {
            return Explanation::rejected(unknown_source(request.source));
        };
        let Source { verifier, names } = source;
        let message = Message::new(ReceivedBody::of_request(request), verifier.json_fields());
        let ((outcome, steps), note, copies) = {
            let body = lazily(self.filters.open().0, &message);
            let read = Read::new(names, &body);
            let traced = verifier.trace_read(request, &message, &read);
            let copies = match &traced.0 {
                Verification::Answered(_) => verifier.to_copy(request, &message, &read),
                _ => Vec::new(),
            };
            (traced, message.note(body.error().is_none(), request.is_query()), copies)
        };
        let mut steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        let about = if request.is_query() { "query" } else { "body" };
        // What comes with a handshake is no filter's to read.
        let note = note.filter(|_| !matches!(outcome, Verification::Answered(_)));
        steps.extend(note.map(|note| format!("{about}: {note}")));
        steps.extend(copies.iter().map(|(name, value)| {
            format!("to copy: {name} = {value}, which an operator must put into the provider's page or the configuration")
        }));
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
        if let Err(problems) = self.load_all() {
            let (outcome, reason) = (VerdictOutcome::Error, told_of(&problems));
            return vec![Verdict { subscription: only.unwrap_or_default().to_owned(), outcome, reason }];
        }
        let fields = self.sources.get(&event.source).map_or(&[][..], |source| source.verifier.json_fields());
        let message = Message::new(ReceivedBody::of_event(event, headers, data), fields);
        self.filters.explain(FilterInput { event, headers, now }, message.json(), only)
    }
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

fn told_of(problems: &[Problem]) -> String {
    problems.first().map(|problem| problem.message.clone()).unwrap_or_default()
}

/// An answer as an operator reads it.
fn told(answer: &Answer) -> String {
    /// More than the longest challenge.
    const MOST: usize = 300;
    let short = |text: &str| {
        let shown: String = text.chars().take(MOST).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        format!("{shown}{more}")
    };
    let body = String::from_utf8_lossy(&answer.body);
    let body = match body.is_empty() {
        true => "without a body".to_owned(),
        false => format!("with {} `{}`", answer.content_type, short(&body)),
    };
    let fields: Vec<String> =
        answer.headers.iter().map(|(name, value)| format!("`{name}: {}`", short(value))).collect();
    match fields.as_slice() {
        [] => format!("{} {body}", answer.status),
        [only] => format!("{} {body} and the header field {only}", answer.status),
        several => format!("{} {body} and the header fields {}", answer.status, several.join(", ")),
    }
}

/// State that can be read and forgets what is written to it.
pub(super) struct ReadOnlyKeys<'a>(pub(super) &'a mut dyn Keys);

impl Keys for ReadOnlyKeys<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.get(key)
    }

    fn set(&mut self, _key: &str, _value: &[u8]) -> Result<(), String> {
        Ok(())
    }
}
