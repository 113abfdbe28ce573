//! What is asked of a request that comes to a callback: a signature, and that the filter wants it.

use super::options::Document;
use crate::engine::InboundRequest;
use crate::ingress::{Credentials, Fetcher};
use crate::source::SourceReader;
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::decision::{Answer, Fetch, RejectionCode};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::{Fetched, Header, Request, event_data};
use anglerfish_core::router::{FilterTable, LoggedEvent, RoutingSubscription};
use anglerfish_core::verify::{Attributes, Verification, Verifier};
use http::Method;
use serde_json::{Map, Value, json};

/// The name that the source has which verifies.
const SOURCE: &str = "callback";

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
    let below = |problems: Vec<Problem>| {
        let named = problems.into_iter();
        named
            .map(|problem| Problem {
                path: format!("verify.{}", problem.path.trim_start_matches('.')),
                ..problem
            })
            .collect::<Vec<_>>()
    };
    let source = reader(Value::Object(source).to_string().as_bytes()).map_err(below)?;
    Verifier::try_new("", &source.verification).map(Some).map_err(below)
}

/// Verifies a request, with the documents that its scheme asks the provider for.
///
/// # Errors
///
/// The answer to one that is not kept, and whether it is one that a handshake asks for.
pub(super) async fn verify(
    name: &str,
    document: &Document,
    request: &mut InboundRequest,
    reader: &SourceReader,
    fetcher: &dyn Fetcher,
) -> Result<Verified, (Reply, &'static str)> {
    let verifier = match verifier(document, reader) {
        Ok(Some(verifier)) => verifier,
        Ok(None) if matches!(request.method, Method::POST | Method::PUT | Method::PATCH) => {
            return Ok(Verified::default());
        }
        // Whoever looks where a link leads does not answer.
        Ok(None) => {
            let methods = ["POST", "PUT", "PATCH"].map(str::to_owned);
            let reply =
                Reply::rejected(405, "method-not-allowed", "a callback is a POST, PUT or PATCH", &methods);
            return Err((reply, "refused"));
        }
        Err(problems) => {
            // A secret that it refers to may be gone. Nothing is taken unverified.
            let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
            tracing::error!(callback = name, ?paths, "a callback cannot be verified");
            return Err((Fault::Internal.reply(), "failed"));
        }
    };
    for _ in 0..=Fetch::MOST_ROUNDS {
        match verifier.verify(&asked(request)) {
            Verification::Verified(verified) => {
                let headers = verifier.credential_headers().iter().map(|name| name.to_ascii_lowercase());
                let parameters = verifier.credential_parameters().to_vec();
                return Ok(Verified {
                    attributes: verified.attributes,
                    replay_keys: verified.replay_keys,
                    answer: verified.answer,
                    credentials: Credentials { headers: headers.collect(), parameters },
                });
            }
            Verification::Answered(answer) => return Err((Reply::answered(answer), "handshake")),
            Verification::Rejected(rejection) => {
                tracing::info!(callback = name, reason = rejection.reason, "a callback was refused");
                let methods = match &rejection.code {
                    RejectionCode::MethodNotAllowed(methods) => methods.clone(),
                    _ => Vec::new(),
                };
                let reply =
                    Reply::rejected(rejection.status, rejection.code.as_str(), &rejection.reason, &methods);
                return Err((reply, "refused"));
            }
            Verification::Fetch(wanted) => {
                let documents = fetcher.fetch(wanted).await;
                request.fetched.extend(documents);
            }
        }
    }
    tracing::error!(callback = name, "its scheme asks for documents again and again");
    Err((Fault::Internal.reply(), "failed"))
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
