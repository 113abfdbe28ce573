//! One request: read, decided, kept, answered; its deliveries start after the answer.

use crate::binding::types;
use crate::claim::{Claim, claim};
use crate::record::{EventRecord, RecordError, Records};
use crate::table::{Table, table};
use crate::{clock, convert, delivery, diagnostic, document};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::decision::{Acceptance, AcceptedEvent, Decision, Duplicate, RejectionCode};
use anglerfish_core::exchange::{Accepted, Answered, Cause, Committed, Exchange, RETRY_AFTER, Step};
use anglerfish_core::request::{Header, event_data, header_block, hide_parameters};
use anglerfish_core::verify::Verifier;
use bytes::Bytes;
use futures_util::future::{Either, select};
use http::HeaderMap;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use spin_sdk::http::{HeaderValue, Method, Request};
use spin_sdk::time::sleep;
use std::pin::pin;
use std::rc::Rc;

/// How the header fields begin that Spin adds to a request. They are not the sender's, and a sender's own of the same
/// name cannot be told from them, so that neither filters nor schemes see any.
const HOST_FIELDS: &str = "spin-";

/// Answers one request.
pub(crate) async fn handle(request: Request) -> http::Response<Full<Bytes>> {
    let reply = match request.uri().path() {
        "/ready" => ready(request.method()).await,
        _ => receive(request).await,
    };
    response(reply)
}

/// `GET /ready`: whether the configuration is usable and the store opens.
async fn ready(method: &Method) -> Reply {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Fault::MethodNotAllowed.reply();
    }
    if let Err(error) = table().await {
        diagnostic::report(&error.to_string());
        return Reply::not_ready(&error.public());
    }
    match Records::open() {
        Ok(_) => Reply::ready(),
        Err(error) => {
            diagnostic::report(&error.to_string());
            Reply::not_ready("the key-value store cannot be used")
        }
    }
}

async fn receive(request: Request) -> Reply {
    let answered = match admit(request).await {
        Ok((table, request)) => exchange(&table, request).await,
        Err(fault) => fault.into(),
    };
    match &answered.cause {
        Some(Cause::Defect(reason)) => diagnostic::report(reason),
        Some(Cause::Rejected(rejection)) if rejection.code == RejectionCode::StateUnavailable => {
            diagnostic::report(&rejection.reason);
        }
        Some(Cause::Rejected(_)) | None => {}
    }
    answered.reply
}

/// Reads a request within the limits.
async fn admit(request: Request) -> Result<(Rc<Table>, types::Request), Fault> {
    let source = source(request.uri().path()).ok_or(Fault::NotFound)?.to_owned();
    // Which of them a source takes is for the decision to say.
    if !matches!(
        *request.method(),
        Method::POST | Method::GET | Method::HEAD | Method::PUT | Method::PATCH | Method::DELETE
    ) {
        return Err(Fault::MethodNotAllowed);
    }
    let table = table().await.map_err(|error| internal(&error.to_string()))?;
    let request = read(request, source, &table).await?;
    Ok((table, request))
}

/// Takes the steps from the first decision to the answer.
async fn exchange(table: &Rc<Table>, mut request: types::Request) -> Answered {
    let mut exchange = Exchange::default();
    let mut step = Step::Decide;
    loop {
        step = match step {
            Step::Decide => match decide(table, &request) {
                Ok(decision) => exchange.handle_decision(decision),
                Err(error) => return unavailable(&error).into(),
            },
            Step::Fetch(wanted) => {
                request.fetched.extend(document::fetch(&request.source, wanted).await);
                Step::Decide
            }
            // The component has written its keys itself.
            Step::Commit(None) => exchange.handle_committed(Committed::Stored { deliveries: 0 }),
            Step::Commit(Some(accepted)) => {
                exchange.handle_committed(accept(table, &request, *accepted).await)
            }
            Step::Answer(answered) => return *answered,
        };
    }
}

