//! Deliveries, as the rest of the gateway sees them.

use super::clock::Clock;
use super::driver::{Driver, DriverContext};
use super::endpoint::{BatchEndpoint, DocumentEndpoint, Endpoint, HttpEndpoint, Target, TargetError};
use super::filter::EndpointFilter;
use super::function::Functions;
use super::inbox::Message;
use super::metric::DeliveryMetrics;
use super::notice::{Notices, StandingNotice};
use super::passive::{self, PassiveRegistry, PassiveSettings, PassiveSubscription};
use super::render::{DocumentNotices, Renderer};
use super::report;
use super::roster::{Settings, StandingRecord};
use crate::clock::WallClock;
use crate::outbound::{Outbound, OutboundError, OutboundOptions, canonical};
use crate::store::{LeasedDelivery, Store, StoredStanding};
use crate::subscription::{
    Dispatch, LeaseReport, QueueReport, SendError, SendReport, StandingError, SubscriptionStanding,
};
use crate::supervision::Supervisor;
use anglerfish_core::config::{DeliveryConfig, DeliveryMode, RateConfig, SubscriptionConfig};
use anglerfish_core::delivery::{EngineConfig, SharedRate, Standing};
use anglerfish_core::problem::Problem;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// How much of the time for the end is kept for giving back what is not attempted any more: a quarter within these
/// bounds. The lower one holds also where there is no time at all.
const LAST_WAIT: std::ops::RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(2);

/// How long whoever stops a subscription waits to hear that it is written down: a store that has trouble is asked again for
/// longer than a caller would wait.
const STANDING: Duration = Duration::from_secs(5);

/// How long the driver may take to say how a subscription is doing.
const ANSWER: Duration = Duration::from_secs(2);

/// What all deliveries share.
#[derive(Debug)]
pub struct DeliveryOptions {
    /// What calls are made with; one of the system's own if there is none.
    pub outbound: Option<Outbound>,
    /// Where attempts are counted.
    pub metrics: DeliveryMetrics,
    /// How many attempts may run at once over all subscriptions.
    pub attempts: usize,
    /// How many attempts may start to a host in which time, over all subscriptions; by the host in its canonical form.
    pub host_rates: BTreeMap<String, RateConfig>,
    /// Who starts the driver again if it breaks down.
    pub supervisor: Supervisor,
    /// What makes of events what subscriptions ask for; without it nothing is sent for one that asks.
    pub renderer: Option<Arc<dyn Renderer>>,
    /// What takes the deliveries of subscriptions with `mode = "function"`.
    pub functions: Functions,
    /// What is news to the subscribers of resources; without it none of them is told anything.
    pub documents: Option<Arc<dyn DocumentNotices>>,
    /// What puts plugins in front of endpoints; without it a subscription that uses any is refused.
    pub filter: Option<Arc<dyn EndpointFilter>>,
    /// The clock of the gateway.
    pub clock: WallClock,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        let attempts = EngineConfig::default().attempts;
        Self {
            outbound: None,
            metrics: DeliveryMetrics::default(),
            attempts,
            host_rates: BTreeMap::new(),
            supervisor: Supervisor::default(),
            renderer: None,
            functions: Functions::default(),
            documents: None,
            filter: None,
            clock: WallClock::default(),
        }
    }
}

/// The deliveries of a gateway. Cheap to clone; all clones are one, and dropping the last one ends them.
#[derive(Clone)]
pub struct Deliveries {
    shared: Arc<Shared>,
}

struct Shared {
    around: DriverContext,
    passive: Arc<PassiveRegistry>,
    outbound: Outbound,
    renderer: Option<Arc<dyn Renderer>>,
    functions: Functions,
    documents: Option<Arc<dyn DocumentNotices>>,
    filter: Option<Arc<dyn EndpointFilter>>,
    clock: WallClock,
    host_rates: BTreeMap<String, RateConfig>,
    /// The policy that was put last.
    policy: Mutex<Arc<DeliveryConfig>>,
    runtime: Handle,
    supervisor: Supervisor,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.around.roster.close();
        self.around.inbox.send(Message::Abort);
        self.passive.stop();
        self.passive.abort();
    }
}

