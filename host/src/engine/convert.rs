//! Between the contract's records and the core's types.

use super::bindings::exports::anglerfish::gateway::types as wit;
use super::document::DocumentRequest;
use super::request::{FetchedDocument, InboundRequest};
use anglerfish_core::decision::{
    Acceptance, AcceptedEvent, Answer, Decision, DocumentDecision, DocumentRejection, Duplicate, Fetch,
    FilterFailure, Intent, Rejection, RejectionCode, Routing,
};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::{self, Header, UnixMillis};
use anglerfish_core::resource::Action;
use anglerfish_core::router::{
    Announcement, ExplainedPart, Explanation, Notice, Telling, Verdict, VerdictOutcome, VerificationOutcome,
    VerificationReport,
};
use http::HeaderMap;

pub(super) fn header_block(headers: &HeaderMap) -> Vec<u8> {
    let fields = headers.iter().map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() });
    request::header_block(fields)
}

pub(super) fn headers(headers: &[(String, String)]) -> Vec<wit::Header<'_>> {
    headers.iter().map(|(name, value)| wit::Header { name, value: value.as_bytes() }).collect()
}

pub(super) fn fetched(documents: &[FetchedDocument]) -> Vec<wit::Fetched<'_>> {
    documents
        .iter()
        .map(|document| wit::Fetched { url: &document.url, status: document.status, body: &document.body })
        .collect()
}

pub(super) fn request<'a>(
    request: &'a InboundRequest,
    headers: &'a [u8],
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
        added_prefix: &request.added_prefix,
        fetched,
    }
}

pub(super) fn extensions(event: &Event) -> Vec<(&str, &str)> {
    event.extensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

pub(super) fn event_param<'a>(event: &'a Event, extensions: &'a [(&'a str, &'a str)]) -> wit::EventParam<'a> {
    wit::EventParam {
        id: &event.id,
        source: &event.source,
        kind: &event.kind,
        subject: event.subject.as_deref(),
        time: event.time.0,
        datacontenttype: event.datacontenttype.as_deref(),
        extensions,
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
        extensions: event.extensions.into_iter().collect(),
    }
}

pub(super) fn decision(decision: wit::Decision) -> Decision {
    match decision {
        wit::Decision::Reject(rejection) => Decision::Reject(Rejection {
            status: rejection.status,
            code: code(rejection.code),
            reason: rejection.reason,
        }),
        wit::Decision::Answer(given) => Decision::Answer(answer(given)),
        wit::Decision::Duplicate(duplicate) => {
            let wit::Duplicate { ids, batch, answer: given } = duplicate;
            Decision::Duplicate(Duplicate { ids, batch, answer: given.map(answer) })
        }
        wit::Decision::Accept(acceptance) => Decision::Accept(Acceptance {
            events: acceptance.events.into_iter().map(accepted_event).collect(),
            repeated: acceptance.repeated,
            batch: acceptance.batch,
            answer: acceptance.answer.map(answer),
            secret: acceptance.secret,
        }),
        wit::Decision::Fetch(fetches) => Decision::Fetch(
            fetches
                .into_iter()
                .map(|fetch| Fetch { url: fetch.url, post: fetch.post, cache_seconds: fetch.cache_seconds })
                .collect(),
        ),
        wit::Decision::Other(name) => Decision::Other(name),
    }
}

fn accepted_event(accepted: wit::AcceptedEvent) -> AcceptedEvent {
    AcceptedEvent {
        event: event(accepted.event),
        data: accepted.data,
        intents: intents(accepted.intents),
        failures: failures(accepted.failures),
    }
}

pub(super) fn document_change(request: &DocumentRequest) -> wit::DocumentChange<'_> {
    wit::DocumentChange {
        id: &request.id,
        url: &request.url,
        body: request.body.as_deref(),
        received: request.received.0,
    }
}

pub(super) fn announcement(why: Announcement) -> wit::Announcement {
    match why {
        Announcement::Missed => wit::Announcement::Missed,
        Announcement::Lost => wit::Announcement::Lost,
        Announcement::Refiltered => wit::Announcement::Refiltered,
    }
}

pub(super) fn document_decision(decision: wit::DocumentDecision) -> DocumentDecision {
    match decision {
        wit::DocumentDecision::Reject(rejection) => DocumentDecision::Reject(DocumentRejection {
            status: rejection.status,
            title: rejection.title,
            detail: rejection.detail,
        }),
        wit::DocumentDecision::Ignore => DocumentDecision::Ignore,
        wit::DocumentDecision::Accept(accepted) => {
            DocumentDecision::Accept(Box::new(accepted_event(accepted)))
        }
        wit::DocumentDecision::Other(name) => DocumentDecision::Other(name),
    }
}

/// An action that this version does not know is told to nobody.
pub(super) fn notice(notice: wit::Notice) -> Notice {
    let telling = notice.telling.and_then(|telling| {
        Some(Telling {
            id: telling.id,
            action: Action::of(&telling.action)?,
            document: telling.document,
            updated: UnixMillis(telling.updated),
            incarnation: telling.incarnation,
            values: telling.values,
        })
    });
    Notice { telling, reason: notice.reason, receipt: notice.receipt }
}

pub(super) fn routing(routing: wit::Routing) -> Routing {
    Routing { intents: intents(routing.intents), failures: failures(routing.failures) }
}

fn intents(intents: Vec<wit::Intent>) -> Vec<Intent> {
    intents
        .into_iter()
        .map(|intent| Intent {
            subscription: intent.subscription,
            ordering_key: intent.ordering_key,
            body: intent.body,
        })
        .collect()
}

fn failures(failures: Vec<wit::FilterFailure>) -> Vec<FilterFailure> {
    failures
        .into_iter()
        .map(|failure| FilterFailure { subscription: failure.subscription, reason: failure.reason })
        .collect()
}

fn code(code: wit::RejectionCode) -> RejectionCode {
    match code {
        wit::RejectionCode::UnknownSource => RejectionCode::UnknownSource,
        wit::RejectionCode::VerificationFailed => RejectionCode::VerificationFailed,
        wit::RejectionCode::InvalidRequest => RejectionCode::InvalidRequest,
        wit::RejectionCode::MethodNotAllowed(methods) => RejectionCode::MethodNotAllowed(methods),
        wit::RejectionCode::ProviderUnavailable => RejectionCode::ProviderUnavailable,
        wit::RejectionCode::StateUnavailable => RejectionCode::StateUnavailable,
        wit::RejectionCode::Other(word) => RejectionCode::Other(word),
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
        parts: explanation.parts.into_iter().map(explained_part).collect(),
        event: explanation.event.map(event),
        duplicate: explanation.duplicate,
        subscriptions: explanation.subscriptions.into_iter().map(verdict).collect(),
    }
}

fn explained_part(part: wit::ExplainedPart) -> ExplainedPart {
    ExplainedPart {
        event: event(part.event),
        data: part.data,
        duplicate: part.duplicate,
        subscriptions: part.subscriptions.into_iter().map(verdict).collect(),
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
