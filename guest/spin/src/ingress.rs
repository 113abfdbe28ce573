//! One request: read, decided, kept, answered; its deliveries start after the answer.

use crate::binding::types;
use crate::bucket::Bucket;
use crate::claim::{Claim, claim};
use crate::drain::drain_a_little;
use crate::outbox::outbox;
use crate::setting::settings;
use crate::table::{Table, TableError, table};
use crate::{admin, clock, convert, delivery, diagnostic, document, resource};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::decision::{Acceptance, AcceptedEvent, Decision, Duplicate, RejectionCode};
use anglerfish_core::edge::{Bucket as _, NewEvent, Unit};
use anglerfish_core::exchange::{Accepted, Answered, Cause, Committed, Exchange, RETRY_AFTER, Step};
use anglerfish_core::request::{Header, event_data, header_block, hide_parameters, is_of_connection};
use anglerfish_core::verify::Verifier;
use bytes::Bytes;
use futures_util::future::{Either, join_all, select};
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use spin_sdk::http::{HeaderValue, Method, Request};
use spin_sdk::time::sleep;
use spin_sdk::wasip3::http_compat::IncomingRequestBody;
use std::collections::HashSet;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// How the header fields begin that Spin adds to a request. They are not the sender's, and a sender's own of the same
/// name cannot be told from them, so that neither filters nor schemes see any.
const HOST_FIELDS: &str = "spin-";

