//! From the contract's records to the core's types.

use crate::binding::types::{self, VerdictOutcome};
use anglerfish_core::decision::{
    Acceptance, AcceptedEvent, Answer, Decision, DocumentDecision, DocumentRejection, Duplicate, Fetch,
    FilterFailure, Intent, Rejection, RejectionCode,
};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::Action;
use anglerfish_core::router::Telling;

pub(crate) fn decision(decision: types::Decision) -> Decision {
    match decision {
        types::Decision::Reject(types::Rejection { status, code: word, reason }) => {
            Decision::Reject(Rejection { status, code: code(word), reason })
        }
        types::Decision::Answer(given) => Decision::Answer(answer(given)),
        types::Decision::Duplicate(duplicate) => {
            let types::Duplicate { ids, batch, answer: given } = duplicate;
            Decision::Duplicate(Duplicate { ids, batch, answer: given.map(answer) })
        }
        types::Decision::Accept(acceptance) => Decision::Accept(Acceptance {
            events: acceptance.events.into_iter().map(accepted_event).collect(),
            repeated: acceptance.repeated,
            batch: acceptance.batch,
            answer: acceptance.answer.map(answer),
            secret: acceptance.secret,
        }),
        types::Decision::Fetch(fetches) => Decision::Fetch(
            fetches
                .into_iter()
                .map(|types::Fetch { url, post, cache_seconds }| Fetch { url, post, cache_seconds })
                .collect(),
        ),
        types::Decision::Other(name) => Decision::Other(name),
    }
}

pub(crate) fn document_decision(decision: types::DocumentDecision) -> DocumentDecision {
    match decision {
        types::DocumentDecision::Reject(types::DocumentRejection { status, title, detail }) => {
            DocumentDecision::Reject(DocumentRejection { status, title, detail })
        }
        types::DocumentDecision::Ignore => DocumentDecision::Ignore,
        types::DocumentDecision::Accept(accepted) => {
            DocumentDecision::Accept(Box::new(accepted_event(accepted)))
        }
        types::DocumentDecision::Other(name) => DocumentDecision::Other(name),
    }
}

/// What is told of a document; its action was read before.
pub(crate) fn telling(action: Action, telling: types::Telling) -> Telling {
    let types::Telling { id, document, updated, incarnation, values, .. } = telling;
    Telling { id, action, document, updated: UnixMillis(updated), incarnation, values }
}

fn accepted_event(accepted: types::AcceptedEvent) -> AcceptedEvent {
    AcceptedEvent {
        event: event(accepted.event),
        data: accepted.data,
        intents: accepted.intents.into_iter().map(intent).collect(),
        failures: accepted.failures.into_iter().map(failure).collect(),
    }
}

/// The events of these ids, as the explanation of their repetition has them. An event keeps the id that is remembered: it may be
/// that of the first request, and the next repetition asks for it.
pub(crate) fn explained(explanation: types::Explanation, batch: bool, ids: &[String]) -> Vec<AcceptedEvent> {
    if let (false, [id], Some(event)) = (batch, ids, explanation.event) {
        return vec![again(event, None, explanation.subscriptions, id.clone())];
    }
    let mut missing: Vec<&String> = ids.iter().collect();
    let mut found = Vec::new();
    for types::ExplainedPart { event, data, subscriptions, .. } in explanation.parts {
        if let Some(index) = missing.iter().position(|id| **id == event.id) {
            let id = missing.swap_remove(index).clone();
            found.push(again(event, Some(data), subscriptions, id));
        }
    }
    found
}

fn again(
    of: types::Event,
    data: Option<Vec<u8>>,
    verdicts: Vec<types::Verdict>,
    id: String,
) -> AcceptedEvent {
    let (mut intents, mut failures) = (Vec::new(), Vec::new());
    for types::Verdict { subscription, outcome, reason } in verdicts {
        match outcome {
            VerdictOutcome::Match => intents.push(Intent { subscription, ..Intent::default() }),
            VerdictOutcome::Error => failures.push(FilterFailure { subscription, reason }),
            VerdictOutcome::NoMatch => {}
        }
    }
    AcceptedEvent { event: Event { id, ..event(of) }, data, intents, failures }
}

fn code(code: types::RejectionCode) -> RejectionCode {
    match code {
        types::RejectionCode::UnknownSource => RejectionCode::UnknownSource,
        types::RejectionCode::VerificationFailed => RejectionCode::VerificationFailed,
        types::RejectionCode::InvalidRequest => RejectionCode::InvalidRequest,
        types::RejectionCode::MethodNotAllowed(methods) => RejectionCode::MethodNotAllowed(methods),
        types::RejectionCode::ProviderUnavailable => RejectionCode::ProviderUnavailable,
        types::RejectionCode::StateUnavailable => RejectionCode::StateUnavailable,
        types::RejectionCode::Other(word) => RejectionCode::Other(word),
    }
}

fn answer(answer: types::Answer) -> Answer {
    Answer {
        status: answer.status,
        content_type: answer.content_type,
        headers: answer.headers,
        body: answer.body,
    }
}

fn intent(intent: types::Intent) -> Intent {
    Intent { subscription: intent.subscription, ordering_key: intent.ordering_key, body: intent.body }
}

fn failure(failure: types::FilterFailure) -> FilterFailure {
    FilterFailure { subscription: failure.subscription, reason: failure.reason }
}

fn event(event: types::Event) -> Event {
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

/// An event as the contract has it.
pub(crate) fn event_out(event: &Event) -> types::Event {
    types::Event {
        id: event.id.clone(),
        source: event.source.clone(),
        kind: event.kind.clone(),
        subject: event.subject.clone(),
        time: event.time.0,
        datacontenttype: event.datacontenttype.clone(),
        extensions: event.extensions.clone().into_iter().collect(),
    }
}

/// The core's problem, for those who read the log.
pub(crate) fn problem(problem: types::Problem) -> anglerfish_core::problem::Problem {
    anglerfish_core::problem::Problem {
        path: problem.path,
        message: problem.message,
        line: problem.line,
        column: problem.column,
        hint: problem.hint,
    }
}
