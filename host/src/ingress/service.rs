//! From a request to its answer.

use super::address::{self, ForwardedConfig, SourceAddress};
use super::record::Credentials;
use super::{body, record};
use crate::engine::{Decided, Engine, EngineError, FetchedDocument, InboundRequest};
use crate::store::{Commit, CommitOutcome, KeyOverlay, LeasedDelivery, NewEvent, Store, StoreError};
use crate::telemetry::{IngressMetrics, RequestOutcome, SourceMetrics};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::decision::{Acceptance, Decision, Fetch};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How requests are taken in.
#[derive(Debug, Clone)]
pub struct IngressConfig {
    /// The longest body in bytes.
    pub body_limit: u64,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Requests under way at once; more are answered 503.
    pub requests: usize,
    /// Whose `X-Forwarded-*` fields count.
    pub forwarded: ForwardedConfig,
    /// The sources, each with what of its requests is not kept.
    pub credentials: HashMap<String, Credentials>,
}

/// Where new deliveries go when they are on disk.
pub trait Outlet: Send + Sync {
    /// Takes leased deliveries; what it has no room for it gives back to the store.
    fn offer(&self, deliveries: Vec<LeasedDelivery>);
}

/// Gets the documents that decisions ask for.
#[async_trait]
pub trait Fetcher: Send + Sync {
    /// Fetches each of them, from the cache where that is allowed. A document that cannot be had is in the answer
    /// without a status.
    async fn fetch(&self, fetches: Vec<Fetch>) -> Vec<FetchedDocument>;
}

/// How often a decision is made anew because another one changed a key that it had read.
const MOST_CONFLICTS: usize = 8;

/// When to come back after an overload.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Takes requests in.
pub struct Ingress {
    config: IngressConfig,
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    outlet: Arc<dyn Outlet>,
    fetcher: Arc<dyn Fetcher>,
    metrics: IngressMetrics,
    /// By source: its metrics, and what is not kept.
    sources: HashMap<String, KnownSource>,
    unknown: SourceMetrics,
    room: Semaphore,
}

/// A source of the configuration.
struct KnownSource {
    metrics: SourceMetrics,
    credentials: Credentials,
}

/// An answer with what it is counted under.
struct Answered {
    reply: Reply,
    outcome: RequestOutcome,
}

impl Ingress {
    /// Puts the parts together.
    pub fn new(
        config: IngressConfig,
        engine: Arc<Engine>,
        store: Arc<dyn Store>,
        outlet: Arc<dyn Outlet>,
        fetcher: Arc<dyn Fetcher>,
        metrics: IngressMetrics,
    ) -> Self {
        let room = Semaphore::new(config.requests);
        let sources = config
            .credentials
            .iter()
            .map(|(name, credentials)| {
                let known = KnownSource { metrics: metrics.source(name), credentials: credentials.clone() };
                (name.clone(), known)
            })
            .collect();
        let unknown = metrics.unknown_source();
        Self { config, engine, store, outlet, fetcher, metrics, sources, unknown, room }
    }