/// The component's decision. The component remembers an event before this shell has kept it; where the shell failed in
/// between, nobody has the event, and its repetition is the one to accept.
fn decide(table: &Table, request: &types::Request) -> Result<Decision, RecordError> {
    let decision = convert::decision(table.router.decide(request));
    let (repeated, batch) = match &decision {
        Decision::Duplicate(duplicate) => (&duplicate.ids, duplicate.batch),
        Decision::Accept(acceptance) => (&acceptance.repeated, acceptance.batch),
        _ => return Ok(decision),
    };
    let records = if repeated.is_empty() { return Ok(decision) } else { Records::open()? };
    let mut lost = Vec::new();
    for id in repeated {
        if !records.is_kept(&request.source, id)? {
            lost.push(id.clone());
        }
    }
    if lost.is_empty() {
        return Ok(decision);
    }
    let mut events = convert::explained(table.router.explain(request), batch, &lost);
    if events.len() < lost.len() {
        return Ok(Decision::Other("a repetition of no event".to_owned()));
    }
    let kept = |ids: Vec<String>| ids.into_iter().filter(|id| !lost.contains(id)).collect();
    Ok(match decision {
        Decision::Duplicate(Duplicate { ids, answer, .. }) => {
            Decision::Accept(Acceptance { events, repeated: kept(ids), batch, answer, secret: None })
        }
        Decision::Accept(acceptance) => {
            let Acceptance { events: new, repeated, answer, secret, .. } = acceptance;
            events.splice(0..0, new);
            Decision::Accept(Acceptance { events, repeated: kept(repeated), batch, answer, secret })
        }
        other => other,
    })
}

/// The last segment of `/in/{source}`, with or without a slash behind it. Names of sources need no percent-encoding, so none
/// is undone.
fn source(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/in/")?;
    let name = name.strip_suffix('/').unwrap_or(name);
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

async fn read(request: Request, source: String, table: &Table) -> Result<types::Request, Fault> {
    let received = clock::now();
    let (parts, body) = request.into_parts();
    let body = pin!(Limited::new(body, table.max_body).collect());
    let body = match select(body, pin!(sleep(table.body_timeout))).await {
        Either::Left((Ok(body), _)) => body.to_bytes(),
        Either::Left((Err(error), _)) if error.is::<LengthLimitError>() => {
            return Err(Fault::TooLarge { limit: u64::try_from(table.max_body).unwrap_or(u64::MAX) });
        }
        Either::Left((Err(_), _)) => return Err(Fault::UnreadableBody),
        Either::Right(_) => return Err(Fault::BodyTimeout),
    };
    Ok(types::Request {
        id: clock::request_id(received),
        source,
        method: parts.method.as_str().to_owned(),
        url: parts.uri.to_string(),
        headers: senders(&parts.headers),
        body: body.to_vec(),
        received,
        added_prefix: String::new(),
        fetched: Vec::new(),
    })
}

/// The header fields that the sender sent.
fn senders(headers: &HeaderMap) -> Vec<u8> {
    let fields = headers.iter().map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() });
    header_block(fields.filter(|field| !field.name.starts_with(HOST_FIELDS)))
}

/// Keeps the accepted events and starts their deliveries. The store has no transactions: where one of several cannot be kept, the
/// sender reads an error and sends all of them again, and those that were kept are told by their identifiers.
async fn accept(table: &Rc<Table>, request: &types::Request, accepted: Accepted) -> Committed {
    let Accepted { events, repeated, .. } = accepted;
    let (mut stored, mut deliveries, several) = (0, 0, events.len() + repeated.len() > 1);
    for event in events {
        match accept_event(table, request, event).await {
            Committed::Stored { deliveries: more } => {
                stored += 1;
                deliveries += more;
            }
            Committed::Repeated if several => {}
            other => return other,
        }
    }
    if stored == 0 && several { Committed::Repeated } else { Committed::Stored { deliveries } }
}

