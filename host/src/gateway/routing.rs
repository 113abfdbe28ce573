//! The routing table as the subscriptions' registry sees it.

use super::config::{inert, unknown_wildcards, unserved, unsigned};
use crate::clock::WallClock;
use crate::delivery::{RenderError, Renderer};
use crate::document::DocumentDecider;
use crate::engine::{DocumentAnswer, DocumentQuestion, Engine, EngineError, InboundRequest, TableError};
use crate::outbound::endpoint_problem;
use crate::rejection::Explainer;
use crate::store::{KeyOverlay, LeasedDelivery, Store, StoreError, StoredFollower};
use crate::subscription::{PastEvent, Routing, RoutingError, Verdict, VerdictOutcome};
use crate::telemetry::{Activity, FilterActivity, Latch};
use anglerfish_core::config::{NotificationConfig, OrderingConfig, ResourceConfig, SubscriptionConfig};
use anglerfish_core::decision;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::{Header, UnixMillis};
use anglerfish_core::resource::ResourcePattern;
use anglerfish_core::router::{
    self, Explanation, RenderConfig, Rendered, RoutingInterest, RoutingResource, RoutingSource,
    RoutingSubscription, SourceFacts,
};
use anglerfish_core::verify::{BodyForm, Verifier};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Notify;

/// The engine behind what the registry asks of routing.
pub(super) struct EngineRouting {
    /// What notes since when subscriptions of resources are.
    store: Arc<dyn Store>,
    /// Told when a subscriber is noted that is to be told of what was there before.
    backfill: Arc<Notify>,
    current: RwLock<Arc<Engine>>,
    left_out: Mutex<LeftOut>,
    /// Where the subscribers of passive subscriptions come, if anywhere.
    out: Option<SocketAddr>,
    /// Whether a proxy is given the names of endpoints.
    proxy_resolves: bool,
    clock: WallClock,
    /// What is known of sources that somebody asked for; forgotten when any of them is another one.
    json_fields: RwLock<HashMap<String, Arc<[String]>>>,
}

/// Stored subscriptions that the table has no room for. As long as there are some, the gateway is not ready.
#[derive(Debug, Default)]
struct LeftOut {
    ids: BTreeSet<String>,
    latch: Option<Latch>,
}

impl EngineRouting {
    /// Wraps an engine.
    pub(super) fn new(
        engine: Arc<Engine>,
        store: Arc<dyn Store>,
        out: Option<SocketAddr>,
        proxy_resolves: bool,
        clock: WallClock,
    ) -> Self {
        Self {
            store,
            backfill: Arc::default(),
            current: RwLock::new(engine),
            left_out: Mutex::default(),
            out,
            proxy_resolves,
            clock,
            json_fields: RwLock::default(),
        }
    }

