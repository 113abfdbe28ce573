//! Between the contract's records and the core's types.

use super::bindings::exports::anglerfish::gateway::types as wit;
use super::request::{FetchedDocument, InboundRequest};
use anglerfish_core::decision::{
    Acceptance, Answer, Decision, Duplicate, Fetch, FilterFailure, Intent, Rejection,
};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{
    Explanation, Verdict, VerdictOutcome, VerificationOutcome, VerificationReport,
};
use http::HeaderMap;

pub(super) fn headers(headers: &HeaderMap) -> Vec<wit::Header<'_>> {
    headers.iter().map(|(name, value)| wit::Header { name: name.as_str(), value: value.as_bytes() }).collect()
}

pub(super) fn fetched(documents: &[FetchedDocument]) -> Vec<wit::Fetched<'_>> {
    documents
        .iter()
        .map(|document| wit::Fetched { url: &document.url, status: document.status, body: &document.body })
        .collect()
}

pub(super) fn request<'a>(
    request: &'a InboundRequest,
    headers: &'a [wit::Header<'a>],
    fetched: &'a [wit::Fetched<'a>],
) -> wit::Request<'a> {
    wit::Request {
        id: &request.id,
        source: &request.source,
        method: request.method.as_str(),
        url: &request.url,
        headers,
        body: &request.body,
        received: request.received.0,
        fetched,
    }
}

pub(super) fn event_param(event: &Event) -> wit::EventParam<'_> {
    wit::EventParam {
        id: &event.id,
        source: &event.source,
        kind: &event.kind,
        subject: event.subject.as_deref(),
        time: event.time.0,
        datacontenttype: event.datacontenttype.as_deref(),
    }
}

fn event(event: wit::EventResult) -> Event {
    Event {
        id: event.id,
        source: event.source,
        kind: event.kind,
        subject: event.subject,
        time: UnixMillis(event.time),
        datacontenttype: event.datacontenttype,
    }
}

pub(super) fn decision(decision: wit::Decision) -> Decision {
    match decision {
        wit::Decision::Reject(rejection) => Decision::Reject(Rejection {
            status: rejection.status,
            code: code(&rejection.code),
            reason: rejection.reason,
        }),
        wit::Decision::Answer(given) => Decision::Answer(answer(given)),
        wit::Decision::Duplicate(duplicate) => {
            Decision::Duplicate(Duplicate { id: duplicate.id, answer: duplicate.answer.map(answer) })
        }
        wit::Decision::Accept(acceptance) => Decision::Accept(Acceptance {
            event: event(acceptance.event),
            intents: acceptance
                .intents
                .into_iter()
                .map(|intent| Intent { subscription: intent.subscription })
                .collect(),
            failures: acceptance
                .failures
                .into_iter()
                .map(|failure| FilterFailure { subscription: failure.subscription, reason: failure.reason })
                .collect(),
            answer: acceptance.answer.map(answer),
        }),
        wit::Decision::Fetch(fetches) => Decision::Fetch(
            fetches
                .into_iter()
                .map(|fetch| Fetch { url: fetch.url, post: fetch.post, cache_seconds: fetch.cache_seconds })
                .collect(),
        ),
        wit::Decision::Other(name) => Decision::Reject(Rejection {
            status: 500,
            code: "unknown-decision",
            reason: format!("the component decided {name:?}, which this version does not know"),
        }),
    }
}

/// The words that the contract names; anything else is a component's own.
fn code(code: &str) -> &'static str {
    match code {
        "unknown-source" => "unknown-source",
        "verification-failed" => "verification-failed",
        "invalid-request" => "invalid-request",
        "method-not-allowed" => "method-not-allowed",
        "provider-unavailable" => "provider-unavailable",
        "state-unavailable" => "state-unavailable",
        _ => "rejected",
    }
}

fn answer(answer: wit::Answer) -> Answer {
    Answer {
        status: answer.status,
        content_type: answer.content_type,
        headers: answer.headers,
        body: answer.body,
    }
}

pub(super) fn explanation(explanation: wit::Explanation) -> Explanation {
    let verification = explanation.verification;
    Explanation {
        verification: VerificationReport {
            outcome: match verification.outcome {
                wit::VerificationOutcome::Verified => VerificationOutcome::Verified,
                wit::VerificationOutcome::Rejected => VerificationOutcome::Rejected,
                wit::VerificationOutcome::Answered => VerificationOutcome::Answered,
                wit::VerificationOutcome::Pending => VerificationOutcome::Pending,
            },
            scheme: verification.scheme,
            reason: verification.reason,
            steps: verification.steps,
        },
        event: explanation.event.map(event),
        duplicate: explanation.duplicate,
        subscriptions: explanation.subscriptions.into_iter().map(verdict).collect(),
    }
}

pub(super) fn verdict(verdict: wit::Verdict) -> Verdict {
    Verdict {
        subscription: verdict.subscription,
        outcome: match verdict.outcome {
            wit::VerdictOutcome::Match => VerdictOutcome::Match,
            wit::VerdictOutcome::NoMatch => VerdictOutcome::NoMatch,
            wit::VerdictOutcome::Error => VerdictOutcome::Error,
        },
        reason: verdict.reason,
    }
}

pub(super) fn problems(problems: Vec<wit::Problem>) -> Vec<Problem> {
    problems
        .into_iter()
        .map(|problem| Problem {
            path: problem.path,
            message: problem.message,
            line: problem.line,
            column: problem.column,
            hint: problem.hint,
        })
        .collect()
}
