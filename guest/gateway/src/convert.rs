//! Between the contract's records and the core's types.

use crate::bindings::exports::anglerfish::gateway::types as wit;
use anglerfish_core::decision::{Answer, Decision, Fetch};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::{Fetched, Header, Request, UnixMillis};
use anglerfish_core::router::{Explanation, Verdict, VerdictOutcome, VerificationOutcome};

pub(crate) fn request(request: &wit::Request) -> Request<'_> {
    Request {
        id: &request.id,
        source: &request.source,
        method: &request.method,
        url: &request.url,
        headers: request.headers.iter().map(header).collect(),
        body: &request.body,
        received: instant(request.received),
        fetched: request
            .fetched
            .iter()
            .map(|fetched| Fetched { url: &fetched.url, status: fetched.status, body: &fetched.body })
            .collect(),
    }
}

pub(crate) fn header(header: &wit::Header) -> Header<'_> {
    Header { name: &header.name, value: &header.value }
}

pub(crate) const fn instant(millis: wit::UnixMillis) -> UnixMillis {
    UnixMillis(millis)
}

pub(crate) fn decision(decision: Decision) -> wit::Decision {
    match decision {
        Decision::Reject(rejection) => wit::Decision::Reject(wit::Rejection {
            status: rejection.status,
            code: rejection.code.to_owned(),
            reason: rejection.reason,
        }),
        Decision::Answer(given) => wit::Decision::Answer(answer(given)),
        Decision::Duplicate(duplicate) => wit::Decision::Duplicate(wit::Duplicate {
            id: duplicate.id,
            answer: duplicate.answer.map(answer),
        }),
        Decision::Accept(acceptance) => wit::Decision::Accept(wit::Acceptance {
            event: event_out(acceptance.event),
            intents: acceptance
                .intents
                .into_iter()
                .map(|intent| wit::Intent { subscription: intent.subscription })
                .collect(),
            failures: acceptance
                .failures
                .into_iter()
                .map(|failure| wit::FilterFailure {
                    subscription: failure.subscription,
                    reason: failure.reason,
                })
                .collect(),
            answer: acceptance.answer.map(answer),
        }),
        Decision::Fetch(fetches) => wit::Decision::Fetch(fetches.into_iter().map(fetch).collect()),
    }
}

fn answer(answer: Answer) -> wit::Answer {
    wit::Answer {
        status: answer.status,
        content_type: answer.content_type,
        headers: answer.headers,
        body: answer.body,
    }
}

fn fetch(fetch: Fetch) -> wit::Fetch {
    wit::Fetch { url: fetch.url, post: fetch.post, cache_seconds: fetch.cache_seconds }
}

fn event_out(event: Event) -> wit::Event {
    wit::Event {
        id: event.id,
        source: event.source,
        kind: event.kind,
        subject: event.subject,
        time: event.time.0,
        datacontenttype: event.datacontenttype,
    }
}

pub(crate) fn event_in(event: wit::Event) -> Event {
    Event {
        id: event.id,
        source: event.source,
        kind: event.kind,
        subject: event.subject,
        time: UnixMillis(event.time),
        datacontenttype: event.datacontenttype,
    }
}

pub(crate) fn explanation(explanation: Explanation) -> wit::Explanation {
    let verification = explanation.verification;
    wit::Explanation {
        verification: wit::Verification {
            outcome: match verification.outcome {
                VerificationOutcome::Verified => wit::VerificationOutcome::Verified,
                VerificationOutcome::Rejected => wit::VerificationOutcome::Rejected,
                VerificationOutcome::Answered => wit::VerificationOutcome::Answered,
                VerificationOutcome::Pending => wit::VerificationOutcome::Pending,
            },
            scheme: verification.scheme,
            reason: verification.reason,
            steps: verification.steps,
        },
        event: explanation.event.map(event_out),
        duplicate: explanation.duplicate,
        subscriptions: explanation.subscriptions.into_iter().map(verdict).collect(),
    }
}

pub(crate) fn verdict(verdict: Verdict) -> wit::Verdict {
    wit::Verdict {
        subscription: verdict.subscription,
        outcome: match verdict.outcome {
            VerdictOutcome::Match => wit::VerdictOutcome::Match,
            VerdictOutcome::NoMatch => wit::VerdictOutcome::NoMatch,
            VerdictOutcome::Error => wit::VerdictOutcome::Error,
        },
        reason: verdict.reason,
    }
}

pub(crate) fn problems(problems: Vec<Problem>) -> Vec<wit::Problem> {
    problems
        .into_iter()
        .map(|problem| wit::Problem {
            path: problem.path,
            message: problem.message,
            line: problem.line,
            column: problem.column,
            hint: problem.hint,
        })
        .collect()
}