    /// From now on this engine is in use; calls under way end on the old one, which is returned.
    pub(super) fn replace(&self, engine: Arc<Engine>) -> Arc<Engine> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, engine);
        drop(current);
        self.forget_fields();
        old
    }

    /// The fields of a source's forms that hold JSON, besides `payload`.
    pub(super) fn json_fields(&self, source: &str) -> Arc<[String]> {
        let known = self.json_fields.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned();
        known.unwrap_or_else(|| {
            // The lock is held, so that what is found of an old source is not noted behind its forgetting.
            let mut known = self.json_fields.write().unwrap_or_else(PoisonError::into_inner);
            let sources = self.engine().sources();
            let found = sources.iter().find(|known| known.name == source);
            let fields: Arc<[String]> =
                found.map(|source| source_facts(source).json_fields.into()).unwrap_or_default();
            // A source that is gone is not noted: its name is anybody's.
            if found.is_some() {
                known.insert(source.to_owned(), Arc::clone(&fields));
            }
            fields
        })
    }

    fn forget_fields(&self) {
        self.json_fields.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What filters matched is counted here, also by the engine that takes the place of this one.
    pub(super) fn counts(&self) -> FilterActivity {
        self.engine().activity().clone()
    }

    fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds or replaces a source.
    pub(super) async fn put_source(&self, source: RoutingSource) -> Result<(), RoutingError> {
        let put = self.engine().put_source(source).await;
        self.forget_fields();
        Ok(put?)
    }

    /// Removes a source that no subscription names.
    pub(super) async fn delete_source(&self, name: &str) -> Result<(), RoutingError> {
        let deleted = self.engine().delete_source(name).await;
        self.forget_fields();
        Ok(deleted?)
    }

    /// Changes which subscriptions are left out, and what readiness says of them.
    fn leave_out(&self, change: impl FnOnce(&mut BTreeSet<String>) -> bool) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if !change(&mut left_out.ids) {
            return;
        }
        let count = left_out.ids.len();
        left_out.latch = left_out.ids.first().map(|first| {
            let reason =
                format!("{count} subscription(s) do not fit into `server.memory_limit`: {first:?} …");
            self.engine().supervisor().hold(reason)
        });
    }

    /// What a subscription of a resource had it has no more.
    async fn dismiss(&self, id: &str) -> Result<(), RoutingError> {
        self.store.dismiss(id).await.map_err(|error| RoutingError::Unavailable(error.to_string()))
    }

    /// Told when a subscriber is noted that is to be told of what was there before.
    pub(super) fn backfill(&self) -> Arc<Notify> {
        Arc::clone(&self.backfill)
    }

    /// A subscription of a resource, with since when it is one: a new one is noted as that.
    pub(super) async fn interested(
        &self,
        subscription: &SubscriptionConfig,
    ) -> Result<RoutingSubscription, RoutingError> {
        let (routing, is_told) = interested(&*self.store, subscription, self.clock.now())
            .await
            .map_err(|error| RoutingError::Unavailable(error.to_string()))?;
        if is_told {
            self.backfill.notify_one();
        }
        Ok(routing)
    }

    /// Notes the filters that the table has, where others were noted of a configuration that was not put in use.
    pub(super) async fn put_back(&self) -> Result<(), RoutingError> {
        let engine = self.engine();
        let unavailable = |error: StoreError| RoutingError::Unavailable(error.to_string());
        for noted in self.store.followers().await.map_err(unavailable)? {
            let Some(mut known) = engine.subscription(&noted.subscription) else { continue };
            let Some(before) = known.interest.take() else { continue };
            if before.resource == noted.resource && before.filter_since == noted.filter_since {
                continue;
            }
            let filter = known.filter.as_deref();
            let enrolled = self.store.enrol(&known.id, &before.resource, false, filter, self.clock.now());
            known.interest = Some(interest(enrolled.await.map_err(unavailable)?, before.every));
            engine.put_subscription(known).await?;
            self.backfill.notify_one();
        }
        Ok(())
    }

    /// What is wrong with a subscription of a resource.
    fn review_notification(&self, subscription: &SubscriptionConfig) -> Vec<Problem> {
        let Some(notification) = &subscription.notification else { return Vec::new() };
        let filter = subscription.filter.as_deref().map(router::check_document_filter);
        let mut problems: Vec<Problem> = filter.and_then(Result::err).into_iter().flatten().collect();
        let resource = self.engine().resource(&notification.resource);
        let pattern = resource.map(|resource| ResourcePattern::parse(&resource.endpoint));
        match (pattern, &subscription.endpoint) {
            (None, _) => {
                let message = format!("there is no resource {:?}", notification.resource);
                problems.push(Problem::new("resource", message));
            }
            (Some(Ok(pattern)), Some(endpoint)) => {
                problems.extend(unknown_wildcards(notification, endpoint, &pattern));
            }
            _ => {}
        }
        problems
    }

    /// A problem for each of these sources that there is not.
    fn unknown(&self, sources: &[String]) -> Vec<Problem> {
        let engine = self.engine();
        let unknown = sources.iter().enumerate().filter(|(_, name)| !engine.has_source(name));
        unknown
            .map(|(index, name)| {
                Problem::new(format!("sources[{index}]"), format!("there is no source {name:?}"))
            })
            .collect()
    }
}

/// A subscription of a resource, with since when it is one, and whether it is being told of what was there before. A new one is
/// noted.
pub(super) async fn interested(
    store: &dyn Store,
    subscription: &SubscriptionConfig,
    now: UnixMillis,
) -> Result<(RoutingSubscription, bool), StoreError> {
    let mut routing = RoutingSubscription::from(subscription);
    let Some(notification) = &subscription.notification else { return Ok((routing, false)) };
    let NotificationConfig { resource, backfill, every, .. } = &**notification;
    let filter = subscription.filter.as_deref();
    let noted = store.enrol(&subscription.id, resource, *backfill, filter, now).await?;
    let is_told = noted.backfilled.is_some();
    routing.interest = Some(interest(noted, *every));
    Ok((routing, is_told))
}

