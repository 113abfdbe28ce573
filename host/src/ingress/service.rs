//! From a request to its answer.

use super::address::{self, ForwardedConfig, SenderUrl, SourceAddress};
use super::budget::{BodyBudget, Share};
use super::finishing::Finishing;
use super::notice::{Told, copies, is_json_as_form, log, tell, tell_json_as_form};
use super::record::Credentials;
use super::reply::{engine_fault, response, store_fault};
use super::{body, record};
use crate::clock::{self, WallClock};
use crate::engine::{Decided, Engine, FetchedDocument, InboundRequest};
use crate::rejection::{Refusal, Rejections};
use crate::server::sender;
use crate::store::{
    Commit, CommitOutcome, FailedFilter, KeyOverlay, LeasedDelivery, NewEvent, Repetition, Store,
};
use crate::telemetry::{self, IngressMetrics, SharedRepeated, SourceMetrics, TRACE, TRACEPARENT};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::callback::read_callback_path;
use anglerfish_core::decision::{AcceptedEvent, Decision, Fetch, FilterFailure, Intent};
use anglerfish_core::exchange::{Accepted, Answered, Cause, Committed, Exchange, RETRY_AFTER, Step};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Body;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument;

/// As long as no more requests are under way, each is decided on the thread that has read it. Where there are more, they
/// are decided one after another by the threads that do nothing else, which costs less for all together.
const FEW: usize = 3;

/// Methods that some source may take.
const METHODS: [Method; 6] =
    [Method::POST, Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE];

/// How requests are taken in.
#[derive(Debug, Clone)]
pub struct IngressConfig {
    /// The longest body in bytes.
    pub body_limit: u64,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Requests with a whole body under way at once; more are answered 503.
    pub requests: usize,
    /// How many bytes all requests together may hold before they are verified.
    pub body_memory: u64,
    /// Whose `X-Forwarded-*` fields count.
    pub forwarded: ForwardedConfig,
    /// The sources, each with what of its requests is not kept.
    pub credentials: HashMap<String, Credentials>,
}

/// Where new deliveries go when they are on disk.
pub trait Outlet: Send + Sync {
    /// The intents of which deliveries are made; what else wants an event finds it in the log.
    fn to_deliver(&self, intents: Vec<Intent>) -> Vec<Intent> {
        intents
    }

    /// Takes leased deliveries; what it has no room for it gives back to the store.
    fn offer(&self, deliveries: Vec<LeasedDelivery>);

    /// Is told that deliveries of a subscription are due in the store.
    fn wake(&self, _subscription: &str) {}

    /// Takes what a commit has led to: new deliveries, leased, and subscriptions of which others became due.
    fn take(&self, deliveries: Vec<LeasedDelivery>, freed: &[String]) {
        if !deliveries.is_empty() {
            self.offer(deliveries);
        }
        freed.iter().for_each(|subscription| self.wake(subscription));
    }
}

/// Takes what comes in at the addresses of callbacks.
#[async_trait]
pub trait CallbackIntake: Send + Sync {
    /// Answers a request from somebody to the address of this name and token. Which methods it takes is for it to say.
    async fn take(&self, name: &str, token: &str, request: InboundRequest, peer: IpAddr) -> CallbackAnswer;
}

/// What whoever came to a callback is answered.
pub enum CallbackAnswer {
    /// This.
    Now(Reply),
    /// What a program chooses meanwhile. Whoever waits for that takes no place from others.
    Waits(BoxFuture<'static, Reply>),
}

impl From<Reply> for CallbackAnswer {
    fn from(reply: Reply) -> Self {
        Self::Now(reply)
    }
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
    live: RwLock<Arc<Live>>,
    store: Arc<dyn Store>,
    outlet: Arc<dyn Outlet>,
    fetcher: Arc<dyn Fetcher>,
    metrics: IngressMetrics,
    clock: WallClock,
    /// By name; sources come and go at run time.
    sources: RwLock<HashMap<String, Arc<KnownSource>>>,
    unknown: Arc<KnownSource>,
    budget: BodyBudget,
    rejections: Rejections,
    callbacks: Option<Arc<dyn CallbackIntake>>,
    trouble: SharedRepeated,
}

/// What requests go by; replaced as a whole, so that one request never sees half of each.
struct Live {
    config: IngressConfig,
    engine: Arc<Engine>,
    room: Arc<Semaphore>,
}

/// A source that there is, or what stands for all those that there are not.
struct KnownSource {
    metrics: SourceMetrics,
    credentials: Credentials,
    told: Told,
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
        clock: WallClock,
    ) -> Self {
        let budget = BodyBudget::new(config.body_memory);
        let credentials = config.credentials.clone();
        let room = Arc::new(Semaphore::new(config.requests));
        let unknown = KnownSource {
            metrics: metrics.unknown_source(),
            credentials: Credentials::default(),
            told: Told::default(),
        };
        let ingress = Self {
            live: RwLock::new(Arc::new(Live { config, engine, room })),
            store,
            outlet,
            fetcher,
            metrics,
            clock,
            sources: RwLock::default(),
            unknown: Arc::new(unknown),
            budget,
            rejections: Rejections::default(),
            callbacks: None,
            trouble: SharedRepeated::default(),
        };
        for (name, credentials) in credentials {
            ingress.put_source(&name, credentials);
        }
        ingress
    }

