//! What is asked of a request that comes to a callback: a signature, and that the filter wants it.

use super::options::Document;
use crate::engine::InboundRequest;
use crate::ingress::{Credentials, Fetcher};
use crate::source::SourceReader;
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::decision::{Answer, Fetch, Rejection, RejectionCode};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::{Fetched, Header, Request, event_data};
use anglerfish_core::router::{FilterTable, LoggedEvent, RoutingSubscription};
use anglerfish_core::verify::{Attributes, Verification, Verifier};
use serde_json::{Map, Value, json};

/// The name that the source has which verifies.
const SOURCE: &str = "callback";

/// Methods of those who come where nothing is verified: whoever looks where a link leads does not answer.
const METHODS: [&str; 3] = ["POST", "PUT", "PATCH"];

/// Why a request is not kept.
pub(super) enum Refusal {
    /// It is refused.
    Rejected(Rejection),
    /// It is none of those that are kept, or nobody can say now; with what became of it.
    Answered(Reply, &'static str),
    /// It cannot be verified, because of this side: for this reason.
    Unusable(String),
}

/// What is known of a request that may be kept.
#[derive(Default)]
pub(super) struct Verified {
    pub(super) attributes: Attributes,
    pub(super) replay_keys: Vec<String>,
    pub(super) answer: Option<Answer>,
    /// What must not be kept of it.
    pub(super) credentials: Credentials,
}

/// What verifies requests; `None` where whoever knows the address may come.
///
/// # Errors
///
/// Every problem, at paths below `verify`.
pub(super) fn verifier(document: &Document, reader: &SourceReader) -> Result<Option<Verifier>, Vec<Problem>> {
    let Some(verify) = &document.verify else { return Ok(None) };
    let Value::Object(members) = verify else {
        return Err(vec![Problem::new("verify", "must be an object with the keys of a source")]);
    };
    let mut source: Map<String, Value> = members.clone();
    source.insert("name".to_owned(), Value::from(SOURCE));
    let below = |problems: Vec<Problem>| problems.into_iter().map(below).collect::<Vec<_>>();
    let source = reader(Value::Object(source).to_string().as_bytes()).map_err(below)?;
    Verifier::try_new("", &source.verification).map(Some).map_err(below)
}

/// Problems of what verifies, in words.
pub(super) fn in_words(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{}: {}", problem.path, problem.message))
        .collect::<Vec<_>>()
        .join("; ")
}

/// What verifies at a source and has no effect at a callback.
pub(super) fn without_effect(verify: &Value) -> Vec<Problem> {
    const KEYS: [(&str, &str); 3] = [
        ("name", "a callback has a name of its own"),
        ("deduplicate", "repetitions are told by the event's id at a callback"),
        ("split", "what comes to a callback is one event"),
    ];
    let said = KEYS.iter().filter(|(key, _)| verify.get(key).is_some());
    said.map(|(key, why)| Problem::new(format!("verify.{key}"), format!("has no effect here: {why}")))
        .collect()
}

/// A problem of what verifies as one of the callback.
pub(super) fn below(problem: Problem) -> Problem {
    Problem { path: format!("verify.{}", problem.path.trim_start_matches('.')), ..problem }
}

/// Verifies a request, with the documents that its scheme asks the provider for.
///
/// # Errors
///
/// Why it is not kept.
pub(super) async fn verify(
    name: &str,
    document: &Document,
    request: &mut InboundRequest,
    reader: &SourceReader,
    fetcher: &dyn Fetcher,
) -> Result<Verified, Refusal> {
    let verifier = match verifier(document, reader) {
        Ok(Some(verifier)) => verifier,
        Ok(None) => return takes(request, &METHODS.map(str::to_owned)).map(|()| Verified::default()),
        Err(problems) => {
            // A secret that it refers to may be gone. Nothing is taken unverified.
            let reason = in_words(&problems);
            tracing::error!(callback = name, reason, "those who come to a callback cannot be verified");
            return Err(Refusal::Unusable(reason));
        }
    };
    for _ in 0..=Fetch::MOST_ROUNDS {
        match verifier.verify(&asked(request)) {
            Verification::Verified(verified) => {
                // Behind the signature, as at a source: a handshake may come with another method.
                takes(request, verifier.methods())?;
                let headers = verifier.credential_headers().iter().map(|name| name.to_ascii_lowercase());
                let parameters = verifier.credential_parameters().to_vec();
                return Ok(Verified {
                    attributes: verified.attributes,
                    replay_keys: verified.replay_keys,
                    answer: verified.answer,
                    credentials: Credentials { headers: headers.collect(), parameters },
                });
            }
            Verification::Answered(answer) => {
                return Err(Refusal::Answered(Reply::answered(answer), "handshake"));
            }
            Verification::Rejected(rejection) => return Err(Refusal::Rejected(rejection)),
            Verification::Fetch(wanted) => {
                let documents = fetcher.fetch(wanted).await;
                request.fetched.extend(documents);
            }
        }
    }
    tracing::error!(callback = name, "its scheme asks for documents again and again");
    Err(Refusal::Answered(Fault::Internal.reply(), "failed"))
}

/// Refuses what comes with another method than these.
fn takes(request: &InboundRequest, methods: &[String]) -> Result<(), Refusal> {
    let method = request.method.as_str();
    match methods.iter().any(|taken| taken == method) {
        true => Ok(()),
        false => Err(Refusal::Rejected(Rejection::of_method(method, methods))),
    }
}

/// The answer to a request that is refused.
pub(super) fn refused(rejection: &Rejection) -> Reply {
    let methods = match &rejection.code {
        RejectionCode::MethodNotAllowed(methods) => methods.as_slice(),
        _ => &[],
    };
    Reply::rejected(rejection.status, rejection.code.as_str(), &rejection.reason, methods)
}

fn asked(request: &InboundRequest) -> Request<'_> {
    let fetched = request.fetched.iter();
    Request {
        id: &request.id,
        source: SOURCE,
        method: request.method.as_str(),
        url: &request.url,
        headers: headers(request),
        body: &request.body,
        received: request.received,
        added_prefix: &request.added_prefix,
        fetched: fetched
            .map(|document| Fetched { url: &document.url, status: document.status, body: &document.body })
            .collect(),
    }
}

fn headers(request: &InboundRequest) -> Vec<Header<'_>> {
    let headers = request.headers.iter();
    headers.map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() }).collect()
}

/// Whether the filter wants it. One that fails wants nothing, and says so.
pub(super) fn is_wanted(name: &str, document: &Document, event: &Event, request: &InboundRequest) -> bool {
    let Some(filter) = &document.filter else { return true };
    let subscription = json!({"id": SOURCE, "filter": filter});
    let Ok(subscription) = serde_json::from_value::<RoutingSubscription>(subscription) else { return false };
    let mut table = FilterTable::default();
    if let Err(problems) = table.put(&subscription) {
        tracing::error!(callback = name, ?problems, "the filter of a callback cannot be used");
        return false;
    }
    let routed = table.route(LoggedEvent {
        event,
        headers: &headers(request),
        data: event_data(request.method.as_str(), &request.url, &request.body),
        received: request.received,
        json_fields: &[],
    });
    for failure in &routed.failures {
        tracing::warn!(callback = name, reason = failure.reason, "the filter of a callback failed");
    }
    !routed.intents.is_empty()
}