/// What the table knows of a subscriber of the store.
fn interest(noted: StoredFollower, every: bool) -> RoutingInterest {
    let StoredFollower { resource, generation, filter_since, former, .. } = noted;
    RoutingInterest { resource, generation, every, filter_since, former }
}

#[async_trait]
impl Explainer for EngineRouting {
    async fn explain(&self, request: &InboundRequest) -> Result<Explanation, String> {
        self.engine().explain(request.clone()).await.map_err(|error| error.to_string())
    }
}

impl fmt::Debug for EngineRouting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EngineRouting").finish_non_exhaustive()
    }
}

#[async_trait]
impl Renderer for EngineRouting {
    async fn render(&self, delivery: &LeasedDelivery) -> Result<Rendered, RenderError> {
        let LeasedDelivery { subscription, event, headers, data, created, .. } = delivery;
        let (headers, data) = (Arc::clone(headers), data.clone());
        let made = self.engine().render(subscription.clone(), event.clone(), headers, data, *created).await;
        match made {
            Ok(made) => made.map_err(RenderError::Unfit),
            Err(error) => Err(RenderError::Unavailable(error.to_string())),
        }
    }
}

#[async_trait]
impl DocumentDecider for EngineRouting {
    async fn ask(&self, question: DocumentQuestion) -> Result<(DocumentAnswer, KeyOverlay), EngineError> {
        self.engine().document(question).await
    }

    async fn put_resource(&self, resource: &ResourceConfig) -> Result<(), TableError> {
        self.engine().put_resource(RoutingResource::from(resource)).await
    }

    async fn delete_resource(&self, id: &str) -> Result<(), TableError> {
        self.engine().delete_resource(id).await
    }

    fn knows(&self, follower: &StoredFollower) -> bool {
        let known = self.engine().subscription(&follower.subscription).and_then(|known| known.interest);
        known.is_some_and(|known| {
            known.resource == follower.resource && known.filter_since == follower.filter_since
        })
    }

    async fn caught_up(&self, follower: &StoredFollower) -> Result<(), TableError> {
        // Whoever writes another filter of it writes it with what the store has then.
        if !self.knows(follower) {
            return Ok(());
        }
        let engine = self.engine();
        let Some(mut known) = engine.subscription(&follower.subscription) else { return Ok(()) };
        let every = known.interest.as_ref().is_some_and(|interest| interest.every);
        known.interest = Some(interest(follower.clone(), every));
        engine.put_subscription(known).await
    }
}

#[async_trait]
impl Routing for EngineRouting {
    fn review(&self, sources: &[String], filter: Option<&str>) -> Vec<Problem> {
        let mut problems = self.unknown(sources);
        if let Some(Err(found)) = filter.map(router::check_filter) {
            problems.extend(found);
        }
        problems
    }

    fn warnings(&self, subscription: &SubscriptionConfig) -> Vec<Problem> {
        let sources = self.engine().sources();
        let facts: Vec<SourceFacts<'_>> = sources.iter().map(source_facts).collect();
        let mut warnings = match subscription.notification {
            None => router::review_filter(&RoutingSubscription::from(subscription), &facts),
            Some(_) => Vec::new(),
        };
        let endpoint = subscription.endpoint.as_ref();
        let refused = endpoint.and_then(|endpoint| endpoint_problem(endpoint, self.proxy_resolves));
        warnings.extend(refused.map(|reason| Problem::new("endpoint.url", reason)));
        warnings.extend(unserved(subscription, self.out));
        warnings.extend(inert(subscription));
        warnings.extend(unsigned(subscription, self.clock.now()));
        warnings
    }

    async fn check(&self, subscription: &SubscriptionConfig) -> Result<(), RoutingError> {
        let problems = match subscription.notification {
            None => self.review(&subscription.sources, subscription.filter.as_deref()),
            Some(_) => self.review_notification(subscription),
        };
        if problems.is_empty() { Ok(()) } else { Err(RoutingError::Invalid(problems)) }
    }

    async fn put(&self, subscription: &SubscriptionConfig) -> Result<(), RoutingError> {
        self.check(subscription).await?;
        let known = self.engine().subscription(&subscription.id);
        if subscription.notification.is_none() && known.is_some_and(|known| known.interest.is_some()) {
            self.dismiss(&subscription.id).await?;
        }
        self.engine().put_subscription(self.interested(subscription).await?).await?;
        if subscription.notification.is_some() {
            return Ok(());
        }
        let SubscriptionConfig { id, sources, filter, .. } = subscription;
        self.engine().activity().put(id, sources, filter.as_deref(), self.clock.now());
        self.leave_out(|ids| ids.remove(&subscription.id));
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), RoutingError> {
        let known = self.engine().subscription(id);
        self.engine().delete_subscription(id).await?;
        if known.is_some_and(|known| known.interest.is_some()) {
            self.dismiss(id).await?;
        }
        self.engine().activity().remove(id);
        self.leave_out(|ids| ids.remove(id));
        Ok(())
    }