    /// Requests that come from now on go by another configuration and are decided by another engine; those under way
    /// end by the old ones.
    pub fn replace(&self, config: IngressConfig, engine: Arc<Engine>) {
        self.budget.resize(config.body_memory);
        let old = self.live();
        // Those under way keep their places, unless there are to be more or fewer of them.
        let room = if old.config.requests == config.requests {
            Arc::clone(&old.room)
        } else {
            Arc::new(Semaphore::new(config.requests))
        };
        // What is known of a source comes before the engine that takes its requests, and goes after it.
        for (name, credentials) in &config.credentials {
            self.put_source(name, credentials.clone());
        }
        let live = Arc::new(Live { config, engine, room });
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&live);
        for name in old.config.credentials.keys().filter(|name| !live.config.credentials.contains_key(*name))
        {
            self.delete_source(name);
        }
    }

    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what is refused there.
    #[must_use]
    pub fn with_rejections(self, rejections: Rejections) -> Self {
        Self { rejections, ..self }
    }

    /// Takes callbacks in, too.
    #[must_use]
    pub fn with_callbacks(self, callbacks: Arc<dyn CallbackIntake>) -> Self {
        Self { callbacks: Some(callbacks), ..self }
    }

    /// Adds or replaces what is known of a source. To be called before the engine learns of it, so that no request to
    /// it is recorded with its secrets.
    pub fn put_source(&self, name: &str, credentials: Credentials) {
        let known =
            Arc::new(KnownSource { metrics: self.metrics.source(name), credentials, told: Told::default() });
        self.sources.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), known);
    }

    /// What is known of a source, if there is one of this name.
    #[must_use]
    pub fn credentials(&self, name: &str) -> Option<Credentials> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.get(name).map(|known| known.credentials.clone())
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

    /// Answers one request to `/in/{source}`.
    pub async fn handle<B>(self: Arc<Self>, request: Request<B>, peer: SocketAddr) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let path = request.uri().path().to_owned();
        self.handle_as(request, peer, &path).await
    }

    /// Answers one request that is taken for one to `inner`: where the gateway is mounted below some path, the request's own
    /// URL is what its sender wrote and may have signed.
    pub async fn handle_as<B>(
        self: Arc<Self>,
        request: Request<B>,
        peer: SocketAddr,
        inner: &str,
    ) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let path = request.uri().path().to_owned();
        let live = self.live();
        let below = inner.strip_prefix(live.config.forwarded.prefix.as_str()).unwrap_or(inner);
        if let (Some(callbacks), Some((name, token))) = (&self.callbacks, read_callback_path(below)) {
            let mut length = 0;
            let by = sender(request.headers(), peer.ip(), &live.config.forwarded.trusted);
            let answer = match self.read(&live, "callback", request, peer, &mut length).await {
                Ok((request, _held, _place)) => callbacks.take(name, token, request, by).await,
                Err(fault) => fault.reply().into(),
            };
            return response(match answer {
                CallbackAnswer::Now(reply) => reply,
                CallbackAnswer::Waits(reply) => reply.await,
            });
        }
        let SourceAddress::Source(source) = SourceAddress::from_path(inner, &live.config.forwarded.prefix)
        else {
            return response(Fault::NotFound.reply());
        };
        let known = self.source(source);
        let mut refusal = Refusal {
            source,
            known: !Arc::ptr_eq(&known, &self.unknown),
            peer: sender(request.headers(), peer.ip(), &live.config.forwarded.trusted),
            method: request.method().clone(),
            path: &path,
            request: None,
        };
        let span = tracing::trace_span!(target: TRACE, "ingress", source);
        telemetry::follow(&span, request.headers());
        let mut length = 0;
        let read = async {
            // Which of them a source takes is for the decision to say.
            if !METHODS.contains(request.method()) {
                return Err(Fault::MethodNotAllowed);
            }
            self.read(&live, source, request, peer, &mut length).await
        };
        let answered = match read.instrument(span.clone()).await {
            // The place among the requests under way is kept until the answer is there.
            Ok((request, held, _place)) => {
                let mut request = Arc::new(request);
                let exchange = self.exchange(&live, &known, &mut request, held);
                let answered = exchange.instrument(span).await;
                refusal.request = Some(request);
                if let Some(Cause::Rejected(rejection)) = &answered.cause {
                    let code = rejection.code.to_string();
                    self.rejections.record(&refusal, answered.reply.status, &code, &rejection.reason);
                }
                answered
            }
            Err(fault) => {
                // What is refused for the sake of others says nothing about the request, and comes in floods.
                if !matches!(fault, Fault::Overloaded { .. } | Fault::TooManyRequests { .. }) {
                    self.rejections.record(&refusal, fault.status(), fault.code(), &fault.detail());
                }
                fault.into()
            }
        };
        if let Some(cause) = &answered.cause {
            log(source, cause, &self.trouble);
        }
        known.metrics.request(answered.conclusion, length as u64);
        response(answered.reply)
    }

    /// Reads a request within the limits.
    async fn read<'a, B>(
        &self,
        live: &'a Live,
        source: &str,
        request: Request<B>,
        peer: SocketAddr,
        length: &mut usize,
    ) -> Result<(InboundRequest, Share, SemaphorePermit<'a>), Fault>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let IngressConfig { body_limit, body_timeout, forwarded, .. } = &live.config;
        let SenderUrl { url, added_prefix } = address::url(&request, peer, forwarded);
        let (parts, incoming) = request.into_parts();
        let head = head_length(&parts);
        let (body, held) = body::read(incoming, head, *body_limit, *body_timeout, &self.budget).await?;
        *length = body.len();
        // Only now: whoever keeps others waiting for its body takes no place from them.
        let Ok(place) = live.room.try_acquire() else {
            return Err(Fault::Overloaded { retry_after: RETRY_AFTER });
        };
        let received = self.clock.now();
        let inbound = InboundRequest {
            id: clock::request_id(received),
            source: source.to_owned(),
            method: parts.method,
            url,
            headers: address::message_fields(parts.headers, &parts.uri),
            body,
            received,
            added_prefix,
            fetched: Vec::new(),
        };
        Ok((inbound, held, place))
    }

    /// Takes the steps from the first decision to the answer.
    async fn exchange(
        self: &Arc<Self>,
        live: &Live,
        known: &Arc<KnownSource>,
        request: &mut Arc<InboundRequest>,
        held: Share,
    ) -> Answered {
        // The budget is for what is neither verified nor refused.
        let mut held = Some(held);
        let mut exchange = Exchange::default();
        let mut keys = KeyOverlay::default();
        let mut step = Step::Decide;
        loop {
            step = match step {
                Step::Decide => match self.decide(live, request).await {
                    Ok(Decided { decision, keys: decided }) => {
                        keys = decided;
                        if let Decision::Duplicate(duplicate) = &decision {
                            self.repeated(request, &duplicate.ids).await;
                        }
                        exchange.handle_decision(decision)
                    }
                    Err(fault) => return fault.into(),
                },
                Step::Fetch(wanted) => {
                    let documents = self.fetcher.fetch(wanted).await;
                    Arc::make_mut(request).fetched.extend(documents);
                    Step::Decide
                }
                Step::Commit(accepted) => {
                    held.take();
                    let keys = std::mem::take(&mut keys);
                    let committed = match accepted {
                        None => {
                            let shown = copies(&request.source, &keys);
                            let committed =
                                self.commit(Commit { keys, ..Commit::new(request.received) }).await;
                            if matches!(committed, Committed::Stored { .. }) {
                                tell(request, &shown, &known.told.copies);
                            }
                            committed
                        }
                        Some(accepted) => self.accept(known, request, *accepted, keys).await,
                    };
                    exchange.handle_committed(committed)
                }
                Step::Answer(answered) => return *answered,
            };
        }
    }

    async fn decide(&self, live: &Live, request: &Arc<InboundRequest>) -> Result<Decided, Fault> {
        let started = Instant::now();
        let span = tracing::trace_span!(target: TRACE, "decision");
        let under_way = live.config.requests.saturating_sub(live.room.available_permits());
        let decided = match under_way <= FEW {
            true => live.engine.decide(Arc::clone(request)).instrument(span).await,
            false => live.engine.decide_in_turn(Arc::clone(request)).instrument(span).await,
        };
        let decided = decided.map_err(engine_fault);
        self.metrics.decided(started.elapsed());
        decided
    }

    /// Keeps that events came again. What the sender reads does not depend on it: the events themselves are on disk.
    async fn repeated(&self, request: &InboundRequest, ids: &[String]) {
        let repetitions = repetitions(request, ids);
        if let Err(error) = self.store.commit(Commit { repetitions, ..Commit::new(request.received) }).await {
            let event = ids.first().map(String::as_str);
            tracing::warn!(source = request.source, event, %error, "a repetition was not counted");
        }
    }

    /// Commits accepted events and hands their deliveries on.
    ///
    /// A sender that hangs up meanwhile drops only the answer: the deliveries of a committed event are handed on
    /// nevertheless.
    async fn accept(
        self: &Arc<Self>,
        known: &Arc<KnownSource>,
        request: &InboundRequest,
        accepted: Accepted,
        keys: KeyOverlay,
    ) -> Committed {
        let Accepted { events, repeated, secret } = accepted;
        if is_json_as_form(request) {
            tell_json_as_form(request, &known.told.odd_bodies);
        }
        let mut accepted = Vec::with_capacity(events.len());
        for event in events {
            accepted.push(self.new_event(known, request, event, secret.as_ref()));
        }
        let told: Vec<(Vec<String>, Vec<String>)> = { accepted.iter() }
            .map(|new| {
                let failed = new.failures.iter().map(|failure| failure.subscription.clone());
                (new.subscriptions.clone(), failed.collect())
            })
            .collect();
        let commit = Commit {
            keys,
            events: accepted,
            repetitions: repetitions(request, &repeated),
            ..Commit::new(request.received)
        };
        let ingress = Arc::clone(self);
        let commit = async move { ingress.commit(commit).await };
        let committed = Finishing::new(commit.in_current_span()).await;
        if let Committed::Stored { .. } = committed {
            if let Some(secret) = &secret {
                self.metrics.verified(&request.source, secret);
            }
            let live = self.live();
            for (wanted, failed) in &told {
                let failed = failed.iter().map(String::as_str);
                let wanted = wanted.iter().map(String::as_str);
                live.engine.activity().record(&request.source, wanted, failed, request.received);
            }
        }
        committed
    }

    /// One accepted event as the log keeps it.
    fn new_event(
        &self,
        known: &KnownSource,
        request: &InboundRequest,
        accepted: AcceptedEvent,
        secret: Option<&String>,
    ) -> NewEvent {
        let AcceptedEvent { mut event, data: part, intents, failures } = accepted;
        // Its attempts go on this trace, whenever they are made.
        let came = request.headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        if let Some(parent) = telemetry::onward(came) {
            event.extensions.entry(TRACEPARENT.to_owned()).or_insert(parent);
        }
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
        let (record, data) = record::keep(request, &known.credentials, part);
        NewEvent {
            request: Some(record),
            secret: secret.cloned(),
            failures: { failures.into_iter() }
                .map(|FilterFailure { subscription, reason }| FailedFilter { subscription, reason })
                .collect(),
            ..NewEvent::new(event, data, request.received).wanted(self.outlet.to_deliver(intents))
        }
    }

    async fn commit(&self, commit: Commit) -> Committed {
        if commit.is_empty() {
            return Committed::Stored { deliveries: 0 };
        }
        let started = Instant::now();
        let commit = self.store.commit(commit).instrument(tracing::trace_span!(target: TRACE, "commit"));
        let outcome = match commit.await {
            Ok(outcome) => outcome,
            Err(error) => return Committed::Failed(store_fault(&error)),
        };
        self.metrics.committed(started.elapsed());
        match outcome {
            CommitOutcome::Committed { deliveries, parked, freed, .. } => {
                let count = deliveries.len() + parked;
                self.outlet.take(deliveries, &freed);
                Committed::Stored { deliveries: count }
            }
            CommitOutcome::Conflict => Committed::Conflict,
        }
    }
}

/// Events that a request brings again.
fn repetitions(request: &InboundRequest, ids: &[String]) -> Vec<Repetition> {
    let repetition = |id: &String| {
        tracing::debug!(source = request.source, event = id, "a repetition");
        Repetition { source: request.source.clone(), id: id.clone(), received: request.received }
    };
    ids.iter().map(repetition).collect()
}

/// About how much memory a head takes.
fn head_length(parts: &http::request::Parts) -> usize {
    let fields: usize =
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    parts.uri.path_and_query().map_or(0, |path| path.as_str().len()) + fields
}
