//! One request: read, decided, kept, answered; its deliveries start after the answer.

use crate::binding::types::{self, Decision, VerdictOutcome};
use crate::record::{self, EventRecord, RecordError, Records};
use crate::table::{Table, table};
use crate::{delivery, diagnostic, document};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::decision::{Answer, Fetch};
use anglerfish_core::event::Event;
use anglerfish_core::request::{self as core_request, UnixMillis};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use spin_sdk::http::{HeaderValue, Method, Request};
use spin_sdk::wasip3::clocks::system_clock;
use spin_sdk::wasip3::random::random;
use std::rc::Rc;
use std::time::Duration;

/// How long a sender should wait when the store has failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Answers one request.
pub(crate) async fn handle(request: Request) -> http::Response<Full<Bytes>> {
    let reply = match admit(request).await {
        Ok(reply) => reply,
        Err(fault) => fault.reply(),
    };
    response(reply)
}

async fn admit(request: Request) -> Result<Reply, Fault> {
    let source = source(request.uri().path()).ok_or(Fault::NotFound)?.to_owned();
    if !matches!(*request.method(), Method::POST | Method::GET | Method::HEAD) {
        return Err(Fault::MethodNotAllowed);
    }
    let table = table().await.map_err(|error| internal(&error.to_string()))?;
    let mut request = read(request, source, table.max_body).await?;
    let mut rounds = 0;
    let decision = loop {
        match table.router.decide(&request) {
            Decision::Fetch(wanted) if rounds < Fetch::MOST_ROUNDS => {
                rounds += 1;
                // What was had before stays: a confirmation is asked for when its certificate is there.
                request.fetched.extend(document::fetch(&request.source, wanted).await);
            }
            decision => break decision,
        }
    };
    match decision {
        Decision::Reject(rejection) => {
            Ok(Reply::rejected(rejection.status, &rejection.code, &rejection.reason))
        }
        Decision::Answer(given) => Ok(Reply::answered(answer(given))),
        Decision::Duplicate(duplicate) => repeat(&table, request, duplicate),
        Decision::Accept(acceptance) => accept(&table, request.body, request.received, acceptance),
        Decision::Fetch(_) => Err(internal("the component asks for documents again and again")),
        Decision::Other(name) => Err(internal(&format!("this shell does not know the decision {name:?}"))),
    }
}

/// The last segment of `/in/{source}`. Names of sources need no percent-encoding, so none is undone.
fn source(path: &str) -> Option<&str> {
    path.strip_prefix("/in/").filter(|name| !name.is_empty() && !name.contains('/'))
}

async fn read(request: Request, source: String, max_body: usize) -> Result<types::Request, Fault> {
    let received = now();
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, max_body).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Fault::TooLarge { limit: u64::try_from(max_body).unwrap_or(u64::MAX) });
        }
        Err(_) => return Err(Fault::UnreadableBody),
    };
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| types::Header {
            name: name.as_str().to_owned(),
            value: value.as_bytes().to_vec(),
        })
        .collect();
    Ok(types::Request {
        id: request_id(received),
        source,
        method: parts.method.as_str().to_owned(),
        url: parts.uri.to_string(),
        headers,
        body: body.to_vec(),
        received,
        fetched: Vec::new(),
    })
}

/// Keeps an accepted event and starts its deliveries.
fn accept(
    table: &Rc<Table>,
    body: Vec<u8>,
    received: u64,
    acceptance: types::Acceptance,
) -> Result<Reply, Fault> {
    let event = record::event(acceptance.event);
    let deliveries: Vec<String> = acceptance.intents.into_iter().map(|intent| intent.subscription).collect();
    let failures = &acceptance.failures;
    keep(&event, received, &deliveries, failures, &body).map_err(|error| unavailable(&error))?;
    for failure in failures {
        diagnostic::report(&format!(
            "event {:?} of {:?}: the filter of {:?} failed: {}",
            event.id, event.source, failure.subscription, failure.reason
        ));
    }
    let reply = Reply::accepted(&event.id, deliveries.len(), acceptance.answer.map(answer));
    delivery::spawn(Rc::clone(table), event, Bytes::from(body), deliveries);
    Ok(reply)
}