    fn left_out(&self, id: &str) {
        self.leave_out(|ids| ids.insert(id.to_owned()));
    }

    fn activity(&self, id: &str, now: UnixMillis) -> Option<Activity> {
        self.engine().activity().of(id, now)
    }

    async fn missing_fields(&self, filter: &str, bodies: Vec<Bytes>) -> Result<Vec<String>, RoutingError> {
        let filter = filter.to_owned();
        let engine = self.engine();
        let missing =
            engine.aside(move || router::missing_fields(&filter, bodies.iter().map(|body| &**body)));
        Ok(missing.await?)
    }

    async fn route(&self, event: PastEvent) -> Result<decision::Routing, RoutingError> {
        let PastEvent { event, headers, data, received } = event;
        let routed = self.engine().route(event, headers, data, received).await;
        routed.map_err(|error: EngineError| RoutingError::Unavailable(error.to_string()))
    }

    async fn explain(&self, event: PastEvent, only: Option<&str>) -> Result<Vec<Verdict>, RoutingError> {
        let PastEvent { event, headers, data, received } = event;
        let verdicts =
            self.engine().explain_event(event, headers, data, received, only.map(str::to_owned)).await?;
        Ok(verdicts.into_iter().map(verdict).collect())
    }

    async fn explain_with(
        &self,
        event: PastEvent,
        sources: &[String],
        filter: Option<&str>,
    ) -> Result<Verdict, RoutingError> {
        let unknown = self.unknown(sources);
        if !unknown.is_empty() {
            return Err(RoutingError::Invalid(unknown));
        }
        let subscription = RoutingSubscription {
            id: String::new(),
            sources: sources.to_vec(),
            filter: filter.map(str::to_owned),
            ordering: OrderingConfig::None,
            render: RenderConfig::default(),
            interest: None,
        };
        let engine = self.engine();
        let tried = engine.aside(move || {
            let PastEvent { event, headers, data, received } = event;
            let headers: Vec<Header<'_>> =
                headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
            router::explain_once(&subscription, &event, &headers, &data, received)
        });
        tried.await?.map(verdict).map_err(RoutingError::Invalid)
    }

    async fn render(
        &self,
        event: PastEvent,
        made: RenderConfig,
    ) -> Result<Result<String, String>, RoutingError> {
        let path = if made.data.is_empty() { "transform" } else { "data" };
        let engine = self.engine();
        let tried = engine.aside(move || {
            let PastEvent { event, headers, data, received } = event;
            let headers: Vec<Header<'_>> =
                headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
            router::render_once(&made, &event, &headers, &data, received)
        });
        let text = |made: Rendered| String::from_utf8(made.body.unwrap_or_default()).unwrap_or_default();
        tried.await?.map(|made| made.map(text)).map_err(|mut problems| {
            problems.iter_mut().for_each(|problem| problem.path = path.to_owned());
            RoutingError::Invalid(problems)
        })
    }
}

impl From<EngineError> for RoutingError {
    fn from(error: EngineError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<TableError> for RoutingError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Problems(problems) => Self::Invalid(problems),
            TableError::Full(reason) => Self::Full(reason),
            TableError::Engine(error) => error.into(),
        }
    }
}

fn verdict(verdict: router::Verdict) -> Verdict {
    Verdict {
        subscription: verdict.subscription,
        outcome: match verdict.outcome {
            router::VerdictOutcome::Match => VerdictOutcome::Match,
            router::VerdictOutcome::NoMatch => VerdictOutcome::NoMatch,
            router::VerdictOutcome::Error => VerdictOutcome::Error,
        },
        reason: verdict.reason,
    }
}

/// What is known of a source's bodies.
pub(super) fn source_facts(source: &RoutingSource) -> SourceFacts<'_> {
    let verifier = Verifier::try_new("", &source.verification);
    let body = verifier.as_ref().map_or(BodyForm::Any, Verifier::body_form);
    let json_fields = verifier.map(|verifier| verifier.json_fields().to_vec()).unwrap_or_default();
    SourceFacts { name: &source.name, body, json_fields }
}
