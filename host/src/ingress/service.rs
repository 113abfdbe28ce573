//! From a request to its answer.

use super::address::{self, ForwardedConfig, SourceAddress};
use super::record::Credentials;
use super::{body, record};
use crate::engine::{Decided, Engine, EngineError, FetchedDocument, InboundRequest};
use crate::store::{Commit, CommitOutcome, KeyOverlay, LeasedDelivery, NewEvent, Store, StoreError};
use crate::telemetry::{IngressMetrics, SourceMetrics};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::decision::{Fetch, RejectionCode};
use anglerfish_core::exchange::{Accepted, Answered, Cause, Committed, Exchange, RETRY_AFTER, Step};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

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

/// Takes requests in.
pub struct Ingress {
    config: IngressConfig,
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    outlet: Arc<dyn Outlet>,
    fetcher: Arc<dyn Fetcher>,
    metrics: IngressMetrics,
    /// By name; sources come and go at run time.
    sources: RwLock<HashMap<String, Arc<KnownSource>>>,
    unknown: Arc<KnownSource>,
    room: Semaphore,
}

/// A source that there is, or what stands for all those that there are not.
struct KnownSource {
    metrics: SourceMetrics,
    credentials: Credentials,
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
        let unknown = KnownSource { metrics: metrics.unknown_source(), credentials: Credentials::default() };
        let ingress = Self {
            engine,
            store,
            outlet,
            fetcher,
            metrics,
            sources: RwLock::default(),
            unknown: Arc::new(unknown),
            room,
            config,
        };
        for (name, credentials) in &ingress.config.credentials {
            ingress.put_source(name, credentials.clone());
        }
        ingress
    }

    /// Adds or replaces what is known of a source. To be called before the engine learns of it, so that no request to
    /// it is recorded with its secrets.
    pub fn put_source(&self, name: &str, credentials: Credentials) {
        let known = Arc::new(KnownSource { metrics: self.metrics.source(name), credentials });
        self.sources.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), known);
    }

    /// Forgets a source, after the engine has.
    pub fn delete_source(&self, name: &str) {
        self.sources.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The names of sources that do not exist are the senders' to choose: they are counted as one.
    fn source(&self, name: &str) -> Arc<KnownSource> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sources.get(name).unwrap_or(&self.unknown))
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
        let known = self.source(source);
        let mut length = 0;
        let answered = match self.read(source, request, peer, &mut length).await {
            // The place among the requests under way is kept until the answer is there.
            Ok((request, _place)) => self.exchange(&known, request).await,
            Err(fault) => fault.into(),
        };
        if let Some(cause) = &answered.cause {
            log(source, cause);
        }
        known.metrics.request(answered.conclusion.into(), length as u64);
        response(answered.reply)
    }

    /// Reads a request within the limits.
    async fn read(
        &self,
        source: &str,
        request: Request<Incoming>,
        peer: SocketAddr,
        length: &mut usize,
    ) -> Result<(InboundRequest, SemaphorePermit<'_>), Fault> {
        if !matches!(*request.method(), Method::POST | Method::GET | Method::HEAD) {
            return Err(Fault::MethodNotAllowed);
        }
        let Ok(place) = self.room.try_acquire() else {
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
        Ok((inbound, place))
    }

    /// Takes the steps from the first decision to the answer.
    async fn exchange(self: &Arc<Self>, known: &Arc<KnownSource>, request: InboundRequest) -> Answered {
        let mut request = Arc::new(request);
        let mut exchange = Exchange::default();
        let mut keys = KeyOverlay::default();
        let mut step = Step::Decide;
        loop {
            step = match step {
                Step::Decide => match self.decide(&request).await {
                    Ok(Decided { decision, keys: decided }) => {
                        keys = decided;
                        exchange.handle_decision(decision)
                    }
                    Err(fault) => return fault.into(),
                },
                Step::Fetch(wanted) => {
                    let documents = self.fetcher.fetch(wanted).await;
                    Arc::make_mut(&mut request).fetched.extend(documents);
                    Step::Decide
                }
                Step::Commit(accepted) => {
                    let keys = std::mem::take(&mut keys);
                    let committed = match accepted {
                        None => self.commit(keys, None, request.received).await,
                        Some(accepted) => self.accept(known, &request, *accepted, keys).await,
                    };
                    exchange.handle_committed(committed)
                }
                Step::Answer(answered) => return *answered,
            };
        }
    }

    async fn decide(&self, request: &Arc<InboundRequest>) -> Result<Decided, Fault> {
        let started = Instant::now();
        let decided = self.engine.decide(Arc::clone(request)).await.map_err(engine_fault);
        self.metrics.decided(started.elapsed());
        decided
    }

    /// Commits an accepted event and hands its deliveries on.
    ///
    /// A sender that hangs up meanwhile drops only the answer: the deliveries of a committed event are handed on in a
    /// task of their own.
    async fn accept(
        self: &Arc<Self>,
        known: &Arc<KnownSource>,
        request: &InboundRequest,
        accepted: Accepted,
        keys: KeyOverlay,
    ) -> Committed {
        let Accepted { event, intents, failures } = accepted;
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
        let new = NewEvent {
            event,
            request: record::record(&request.method, &request.url, &request.headers, &known.credentials),
            data: request.body.clone(),
            received: request.received,
            subscriptions: intents.into_iter().map(|intent| intent.subscription).collect(),
        };
        let (ingress, now) = (Arc::clone(self), request.received);
        let committed = tokio::spawn(async move { ingress.commit(keys, Some(new), now).await });
        committed.await.unwrap_or(Committed::Failed(Fault::Internal))
    }

    async fn commit(&self, keys: KeyOverlay, event: Option<NewEvent>, now: UnixMillis) -> Committed {
        if event.is_none() && keys.writes.is_empty() {
            return Committed::Stored { deliveries: 0 };
        }
        let started = Instant::now();
        let outcome = match self.store.commit(Commit { keys, event, now }).await {
            Ok(outcome) => outcome,
            Err(error) => return Committed::Failed(store_fault(&error)),
        };
        self.metrics.committed(started.elapsed());
        match outcome {
            CommitOutcome::Committed { deliveries, .. } => {
                let count = deliveries.len();
                if count > 0 {
                    self.outlet.offer(deliveries);
                }
                Committed::Stored { deliveries: count }
            }
            CommitOutcome::Conflict => Committed::Conflict,
        }
    }
}

/// Tells the operator why there is no event.
fn log(source: &str, cause: &Cause) {
    match cause {
        Cause::Defect(reason) => tracing::error!(source, reason, "no decision"),
        Cause::Rejected(rejection) if rejection.code == RejectionCode::StateUnavailable => {
            tracing::error!(source, reason = rejection.reason, "the state cannot be used");
        }
        Cause::Rejected(rejection) => {
            tracing::debug!(source, code = %rejection.code, reason = rejection.reason, "rejected");
        }
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