/// Keeps one event and starts its deliveries.
async fn accept_event(table: &Rc<Table>, request: &types::Request, accepted: AcceptedEvent) -> Committed {
    let AcceptedEvent { event, data: part, intents, failures } = accepted;
    let deliveries: Vec<String> = intents.into_iter().map(|intent| intent.subscription).collect();
    let record = EventRecord {
        event: &event,
        received: request.received,
        deliveries: &deliveries,
        failures: failures.iter().map(Into::into).collect(),
    };
    let data = part.map_or_else(|| data(table, request), Bytes::from);
    let kept = keep(&record, &data).await;
    for failure in &failures {
        diagnostic::report(&format!(
            "event {:?} of {:?}: the filter of {:?} failed: {}",
            event.id, event.source, failure.subscription, failure.reason
        ));
    }
    match kept {
        Ok(Keeping::Now) => {
            let count = deliveries.len();
            delivery::spawn(Rc::clone(table), event, data, deliveries);
            Committed::Stored { deliveries: count }
        }
        Ok(Keeping::Before) => Committed::Repeated,
        Ok(Keeping::Elsewhere) => {
            diagnostic::report(&format!("event {:?} is claimed and not kept", event.id));
            Committed::Failed(Fault::StoreUnavailable { retry_after: RETRY_AFTER })
        }
        Err(error) => Committed::Failed(unavailable(&error)),
    }
}

/// The event's data: the body, or of a GET the query, from which goes what the scheme compares with its secret.
fn data(table: &Table, request: &types::Request) -> Bytes {
    let verifier = table.verifications.get(&request.source).map(|config| Verifier::try_new("source", config));
    let url = match (request.body.is_empty(), verifier) {
        (true, Some(Ok(verifier))) => {
            let secret = |name: &str| verifier.credential_parameters().iter().any(|known| known == name);
            hide_parameters(&request.url, secret)
        }
        // A body is the data whatever the URL; the table was loaded with verifiers of the same configuration.
        _ => String::new(),
    };
    Bytes::copy_from_slice(event_data(&request.method, &url, &request.body))
}

/// By whom an event was kept.
enum Keeping {
    /// By this exchange.
    Now,
    /// By another one.
    Before,
    /// By nobody yet, though others are at it.
    Elsewhere,
}

async fn keep(record: &EventRecord<'_>, body: &[u8]) -> Result<Keeping, RecordError> {
    let records = Records::open()?;
    let claim = match claim(&records, &record.event.source, &record.event.id).await? {
        Claim::Taken(claim) => claim,
        Claim::Kept => return Ok(Keeping::Before),
        Claim::Busy => return Ok(Keeping::Elsewhere),
    };
    if let Err(error) = records.keep(record, body) {
        // The sender tries again soon and should not wait for a claim that nobody holds.
        let _ = records.unclaim(&claim);
        return Err(error);
    }
    Ok(Keeping::Now)
}

fn internal(reason: &str) -> Fault {
    diagnostic::report(reason);
    Fault::Internal
}

fn unavailable(error: &RecordError) -> Fault {
    diagnostic::report(&format!("an event was not accepted: {error}"));
    Fault::StoreUnavailable { retry_after: RETRY_AFTER }
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
    use super::*;
    use anglerfish_core::request::read_header_block;

    #[test]
    fn a_source_is_the_one_segment_behind_in() {
        assert_eq!(source("/in/shop"), Some("shop"));
        assert_eq!(source("/in/shop/"), Some("shop"));
        for path in ["/", "/in", "/in/", "/in//", "/in/shop//", "/in/a/b", "/out/shop"] {
            assert_eq!(source(path), None, "{path}");
        }
    }

    #[test]
    fn what_the_host_adds_to_a_request_is_not_the_senders() {
        let mut headers = HeaderMap::new();
        for name in ["spin-client-addr", "x-spin", "spin-full-url", "content-type"] {
            headers.insert(name, HeaderValue::from_static("value"));
        }
        let block = senders(&headers);
        let names: Vec<&str> = read_header_block(&block).unwrap().iter().map(|header| header.name).collect();
        assert_eq!(names, ["x-spin", "content-type"]);
    }
}
