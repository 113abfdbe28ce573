//! Between the contract's records and the core's types.

use crate::bindings::exports::anglerfish::gateway::types as wit;
use anglerfish_core::decision::{
    AcceptedEvent, Answer, Decision, DocumentDecision, Fetch, FilterFailure, Intent, Rejection,
    RejectionCode, Routing,
};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::{Fetched, Header, Request, UnixMillis, read_header_block};
use anglerfish_core::router::{
    Announcement, DocumentChange, ExplainedPart, Explanation, Notice, Verdict, VerdictOutcome,
    VerificationOutcome,
};

/// `None` if the block of header fields is malformed: that is the shell's fault, and nothing is decided on it.
pub(crate) fn request(request: &wit::Request) -> Option<Request<'_>> {
    Some(Request {
        id: &request.id,
        source: &request.source,
        method: &request.method,
        url: &request.url,
        headers: read_header_block(&request.headers)?,
        body: &request.body,
        received: instant(request.received),
        added_prefix: &request.added_prefix,
        fetched: request
            .fetched
            .iter()
            .map(|fetched| Fetched { url: &fetched.url, status: fetched.status, body: &fetched.body })
            .collect(),
    })
}

/// The refusal of a request that cannot be read.
pub(crate) fn malformed() -> Rejection {
    let reason = "the block of header fields is malformed".to_owned();
    Rejection { status: 400, code: RejectionCode::InvalidRequest, reason }
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
            code: code(rejection.code),
            reason: rejection.reason,
        }),
        Decision::Answer(given) => wit::Decision::Answer(answer(given)),
        Decision::Duplicate(duplicate) => wit::Decision::Duplicate(wit::Duplicate {
            ids: duplicate.ids,
            batch: duplicate.batch,
            answer: duplicate.answer.map(answer),
        }),
        Decision::Accept(acceptance) => wit::Decision::Accept(wit::Acceptance {
            events: acceptance.events.into_iter().map(accepted_event).collect(),
            repeated: acceptance.repeated,
            batch: acceptance.batch,
            answer: acceptance.answer.map(answer),
            secret: acceptance.secret,
        }),
        Decision::Fetch(fetches) => wit::Decision::Fetch(fetches.into_iter().map(fetch).collect()),
        Decision::Other(name) => wit::Decision::Other(name),
    }
}

fn accepted_event(accepted: AcceptedEvent) -> wit::AcceptedEvent {
    wit::AcceptedEvent {
        event: event_out(accepted.event),
        data: accepted.data,
        intents: intents(accepted.intents),
        failures: failures(accepted.failures),
    }
}

pub(crate) fn document_change(change: &wit::DocumentChange) -> DocumentChange<'_> {
    DocumentChange {
        id: &change.id,
        url: &change.url,
        body: change.body.as_deref(),
        received: instant(change.received),
    }
}

pub(crate) fn announcement(why: wit::Announcement) -> Announcement {
    match why {
        wit::Announcement::Missed => Announcement::Missed,
        wit::Announcement::Lost => Announcement::Lost,
        wit::Announcement::Refiltered => Announcement::Refiltered,
    }
}

pub(crate) fn document_decision(decision: DocumentDecision) -> wit::DocumentDecision {
    match decision {
        DocumentDecision::Reject(rejection) => wit::DocumentDecision::Reject(wit::DocumentRejection {
            status: rejection.status,
            title: rejection.title,
            detail: rejection.detail,
        }),
        DocumentDecision::Ignore => wit::DocumentDecision::Ignore,
        DocumentDecision::Accept(accepted) => wit::DocumentDecision::Accept(accepted_event(*accepted)),
        DocumentDecision::Other(name) => wit::DocumentDecision::Other(name),
    }
}

pub(crate) fn notice(notice: Notice) -> wit::Notice {
    let telling = notice.telling.map(|telling| wit::Telling {
        id: telling.id,
        action: telling.action.word().to_owned(),
        document: telling.document,
        updated: telling.updated.0,
        incarnation: telling.incarnation,
        values: telling.values,
    });
    wit::Notice { telling, reason: notice.reason, receipt: notice.receipt }
}

pub(crate) fn routing(routing: Routing) -> wit::Routing {
    wit::Routing { intents: intents(routing.intents), failures: failures(routing.failures) }
}

fn intents(intents: Vec<Intent>) -> Vec<wit::Intent> {
    intents
        .into_iter()
        .map(|intent| wit::Intent {
            subscription: intent.subscription,
            ordering_key: intent.ordering_key,
            body: intent.body,
        })
        .collect()
}

fn failures(failures: Vec<FilterFailure>) -> Vec<wit::FilterFailure> {
    failures
        .into_iter()
        .map(|failure| wit::FilterFailure { subscription: failure.subscription, reason: failure.reason })
        .collect()
}

fn code(code: RejectionCode) -> wit::RejectionCode {
    match code {
        RejectionCode::UnknownSource => wit::RejectionCode::UnknownSource,
        RejectionCode::VerificationFailed => wit::RejectionCode::VerificationFailed,
        RejectionCode::InvalidRequest => wit::RejectionCode::InvalidRequest,
        RejectionCode::MethodNotAllowed(methods) => wit::RejectionCode::MethodNotAllowed(methods),
        RejectionCode::ProviderUnavailable => wit::RejectionCode::ProviderUnavailable,
        RejectionCode::StateUnavailable => wit::RejectionCode::StateUnavailable,
        RejectionCode::Other(word) => wit::RejectionCode::Other(word),
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
        extensions: event.extensions.into_iter().collect(),
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
        extensions: event.extensions.into_iter().collect(),
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
        parts: explanation.parts.into_iter().map(explained_part).collect(),
        event: explanation.event.map(event_out),
        duplicate: explanation.duplicate,
        subscriptions: explanation.subscriptions.into_iter().map(verdict).collect(),
    }
}

fn explained_part(part: ExplainedPart) -> wit::ExplainedPart {
    wit::ExplainedPart {
        event: event_out(part.event),
        data: part.data,
        duplicate: part.duplicate,
        subscriptions: part.subscriptions.into_iter().map(verdict).collect(),
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