fn keep(
    event: &Event,
    received: u64,
    deliveries: &[String],
    failures: &[types::FilterFailure],
    body: &[u8],
) -> Result<(), RecordError> {
    let failures = failures.iter().map(Into::into).collect();
    Records::open()?.keep(&EventRecord { event, received, deliveries, failures }, body)
}

/// Answers a repeated event. The gateway component remembers an event before this shell has kept it; where the shell
/// failed in between, nobody has the event, and its repetition is the one to accept.
fn repeat(table: &Rc<Table>, request: types::Request, duplicate: types::Duplicate) -> Result<Reply, Fault> {
    let kept = Records::open()
        .and_then(|records| records.is_kept(&request.source, &duplicate.id))
        .map_err(|error| unavailable(&error))?;
    if kept {
        return Ok(Reply::duplicate(&duplicate.id, duplicate.answer.map(answer)));
    }
    let explanation = table.router.explain(&request);
    let event = explanation.event.ok_or_else(|| internal("a repeated event has no attributes"))?;
    let (mut intents, mut failures) = (Vec::new(), Vec::new());
    for types::Verdict { subscription, outcome, reason } in explanation.subscriptions {
        match outcome {
            VerdictOutcome::Match => intents.push(types::Intent { subscription }),
            VerdictOutcome::Error => failures.push(types::FilterFailure { subscription, reason }),
            VerdictOutcome::NoMatch => {}
        }
    }
    let acceptance = types::Acceptance { event, intents, failures, answer: duplicate.answer };
    accept(table, request.body, request.received, acceptance)
}

fn answer(answer: types::Answer) -> Answer {
    Answer {
        status: answer.status,
        content_type: answer.content_type,
        headers: answer.headers,
        body: answer.body,
    }
}

fn internal(reason: &str) -> Fault {
    diagnostic::report(reason);
    Fault::Internal
}

fn unavailable(error: &RecordError) -> Fault {
    diagnostic::report(&format!("an event was not accepted: {error}"));
    Fault::StoreUnavailable { retry_after: RETRY_AFTER }
}

/// Now, in Unix milliseconds; 0 before 1970.
pub(crate) fn now() -> u64 {
    let now = system_clock::now();
    let seconds = u64::try_from(now.seconds).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(u64::from(now.nanoseconds / 1_000_000))
}

/// A new id for a request that was received at this time.
fn request_id(received: u64) -> String {
    let [first, second] = [random::get_random_u64().to_le_bytes(), random::get_random_u64().to_le_bytes()];
    let mut bits = [0; 10];
    for (bit, drawn) in bits.iter_mut().zip(first.into_iter().chain(second)) {
        *bit = drawn;
    }
    core_request::request_id(UnixMillis(received), bits)
}

/// The reply as an HTTP response; one that HTTP cannot carry becomes an error.
fn response(reply: Reply) -> http::Response<Full<Bytes>> {
    build(reply)
        .or_else(|_| build(internal("an answer cannot be written as HTTP").reply()))
        .unwrap_or_default()
}

fn build(reply: Reply) -> Result<http::Response<Full<Bytes>>, http::Error> {
    let length = HeaderValue::from(reply.body.len());
    let mut builder = http::Response::builder().status(reply.status).header("content-length", length);
    for (name, value) in reply.headers {
        builder = builder.header(name.as_ref(), value);
    }
    builder.body(Full::new(Bytes::from(reply.body)))
}

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn a_source_is_the_one_segment_behind_in() {
        assert_eq!(source("/in/shop"), Some("shop"));
        for path in ["/", "/in", "/in/", "/in/shop/", "/in/a/b", "/out/shop"] {
            assert_eq!(source(path), None, "{path}");
        }
    }
}