/// Answers one request.
pub(crate) async fn handle(request: Request) -> http::Response<Full<Bytes>> {
    let reply = match request.uri().path() {
        "/ready" => ready(request.method()).await,
        path if path.starts_with("/in/") => receive(request).await,
        _ => admin::handle(request).await.unwrap_or_else(|| Fault::NotFound.reply()),
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
    match Bucket::open() {
        Ok(_) => Reply::ready(),
        Err(error) => {
            diagnostic::report(&error);
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
    let table = table().await.map_err(|error| unusable(&error))?;
    let request = read(request, source).await?;
    Ok((table, request))
}

/// Takes the steps from the first decision to the answer.
async fn exchange(table: &Rc<Table>, mut request: types::Request) -> Answered {
    let mut exchange = Exchange::default();
    let mut step = Step::Decide;
    let mut memory = Memory::default();
    loop {
        step = match step {
            Step::Decide => match decide(table, &request) {
                Ok((decision, of_it)) => {
                    memory = of_it;
                    exchange.handle_decision(decision)
                }
                Err(error) => return unavailable(&error).into(),
            },
            Step::Fetch(wanted) => {
                request.fetched.extend(document::fetch(&request.source, wanted).await);
                Step::Decide
            }
            // What it remembers of a request that no event came of is written already.
            Step::Commit(None) => exchange.handle_committed(Committed::Stored { deliveries: 0 }),
            Step::Commit(Some(accepted)) => {
                let memory = std::mem::take(&mut memory);
                exchange.handle_committed(accept(table, &request, *accepted, memory).await)
            }
            Step::Answer(answered) => return *answered,
        };
    }
}

/// What the component remembers of a request, to be written with the events that come of it.
type Memory = Vec<(String, Vec<u8>)>;

/// The component's decision, and what is to be written with the events that it accepts. Where a store writes no batch as a whole, the
/// component may remember an event that was not kept: nobody has it, and its repetition is the one to accept.
fn decide(table: &Table, request: &types::Request) -> Result<(Decision, Memory), String> {
    table.router.hold_writes();
    let decision = convert::decision(table.router.decide(request));
    let (memory, deleted) = resource::written(table.router.take_writes());
    let decision = with_lost(table, request, decision)?;
    match decision {
        Decision::Accept(_) if deleted.is_empty() => Ok((decision, memory)),
        _ => {
            if !memory.is_empty() {
                let bucket = Bucket::open()?;
                bucket.set_many(memory)?;
                bucket.delete_many(deleted)?;
            }
            Ok((decision, Memory::new()))
        }
    }
}

/// The same decision, with the events accepted that are repeated and that nobody has kept.
fn with_lost(table: &Table, request: &types::Request, decision: Decision) -> Result<Decision, String> {
    let (repeated, batch) = match &decision {
        Decision::Duplicate(duplicate) => (&duplicate.ids, duplicate.batch),
        Decision::Accept(acceptance) => (&acceptance.repeated, acceptance.batch),
        _ => return Ok(decision),
    };
    // A part of a body may repeat an earlier part of the same one, which nobody can have kept yet.
    let new: HashSet<&str> = match &decision {
        Decision::Accept(acceptance) => {
            acceptance.events.iter().map(|accepted| accepted.event.id.as_str()).collect()
        }
        _ => HashSet::new(),
    };
    let (mut lost, mut kept) = (Vec::new(), Vec::new());
    for id in repeated {
        let is_here = new.contains(id.as_str()) || lost.contains(id);
        if is_here || outbox(|outbox| outbox.is_kept(&request.source, id))? {
            kept.push(id.clone());
        } else {
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
    Ok(match decision {
        Decision::Duplicate(Duplicate { answer, .. }) => {
            Decision::Accept(Acceptance { events, repeated: kept, batch, answer, secret: None })
        }
        Decision::Accept(acceptance) => {
            let Acceptance { events: new, answer, secret, .. } = acceptance;
            events.splice(0..0, new);
            Decision::Accept(Acceptance { events, repeated: kept, batch, answer, secret })
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

/// A body, if it comes in time and is not too long.
pub(crate) async fn read_body(
    body: IncomingRequestBody,
    most: usize,
    timeout: Duration,
) -> Result<Bytes, Fault> {
    let body = pin!(Limited::new(body, most).collect());
    match select(body, pin!(sleep(timeout))).await {
        Either::Left((Ok(body), _)) => Ok(body.to_bytes()),
        Either::Left((Err(error), _)) if error.is::<LengthLimitError>() => {
            Err(Fault::TooLarge { limit: u64::try_from(most).unwrap_or(u64::MAX) })
        }
        Either::Left((Err(_), _)) => Err(Fault::UnreadableBody),
        Either::Right(_) => Err(Fault::BodyTimeout),
    }
}

async fn read(request: Request, source: String) -> Result<types::Request, Fault> {
    let received = clock::now();
    let settings = settings().await.map_err(|error| internal(&error.to_string()))?;
    let (parts, body) = request.into_parts();
    let body = read_body(body, settings.max_body, settings.body_timeout).await?;
    Ok(types::Request {
        id: clock::request_id(received),
        source,
        method: parts.method.as_str().to_owned(),
        url: parts.uri.to_string(),
        headers: senders(&parts.headers, parts.uri.authority().map(Authority::as_str)),
        body: body.to_vec(),
        received,
        added_prefix: String::new(),
        fetched: Vec::new(),
    })
}

/// The header fields that the sender sent. The host is not among WASI's: it is in the address.
fn senders(headers: &HeaderMap, authority: Option<&str>) -> Vec<u8> {
    let host = authority.filter(|_| !headers.contains_key(HOST));
    let host = host.map(|host| Header { name: HOST.as_str(), value: host.as_bytes() });
    let fields = headers.iter().map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() });
    let fields = fields.filter(|field| !field.name.starts_with(HOST_FIELDS) && !is_of_connection(field.name));
    header_block(fields.chain(host))
}

/// Keeps the accepted events, all of them in one write, and starts their deliveries.
async fn accept(
    table: &Rc<Table>,
    request: &types::Request,
    accepted: Accepted,
    memory: Memory,
) -> Committed {
    let Accepted { events, .. } = accepted;
    let claims = match claim_all(request, &events).await {
        Ok(Some(claims)) => claims,
        Ok(None) => return Committed::Failed(Fault::StoreUnavailable { retry_after: RETRY_AFTER }),
        Err(error) => return Committed::Failed(unavailable(&error)),
    };
    let events: Vec<NewEvent> = events
        .into_iter()
        .filter(|accepted| !claims.before.contains(&accepted.event.id))
        .map(|accepted| new_event(table, request, accepted))
        .collect();
    if events.is_empty() && !claims.before.is_empty() {
        return match Bucket::open().and_then(|bucket| bucket.set_many(memory)) {
            Ok(()) => Committed::Repeated,
            Err(error) => Committed::Failed(unavailable(&error)),
        };
    }
    let deliveries = events.iter().map(|event| event.deliveries.len()).sum();
    match outbox(|outbox| outbox.keep_with(events, memory)) {
        Ok(units) => {
            send(Rc::clone(table), units);
            Committed::Stored { deliveries }
        }
        Err(error) => {
            // The sender tries again soon and should not wait for claims that nobody holds.
            claims.give_back();
            Committed::Failed(unavailable(&error))
        }
    }
}

/// What of some events is this instance's to accept.
#[derive(Default)]
struct Claims {
    /// The keys of claims that were taken.
    taken: Vec<String>,
    /// The ids of events that another instance has accepted.
    before: HashSet<String>,
}

impl Claims {
    fn give_back(self) {
        let given = Bucket::open().and_then(|bucket| bucket.delete_many(self.taken));
        if let Err(error) = given {
            diagnostic::report(&format!("claims were not given back: {error}"));
        }
    }
}

/// Claims events, in the order of their ids so that no two wait for each other; `None` if others are at it and do not come to an end. An
/// id that this request gave its event is nobody else's.
async fn claim_all(request: &types::Request, events: &[AcceptedEvent]) -> Result<Option<Claims>, String> {
    let mut ids: Vec<&str> = events.iter().map(|accepted| accepted.event.id.as_str()).collect();
    ids.retain(|id| !id.starts_with(&request.id));
    ids.sort_unstable();
    let mut claims = Claims::default();
    for id in ids {
        match claim(&request.source, id).await {
            Ok(Claim::Taken(key)) => claims.taken.push(key),
            Ok(Claim::Kept) => {
                claims.before.insert(id.to_owned());
            }
            Ok(Claim::Busy) => {
                diagnostic::report(&format!("event {id:?} is claimed and not kept"));
                claims.give_back();
                return Ok(None);
            }
            Err(error) => {
                claims.give_back();
                return Err(error);
            }
        }
    }
    Ok(Some(claims))
}

fn new_event(table: &Table, request: &types::Request, accepted: AcceptedEvent) -> NewEvent {
    let AcceptedEvent { event, data: part, intents, failures } = accepted;
    for failure in &failures {
        diagnostic::report(&format!(
            "event {:?} of {:?}: the filter of {:?} failed: {}",
            event.id, event.source, failure.subscription, failure.reason
        ));
    }
    NewEvent {
        data: part.unwrap_or_else(|| data(table, request)),
        event,
        received: request.received,
        deliveries: intents.into_iter().map(|intent| intent.subscription).collect(),
        failures: failures.into_iter().map(Into::into).collect(),
    }
}

/// Sends what was accepted, and then a little of what others have left. It goes on after the answer, as long as the instance lives.
pub(crate) fn send(table: Rc<Table>, units: Vec<Unit>) {
    spin_sdk::wasip3::spawn(async move {
        join_all(units.into_iter().map(|unit| delivery::run(&table, unit))).await;
        drain_a_little(&table).await;
    });
}

/// The event's data: the body, or of a GET the query, from which goes what the scheme compares with its secret.
fn data(table: &Table, request: &types::Request) -> Vec<u8> {
    let verifier = match request.body.is_empty() {
        true => table.directory.source(&request.source),
        false => None,
    };
    let verifier = verifier.map(|source| Verifier::try_new("source", &source.verification));
    let url = match (request.body.is_empty(), verifier) {
        (true, Some(Ok(verifier))) => {
            let secret = |name: &str| verifier.credential_parameters().iter().any(|known| known == name);
            hide_parameters(&request.url, secret)
        }
        // A body is the data whatever the URL; the table was loaded with verifiers of the same configuration.
        _ => String::new(),
    };
    event_data(&request.method, &url, &request.body).to_vec()
}

fn internal(reason: &str) -> Fault {
    diagnostic::report(reason);
    Fault::Internal
}

/// Without a configuration nothing can be said. It may be there in a second: the sender is to try again, and why it is not there
/// is the operator's to know, by the log and by `GET /ready`.
fn unusable(error: &TableError) -> Fault {
    diagnostic::report(&error.to_string());
    match error {
        TableError::Store(_) => Fault::StateUnavailable { retry_after: RETRY_AFTER },
        _ => Fault::NotReady { retry_after: RETRY_AFTER },
    }
}

fn unavailable(error: &str) -> Fault {
    diagnostic::report(&format!("an event was not accepted: {error}"));
    Fault::StoreUnavailable { retry_after: RETRY_AFTER }
}

/// The reply as an HTTP response; one that HTTP cannot carry becomes an error.
fn response(reply: Reply) -> http::Response<Full<Bytes>> {
    build(reply).or_else(|_| build(internal("an answer cannot be written as HTTP").reply())).unwrap_or_else(
        |_| {
            let mut response = http::Response::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        },
    )
}

fn build(reply: Reply) -> Result<http::Response<Full<Bytes>>, http::Error> {
    let mut builder = http::Response::builder().status(reply.status);
    // RFC 9110, section 8.6: an answer that can have no body has no length either.
    if reply.status != StatusCode::NO_CONTENT.as_u16() {
        builder = builder.header(CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
    }
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
        for name in ["spin-client-addr", "x-spin", "spin-full-url", "te", "content-type"] {
            headers.insert(name, HeaderValue::from_static("value"));
        }
        let block = senders(&headers, Some("hooks.example"));
        let names: Vec<&str> = read_header_block(&block).unwrap().iter().map(|header| header.name).collect();
        assert_eq!(names, ["x-spin", "content-type", "host"]);
    }
}