impl Deliveries {
    /// Makes ready for deliveries, on the runtime that this is called from. Nothing is leased or attempted before
    /// [`Deliveries::start`].
    ///
    /// # Errors
    ///
    /// TLS cannot be set up.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn try_new(store: Arc<dyn Store>, options: DeliveryOptions) -> Result<Self, OutboundError> {
        let outbound = match options.outbound {
            Some(outbound) => outbound,
            None => Outbound::try_new(OutboundOptions::default())?,
        };
        let around = DriverContext {
            store,
            inbox: Arc::default(),
            roster: Arc::default(),
            metrics: options.metrics,
            notices: Notices::default(),
            clock: Clock::new(options.clock.clone()),
            config: EngineConfig {
                seed: seed(),
                attempts: options.attempts.max(1),
                ..EngineConfig::default()
            },
        };
        let runtime = Handle::current();
        let passive = PassiveRegistry::try_new(
            Arc::clone(&around.store),
            around.clock.clone(),
            Arc::clone(&around.roster),
            around.metrics.clone(),
            runtime.clone(),
        );
        let shared = Shared {
            around,
            passive: passive?,
            outbound,
            renderer: options.renderer,
            functions: options.functions,
            documents: options.documents,
            filter: options.filter,
            clock: options.clock,
            host_rates: options.host_rates,
            policy: Mutex::default(),
            runtime,
            supervisor: options.supervisor,
            task: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Lets deliveries begin. Once is enough.
    pub fn start(&self) {
        let mut task = self.shared.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_none() && !self.shared.around.roster.is_closed() {
            let around = self.shared.around.clone();
            let _runtime = self.shared.runtime.enter();
            self.shared.passive.start(&self.shared.supervisor);
            // One that breaks down is replaced, and its successor gives its leases back.
            *task =
                Some(self.shared.supervisor.spawn("deliveries", move || Driver::new(around.clone()).run()));
        }
    }

    /// What [`Deliveries::put`] would refuse, without doing it.
    ///
    /// # Errors
    ///
    /// What is wrong with the endpoint, with its place in the subscription.
    pub fn check(&self, subscription: &SubscriptionConfig) -> Result<(), Problem> {
        if !subscription.plugins.is_empty() {
            let without = || vec![Problem::new("plugins", "there are none here")];
            let problems =
                self.shared.filter.as_ref().map_or_else(without, |filter| filter.check(subscription));
            if let Some(problem) = problems.into_iter().next() {
                return Err(problem);
            }
        }
        match subscription.delivery.mode {
            DeliveryMode::Function => return self.shared.functions.check(subscription),
            DeliveryMode::Passive | DeliveryMode::Stream if subscription.endpoint.is_none() => return Ok(()),
            DeliveryMode::Push | DeliveryMode::Passive | DeliveryMode::Stream => {}
        }
        if let (Some(notification), Some(endpoint)) = (&subscription.notification, &subscription.endpoint) {
            let outbound = &self.shared.outbound;
            let targets = DocumentEndpoint::targets(endpoint, &subscription.delivery, notification, outbound);
            return targets.map(drop).map_err(Problem::from);
        }
        target(subscription, &self.shared.outbound).map(drop).map_err(Problem::from)
    }

    /// Starts delivering to a subscription, or gives it its new settings: attempts that run go on by the old ones.
    ///
    /// # Errors
    ///
    /// What is wrong with the endpoint, with its place in the subscription; all is as it was.
    pub fn put(&self, subscription: &SubscriptionConfig) -> Result<(), Problem> {
        self.check(subscription)?;
        let policy = self.policy(&subscription.delivery);
        let (id, outbound) = (subscription.id.clone(), self.shared.outbound.clone());
        let renderer = self.shared.renderer.clone();
        let (mode, has_endpoint) = (policy.mode, subscription.endpoint.is_some());
        let tokens = subscription.tokens.clone();
        let shared =
            subscription.endpoint.as_ref().and_then(|endpoint| self.host_rate(endpoint.url.reveal()));
        // A client is made with the first attempt: most subscriptions are idle. That it can be made was just seen. Until
        // then no more is kept than it takes.
        let (kept, its) = (subscription.endpoint.clone().map(Box::new), Arc::clone(&policy));
        let function = self.shared.functions.get(&id).filter(|_| mode == DeliveryMode::Function);
        let flow = { subscription.flow.clone() }.map(|name| Box::new((self.shared.functions.clone(), name)));
        let notification = subscription.notification.as_deref().cloned().map(Arc::new);
        let documents = self.shared.documents.clone();
        let clock = self.shared.clock.clone();
        let (filter, uses) = (self.shared.filter.clone(), subscription.plugins.clone());
        let filtered = move |endpoint: Arc<dyn Endpoint>| match &filter {
            Some(filter) if !uses.is_empty() => filter.filtered(uses.clone(), endpoint),
            _ => endpoint,
        };
        let endpoint = move || {
            if let Some((functions, name)) = flow.as_deref() {
                return functions.flow(name).map(&filtered);
            }
            if let Some(function) = &function {
                return Some(filtered(Arc::clone(function)));
            }
            if let Some(notification) = &notification {
                let (kept, documents) = (kept.as_deref()?, documents.clone()?);
                let around = (documents, clock.clone());
                let endpoint = DocumentEndpoint::try_new(kept, &its, notification, &outbound, around);
                return endpoint.ok().map(|endpoint| Arc::new(endpoint) as Arc<dyn Endpoint>);
            }
            let target = Target::try_new(kept.as_deref()?, &its, &outbound).ok()?;
            let http = HttpEndpoint { target, renderer: renderer.clone(), clock: clock.clone() };
            // Plugins judge each event, before it is put beside others.
            Some(match its.batch {
                Some(batch) => filtered(Arc::new(BatchEndpoint::new(http, batch, its.concurrency))),
                None => filtered(Arc::new(http)),
            })
        };
        let settings = Arc::new(Settings { policy, shared, endpoint: Box::new(endpoint) });
        match mode {
            // Of a stream deliveries are kept that were made before it was one.
            DeliveryMode::Push | DeliveryMode::Stream | DeliveryMode::Function => self.let_go_of_passive(&id),
            DeliveryMode::Passive => {
                let settings = Arc::clone(&settings);
                self.shared
                    .passive
                    .put(id.as_str().into(), PassiveSettings { tokens, settings, has_endpoint });
            }
        }
        self.put_settings(&id, settings);
        Ok(())
    }

    /// The same with an endpoint of the caller's: a function of this process, say.
    pub fn put_endpoint(&self, id: &str, policy: DeliveryConfig, endpoint: Arc<dyn Endpoint>) {
        let endpoint = Box::new(move || Some(Arc::clone(&endpoint)));
        self.let_go_of_passive(id);
        self.put_settings(id, Arc::new(Settings { policy: Arc::new(policy), shared: None, endpoint }));
    }

    /// A policy, shared with the subscription that was put before if that has the same: most have.
    fn policy(&self, policy: &DeliveryConfig) -> Arc<DeliveryConfig> {
        let mut last = self.shared.policy.lock().unwrap_or_else(PoisonError::into_inner);
        if **last != *policy {
            *last = Arc::new(policy.clone());
        }
        Arc::clone(&last)
    }

    /// The rate that an endpoint shares with others of its host.
    fn host_rate(&self, url: &str) -> Option<Arc<SharedRate>> {
        // However it is spelt, it is the same host.
        let host = canonical(url.parse::<http::Uri>().ok()?.host()?)?;
        let rate = *self.shared.host_rates.get(&host)?;
        Some(Arc::new(SharedRate { name: host.into(), rate }))
    }

    /// A subscription is not passive any more: what its subscriber has leased is given back, and goes its new way.
    fn let_go_of_passive(&self, id: &str) {
        let Some(given) = self.shared.passive.remove(id) else { return };
        let (inbox, id): (_, Arc<str>) = (Arc::clone(&self.shared.around.inbox), id.into());
        self.shared.runtime.spawn(async move {
            let _ = given.await;
            inbox.send(Message::Wake(id));
        });
    }

    fn put_settings(&self, id: &str, settings: Arc<Settings>) {
        let around = &self.shared.around;
        if around.roster.is_closed() {
            return;
        }
        around.store.bound(id, settings.policy.backlog);
        let id: Arc<str> = id.into();
        around.roster.put(Arc::clone(&id), Arc::clone(&settings));
        around.inbox.send(Message::Put(id, settings));
    }

    /// Ends delivering to a subscription. Running attempts are broken off, and when this returns all deliveries are
    /// given back to the store. An unknown id is no error.
    pub async fn remove(&self, id: &str) {
        let around = &self.shared.around;
        if !around.roster.remove(id) {
            return;
        }
        if let Some(given) = self.shared.passive.remove(id) {
            let _ = given.await;
        }
        around.store.bound(id, None);
        let (done, ended) = oneshot::channel();
        around.inbox.send(Message::Remove(id.into(), done));
        // Before the start nothing is held, and nobody answers.
        if self.is_started() && ended.await.is_err() {
            tracing::error!(subscription = id, "deliveries broke down while the subscription was removed");
        }
    }

    /// Says how subscriptions stood before the start; to be called before they are [`put`](Self::put).
    pub fn restore(&self, standings: Vec<StoredStanding>) {
        for standing in standings {
            self.shared.around.roster.restore(standing);
        }
    }

    /// Stops attempts of a subscription, or lets them go on; those that run go on to their end. When this returns, it is
    /// written down.
    ///
    /// # Errors
    ///
    /// There is no such subscription; or it stands so and the store could not be told yet, which is tried again.
    pub async fn stand(&self, id: &str, standing: Standing) -> Result<(), StandingError> {
        let (around, name, id): (_, _, Arc<str>) = (&self.shared.around, id, id.into());
        if !around.roster.has(&id) || !self.is_running() {
            return Err(StandingError::Unknown);
        }
        let (done, written) = oneshot::channel();
        around.inbox.send(Message::Stand(id, standing, done));
        match tokio::time::timeout(STANDING, written).await {
            Ok(Ok(Ok(()))) => {
                self.shared.passive.wake(name);
                Ok(())
            }
            Ok(Ok(Err(_))) | Err(_) => Err(StandingError::Unwritten),
            // It was removed meanwhile.
            Ok(Err(_)) => Err(StandingError::Unknown),
        }
    }

    /// What is told from now on of subscriptions that stop and go on. There is one listener; a later one takes its place.
    #[must_use]
    pub fn notices(&self) -> mpsc::UnboundedReceiver<StandingNotice> {
        self.shared.around.notices.listen()
    }

    /// How a subscription is doing; `None` if it is not there or deliveries have not begun.
    pub async fn report(&self, id: &str) -> Option<QueueReport> {
        // Of a passive one there is no queue.
        if !self.is_running() || self.shared.passive.has(id) {
            return None;
        }
        let (done, report) = oneshot::channel();
        self.shared.around.inbox.send(Message::Ask(id.into(), done));
        // The driver may break down, and its successor does not know of the question.
        tokio::time::timeout(ANSWER, report).await.ok()?.ok()?
    }

    /// How a subscription stands, whether it is there or not.
    #[must_use]
    pub fn standing(&self, id: &str) -> SubscriptionStanding {
        let StandingRecord { standing, since, .. } = self.shared.around.roster.standing(id);
        let since = (standing != Standing::Active).then_some(since);
        SubscriptionStanding { standing, since, reason: report::reason(standing) }
    }

    /// Takes deliveries that are leased to the caller. Each is attempted at once if there is room and no older ones
    /// wait; otherwise it is given back to the store, from where it comes in its turn.
    pub fn offer(&self, deliveries: Vec<LeasedDelivery>) {
        let around = &self.shared.around;
        let (kept, pushed): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(|delivery| self.shared.passive.has(&delivery.subscription));
        let mut refused = if self.is_running() { around.inbox.offer(pushed) } else { pushed };
        refused.extend(kept);
        if refused.is_empty() {
            return;
        }
        let leases: Vec<_> = refused.iter().map(LeasedDelivery::lease).collect();
        let (around, passive) = (around.clone(), Arc::clone(&self.shared.passive));
        self.shared.runtime.spawn(async move {
            if let Err(error) = around.store.release(&leases).await {
                tracing::error!(%error, "deliveries cannot be given back");
            }
            for delivery in refused {
                if !passive.wake(&delivery.subscription) {
                    around.inbox.send(Message::Wake(delivery.subscription.into()));
                }
            }
        });
    }

    /// Tells that a subscription's deliveries became due in the store, as after a replay or a retry by hand.
    pub fn wake(&self, id: &str) {
        self.shared.passive.wake(id);
        self.shared.around.inbox.send(Message::Wake(id.into()));
    }

    /// Ends all: attempts that run may end, and are broken off when `budget` is nearly over; what was not attempted or
    /// not recorded is given back to the store. From now on nothing is taken.
    #[expect(clippy::disallowed_methods, reason = "a deadline for the caller, not for the engine")]
    pub async fn shutdown(&self, budget: Duration) {
        let around = &self.shared.around;
        around.roster.close();
        self.shared.passive.stop();
        let task = self.shared.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else {
            self.shared.passive.abort();
            return;
        };
        let last = (budget / 4).clamp(*LAST_WAIT.start(), *LAST_WAIT.end());
        let begun = Instant::now();
        around.inbox.send(Message::Drain);
        let ended = async { tokio::join!(&mut task, self.shared.passive.ended()).0 };
        if timeout_at(begun + budget.saturating_sub(last), ended).await.is_ok() {
            return;
        }
        tracing::warn!("attempts that did not end in time are broken off");
        self.shared.passive.abort();
        around.inbox.send(Message::Abort);
        if task.is_finished() {
            return;
        }
        if timeout_at(begun + budget.max(last), &mut task).await.is_err() {
            // The store does not answer. What is leased is free again when the store is opened again.
            tracing::error!("the store does not take deliveries back");
            task.abort();
        }
    }

    /// A passive subscription, for its subscriber; `None` if there is none of that id.
    #[must_use]
    pub fn passive(&self, id: &str) -> Option<PassiveSubscription> {
        self.shared.passive.get(id)
    }

    /// Sends messages of a passive subscription to its endpoint; see [`SendReport`].
    ///
    /// # Errors
    ///
    /// Why nothing was sent, or why what was sent could not be recorded.
    pub async fn send(&self, id: &str, quantity: usize, concurrency: usize) -> Result<SendReport, SendError> {
        passive::send(&self.shared.passive, id, quantity, concurrency).await
    }

    fn is_started(&self) -> bool {
        self.shared.task.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Whether somebody reads the inbox.
    fn is_running(&self) -> bool {
        !self.shared.around.roster.is_closed() && self.is_started()
    }

    /// Makes the driver break down.
    #[cfg(test)]
    pub(super) fn break_down(&self) {
        self.shared.around.inbox.send(Message::BreakDown);
    }
}

/// The seed of all jitter: it differs between processes, so that they do not come back at the same time.
#[expect(clippy::disallowed_methods, reason = "the one place where the seed comes from")]
fn seed() -> u64 {
    fastrand::u64(..)
}

fn target(subscription: &SubscriptionConfig, outbound: &Outbound) -> Result<Target, TargetError> {
    let endpoint = subscription.endpoint.as_ref().ok_or(TargetError::Missing)?;
    Target::try_new(endpoint, &subscription.delivery, outbound)
}

#[async_trait]
impl Dispatch for Deliveries {
    async fn check(&self, subscription: &SubscriptionConfig) -> Result<(), Vec<Problem>> {
        Self::check(self, subscription).map_err(|problem| vec![problem])
    }

    async fn put(&self, subscription: &SubscriptionConfig) -> Result<(), Vec<Problem>> {
        Self::put(self, subscription).map_err(|problem| vec![problem])
    }

    async fn remove(&self, id: &str) {
        Self::remove(self, id).await;
    }

    fn wake(&self, id: &str) {
        Self::wake(self, id);
    }

    fn forget(&self, id: &str) {
        self.shared.around.roster.forget(id);
    }

    async fn stand(&self, id: &str, standing: Standing) -> Result<(), StandingError> {
        Self::stand(self, id, standing).await
    }

    fn standing(&self, id: &str) -> SubscriptionStanding {
        Self::standing(self, id)
    }

    async fn report(&self, id: &str) -> Option<QueueReport> {
        Self::report(self, id).await
    }

    fn leases(&self, id: &str) -> Option<LeaseReport> {
        self.shared.passive.get(id).map(|passive| passive.report())
    }

    async fn send(&self, id: &str, quantity: usize, concurrency: usize) -> Result<SendReport, SendError> {
        Self::send(self, id, quantity, concurrency).await
    }
}