    /// Answers one request.
    pub async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let SourceAddress::Source(source) = SourceAddress::from_path(&path) else {
            return response(Fault::NotFound.reply());
        };
        let mut length = 0;
        let answered = match self.answer(source, request, peer, &mut length).await {
            Ok(answered) => answered,
            Err(fault) => Answered { reply: fault.reply(), outcome: outcome_of_fault(fault) },
        };
        // The names of sources that do not exist are the senders' to choose: they are counted as one.
        let metrics = self.sources.get(source).map_or(&self.unknown, |known| &known.metrics);
        metrics.request(answered.outcome, length as u64);
        response(answered.reply)
    }

    async fn answer(
        self: &Arc<Self>,
        source: &str,
        request: Request<Incoming>,
        peer: SocketAddr,
        length: &mut usize,
    ) -> Result<Answered, Fault> {
        if !matches!(*request.method(), Method::POST | Method::GET | Method::HEAD) {
            return Err(Fault::MethodNotAllowed);
        }
        let Ok(_room) = self.room.try_acquire() else {
            return Err(Fault::Overloaded { retry_after: RETRY_AFTER });
        };
        let url = address::url(&request, peer, &self.config.forwarded);
        let (parts, incoming) = request.into_parts();
        let body = body::read(incoming, self.config.body_limit, self.config.body_timeout).await?;
        *length = body.len();
        let received = crate::clock::now();
        let inbound = InboundRequest {
            id: crate::clock::request_id(received),
            source: source.to_owned(),
            method: parts.method,
            url,
            headers: parts.headers,
            body,
            received,
            fetched: Vec::new(),
        };
        self.decide(Arc::new(inbound)).await
    }

    /// Decides and commits; a decision whose keys changed under it is made anew.
    async fn decide(self: &Arc<Self>, mut request: Arc<InboundRequest>) -> Result<Answered, Fault> {
        let (mut conflicts, mut fetches) = (0, 0);
        loop {
            let started = Instant::now();
            let Decided { decision, keys } =
                self.engine.handle(Arc::clone(&request)).await.map_err(engine_fault)?;
            self.metrics.decided(started.elapsed());
            let answered = match decision {
                Decision::Reject(rejection) => {
                    tracing::debug!(
                        source = request.source,
                        code = rejection.code,
                        reason = rejection.reason,
                        "rejected"
                    );
                    return Ok(Answered {
                        reply: Reply::rejected(rejection.status, rejection.code, &rejection.reason),
                        outcome: outcome_of_rejection(rejection.code),
                    });
                }
                Decision::Duplicate(duplicate) => {
                    return Ok(Answered {
                        reply: Reply::duplicate(&duplicate.id, duplicate.answer),
                        outcome: RequestOutcome::Duplicate,
                    });
                }
                Decision::Fetch(wanted) if fetches < Fetch::MOST_ROUNDS => {
                    fetches += 1;
                    // What was had before stays: a confirmation is asked for when its certificate is there.
                    let documents = self.fetcher.fetch(wanted).await;
                    Arc::make_mut(&mut request).fetched.extend(documents);
                    continue;
                }
                Decision::Fetch(_) => {
                    tracing::error!(
                        source = request.source,
                        "the component asks for documents again and again"
                    );
                    return Err(Fault::Internal);
                }
                Decision::Answer(answer) => {
                    let reply = Reply::answered(answer);
                    self.commit(keys, None, request.received)
                        .await?
                        .map(|_| Answered { reply, outcome: RequestOutcome::Answered })
                }
                Decision::Accept(acceptance) => self.accept(&request, acceptance, keys).await?,
            };
            match answered {
                Some(answered) => return Ok(answered),
                None if conflicts < MOST_CONFLICTS => conflicts += 1,
                None => return Err(Fault::Overloaded { retry_after: RETRY_AFTER }),
            }
        }
    }

    /// Commits an accepted event and hands its deliveries on; `None` if a key changed under the decision.
    ///
    /// A sender that hangs up meanwhile drops only the answer: the deliveries of a committed event are handed on in a
    /// task of their own.
    async fn accept(
        self: &Arc<Self>,
        request: &InboundRequest,
        acceptance: Acceptance,
        keys: KeyOverlay,
    ) -> Result<Option<Answered>, Fault> {
        let Acceptance { event, intents, failures, answer } = acceptance;
        if !failures.is_empty() {
            self.metrics.filters_failed(failures.len() as u64);
        }
        for failure in &failures {
            tracing::debug!(
                subscription = failure.subscription,
                event = event.id,
                reason = failure.reason,
                "a filter failed"
            );
        }
        let none = Credentials::default();
        let credentials = self.sources.get(&request.source).map_or(&none, |source| &source.credentials);
        let id = event.id.clone();
        let new = NewEvent {
            event,
            request: record::record(&request.method, &request.url, &request.headers, credentials),
            data: request.body.clone(),
            received: request.received,
            subscriptions: intents.into_iter().map(|intent| intent.subscription).collect(),
        };
        let (ingress, now) = (Arc::clone(self), request.received);
        let committed = tokio::spawn(async move {
            let deliveries = ingress.commit(keys, Some(new), now).await?;
            let count = deliveries.as_ref().map(Vec::len);
            if let Some(deliveries) = deliveries.filter(|deliveries| !deliveries.is_empty()) {
                ingress.outlet.offer(deliveries);
            }
            Ok(count)
        });
        let Some(count) = committed.await.unwrap_or(Err(Fault::Internal))? else { return Ok(None) };
        Ok(Some(Answered { reply: Reply::accepted(&id, count, answer), outcome: RequestOutcome::Accepted }))
    }

    async fn commit(
        &self,
        keys: KeyOverlay,
        event: Option<NewEvent>,
        now: UnixMillis,
    ) -> Result<Option<Vec<LeasedDelivery>>, Fault> {
        if event.is_none() && keys.writes.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let started = Instant::now();
        let outcome =
            self.store.commit(Commit { keys, event, now }).await.map_err(|error| store_fault(&error))?;
        self.metrics.committed(started.elapsed());
        match outcome {
            CommitOutcome::Committed { deliveries, .. } => Ok(Some(deliveries)),
            CommitOutcome::Conflict => Ok(None),
        }
    }
}

fn outcome_of_fault(fault: Fault) -> RequestOutcome {
    match fault {
        Fault::TooLarge { .. } => RequestOutcome::TooLarge,
        Fault::TooManyRequests { .. } | Fault::Overloaded { .. } => RequestOutcome::Overloaded,
        Fault::StoreUnavailable { .. } | Fault::Internal => RequestOutcome::Failed,
        Fault::NotFound | Fault::MethodNotAllowed | Fault::UnreadableBody | Fault::BodyTimeout => {
            RequestOutcome::Refused
        }
    }
}

fn outcome_of_rejection(code: &str) -> RequestOutcome {
    match code {
        "verification-failed" => RequestOutcome::Unverified,
        "provider-unavailable" | "state-unavailable" | "unknown-decision" => RequestOutcome::Failed,
        _ => RequestOutcome::Refused,
    }
}

fn engine_fault(error: EngineError) -> Fault {
    match error {
        EngineError::Overloaded | EngineError::Stopped => Fault::Overloaded { retry_after: RETRY_AFTER },
        EngineError::Trapped(_) | EngineError::Deadline => Fault::Internal,
    }
}

fn store_fault(error: &StoreError) -> Fault {
    tracing::error!(%error, "an event could not be stored");
    Fault::StoreUnavailable { retry_after: RETRY_AFTER }
}

/// Writes a reply; one that HTTP cannot carry becomes a 500.
fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    let Ok(status) = StatusCode::from_u16(reply.status) else { return response_of_fault() };
    *response.status_mut() = status;
    for (name, value) in reply.headers {
        match (HeaderName::try_from(name.as_ref()), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => response.headers_mut().append(name, value),
            _ => return response_of_fault(),
        };
    }
    response
}

fn response_of_fault() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
