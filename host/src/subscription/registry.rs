//! Which subscriptions there are.

use super::{
    Dispatch, LeaseReport, QueueReport, Reader, Routing, RoutingError, SendError, SendReport, StandingError,
    SubscriptionError, SubscriptionStanding, document, removal,
};
use crate::clock::WallClock;
use crate::config::secret;
use crate::store::{DeliveryQuery, EventSeq, Store, StoreError, StoredSubscription};
use anglerfish_core::config::{
    DeliveryMode, OPERATIONAL_SOURCE, SUBSCRIPTION_SECRETS, SubscriptionConfig, WhenRemoved,
};
use anglerfish_core::delivery::Standing;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use futures_util::FutureExt;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Notify;

/// How many deliveries are read at once.
const PAGE: usize = 500;

/// Where a subscription was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// In the configuration file; it cannot be changed at run time.
    File,
    /// Through the management API; it is kept in the store.
    Api,
}

/// A subscription as the configuration file declares it.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The subscription.
    pub config: SubscriptionConfig,
    /// Its table as it is written in the file, as JSON: secrets are references or literals, not resolved.
    pub document: Value,
}

/// One subscription.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Where it was written.
    pub origin: Origin,
    /// When it was last written, if that was at run time.
    pub updated: Option<UnixMillis>,
    /// Why it gets no events: it was valid when it was written and no longer is (a secret is gone, say). Its
    /// deliveries wait until it is replaced or deleted, or the gateway starts again with what was missing.
    pub problems: Vec<Problem>,
    pub(super) document: Value,
    pub(super) text: String,
    pub(super) config: Option<SubscriptionConfig>,
}

impl Subscription {
    /// Its document without what must not be shown.
    #[must_use]
    pub fn shown(&self) -> Value {
        document::shown(&self.document)
    }

    /// What its writer hardly means as it stands: `$TOKEN` in place of a secret.
    pub(super) fn doubts(&self) -> Vec<Problem> {
        secret::doubts(&self.document, SUBSCRIPTION_SECRETS)
    }

    /// Its document as it is kept, with what must not be shown.
    #[must_use]
    pub const fn document(&self) -> &Value {
        &self.document
    }

    /// The subscription as it runs; `None` if it has problems.
    #[must_use]
    pub fn config(&self) -> Option<&SubscriptionConfig> {
        self.config.as_ref()
    }

    /// Whether its deliveries are kept until its subscriber leases them.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.delivery.mode == DeliveryMode::Passive)
    }

    /// Whether it is only read: nothing is delivered to it.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.delivery.mode == DeliveryMode::Stream)
    }

    /// What becomes of its open deliveries when it is removed; what cannot be used as it is written is asked too.
    #[must_use]
    pub fn when_removed(&self) -> WhenRemoved {
        match &self.config {
            Some(config) => config.when_removed,
            None if self.document.get("when_removed").and_then(Value::as_str) == Some("wait") => {
                WhenRemoved::Wait
            }
            None => WhenRemoved::End,
        }
    }

    pub(super) fn stored(&self) -> StoredSubscription {
        StoredSubscription {
            id: self.id.clone(),
            document: self.text.clone(),
            updated: self.updated.unwrap_or_default(),
        }
    }
}

/// The subscriptions of a running gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Subscriptions {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) entries: RwLock<BTreeMap<String, Arc<Subscription>>>,
    /// Held by the one who writes.
    pub(super) writer: Arc<tokio::sync::Mutex<()>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) routing: Arc<dyn Routing>,
    pub(super) dispatch: Arc<dyn Dispatch>,
    pub(super) reader: Reader,
    pub(super) clock: WallClock,
    /// Told when one may have begun that has a job.
    pub(super) begun: Notify,
    /// How often one was written.
    pub(super) written: AtomicU64,
}

impl Subscriptions {
    /// Takes the subscriptions of the configuration file, which run already, and starts those of the store.
    ///
    /// One of the store that cannot be used does not stop the gateway, whatever the reason: it is kept with its
    /// problems. One that has the id of one of the file is left aside as long as the file names it.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn open(
        declared: Vec<Declared>,
        reader: Reader,
        store: Arc<dyn Store>,
        routing: Arc<dyn Routing>,
        dispatch: Arc<dyn Dispatch>,
        clock: WallClock,
    ) -> Result<Self, StoreError> {
        let mut entries = BTreeMap::new();
        for Declared { config, document } in declared {
            let id = config.id.clone();
            let entry = Subscription {
                id: id.clone(),
                origin: Origin::File,
                updated: None,
                problems: Vec::new(),
                text: String::new(),
                document,
                config: Some(config),
            };
            entries.insert(id, Arc::new(entry));
        }
        for stored in store.subscriptions().await? {
            if entries.contains_key(&stored.id) {
                tracing::warn!(
                    subscription = stored.id,
                    "the configuration file and the store both have this subscription; the file's is used"
                );
                continue;
            }
            let entry = start(stored, &reader, &*routing, &*dispatch).await;
            if let Some(problem) = entry.problems.first() {
                tracing::error!(
                    subscription = entry.id,
                    problems = entry.problems.len(),
                    "a stored subscription cannot be used and gets no events: {problem}"
                );
            }
            entries.insert(entry.id.clone(), Arc::new(entry));
        }
        removal::reconcile(&*store, &*dispatch, &entries, clock.now()).await?;
        for (id, open) in store.backlog().await? {
            if !entries.contains_key(&id) {
                removal::warn_of_waiting(&id, open);
            }
        }
        let shared = Shared {
            entries: RwLock::new(entries),
            writer: Arc::default(),
            store,
            routing,
            dispatch,
            reader,
            clock,
            begun: Notify::new(),
            written: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// One subscription.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Subscription>> {
        self.shared.entries.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The ids of all of them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.entries.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Those that are gone and whose open deliveries wait for them, by id, each with how many there are.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn awaited(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut backlog = self.shared.store.backlog().await?;
        let entries = self.shared.entries.read().unwrap_or_else(PoisonError::into_inner);
        backlog.retain(|(id, open)| *open > 0 && !entries.contains_key(id));
        Ok(backlog)
    }

    /// How often one was written: what was found in all of them holds until this is another number, but for those that are gone.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Acquire)
    }

    /// Up to `limit` subscriptions by id, those behind `after`, and whether there are more.
    #[must_use]
    pub fn list(&self, after: Option<&str>, limit: usize) -> (Vec<Arc<Subscription>>, bool) {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.shared.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut rest = entries.range::<str, _>((start, Bound::Unbounded)).map(|(_, entry)| Arc::clone(entry));
        let items = rest.by_ref().take(limit).collect();
        (items, rest.next().is_some())
    }

    /// Whether anything can be delivered to a subscription: it is there, and no stream.
    #[must_use]
    pub fn takes_deliveries(&self, id: &str) -> bool {
        self.get(id).is_some_and(|entry| !entry.is_stream())
    }

    /// The subscriptions that had deliveries of an event, by id: those that anything can be delivered to now, and the others.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn recipients(&self, event: EventSeq) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let mut ids = BTreeSet::new();
        let mut query = DeliveryQuery { event: Some(event), limit: PAGE, ..DeliveryQuery::default() };
        loop {
            let page = self.shared.store.deliveries(query.clone()).await?;
            query.cursor = page.items.last().map(|delivery| delivery.id);
            ids.extend(page.items.into_iter().map(|delivery| delivery.subscription));
            if !page.more || query.cursor.is_none() {
                return Ok(ids.into_iter().partition(|id| self.takes_deliveries(id)));
            }
        }
    }

    /// Whether a subscription asks for what the gateway tells of itself: by name, never by asking for everything.
    #[must_use]
    pub fn wants_operational(&self, id: &str) -> bool {
        self.get(id).is_some_and(|entry| asks_for_operational(&entry))
    }

    /// Whether any does.
    #[must_use]
    pub fn want_operational(&self) -> bool {
        let entries = self.shared.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().any(|entry| asks_for_operational(entry))
    }

    /// Waits until a subscription may have begun that gets what is in the log already. One waits at a time.
    pub async fn begun(&self) {
        self.shared.begun.notified().await;
    }

    /// Tells a subscription's queue that deliveries became due.
    pub fn wake(&self, id: &str) {
        self.shared.dispatch.wake(id);
    }

    /// How a subscription stands.
    #[must_use]
    pub fn standing(&self, id: &str) -> SubscriptionStanding {
        self.shared.dispatch.standing(id)
    }

    /// How a subscription's deliveries are doing at the moment.
    pub async fn report(&self, id: &str) -> Option<QueueReport> {
        self.shared.dispatch.report(id).await
    }

    /// What the subscriber of a passive subscription has at the moment; `None` if it is none.
    #[must_use]
    pub fn leases(&self, id: &str) -> Option<LeaseReport> {
        self.shared.dispatch.leases(id)
    }

    /// Stops attempts of a subscription, or lets them go on; whatever stopped them.
    ///
    /// # Errors
    ///
    /// There is none, it cannot be used as it is stored, or the store cannot be written now.
    pub async fn stand(&self, id: &str, standing: Standing) -> Result<Arc<Subscription>, SubscriptionError> {
        let Some(entry) = self.get(id) else { return Err(SubscriptionError::Unknown(id.to_owned())) };
        if entry.config().is_none() {
            return Err(SubscriptionError::Unusable(id.to_owned()));
        }
        match self.shared.dispatch.stand(id, standing).await {
            Ok(()) => Ok(entry),
            Err(StandingError::Unknown) => Err(SubscriptionError::Unknown(id.to_owned())),
            Err(error @ StandingError::Unwritten) => Err(SubscriptionError::Unavailable(error.to_string())),
        }
    }

    /// Sends messages that are held for a passive subscription to its endpoint.
    ///
    /// # Errors
    ///
    /// Why nothing was sent, or why what was sent could not be recorded.
    pub async fn send(&self, id: &str, quantity: usize, concurrency: usize) -> Result<SendReport, SendError> {
        self.shared.dispatch.send(id, quantity, concurrency).await
    }

    /// What is odd about one of them, though it can be used.
    #[must_use]
    pub fn warnings(&self, subscription: &Subscription) -> Vec<Problem> {
        let mut warnings = subscription.doubts();
        warnings.extend(
            subscription.config().into_iter().flat_map(|config| self.shared.routing.warnings(config)),
        );
        warnings
    }

    /// The routing table.
    #[must_use]
    pub fn routing(&self) -> &dyn Routing {
        &*self.shared.routing
    }
}

fn asks_for_operational(entry: &Subscription) -> bool {
    let sources = entry.config().map(|config| config.sources.as_slice()).unwrap_or_default();
    sources.iter().any(|source| source == OPERATIONAL_SOURCE)
}

async fn start(
    stored: StoredSubscription,
    reader: &Reader,
    routing: &dyn Routing,
    dispatch: &dyn Dispatch,
) -> Subscription {
    let StoredSubscription { id, document: text, updated } = stored;
    let started = async {
        let config = read(&id, &text, reader)?;
        match run(&config, routing, dispatch).await {
            Ok(()) => Ok(config),
            Err(RoutingError::Invalid(problems)) => Err(problems),
            Err(RoutingError::Full(reason)) => {
                routing.left_out(&id);
                Err(vec![Problem::new("", reason)])
            }
            Err(error @ RoutingError::Unavailable(_)) => Err(vec![Problem::new("", error.to_string())]),
        }
    };
    // An earlier version may have stored what this one was never tried with. That must not take the others down.
    let started = match AssertUnwindSafe(started).catch_unwind().await {
        Ok(started) => started,
        Err(_) => {
            dispatch.remove(&id).await;
            if let Err(error) = routing.delete(&id).await {
                tracing::error!(subscription = id, "a broken subscription may still be routed to: {error}");
            }
            Err(vec![Problem::new("", "it could not be built; see the log")])
        }
    };
    let (config, problems) = match started {
        Ok(config) => (Some(config), Vec::new()),
        Err(problems) => (None, problems),
    };
    let document = serde_json::from_str(&text).unwrap_or(Value::Null);
    Subscription { id, origin: Origin::Api, updated: Some(updated), problems, document, text, config }
}

pub(super) fn read(id: &str, text: &str, reader: &Reader) -> Result<SubscriptionConfig, Vec<Problem>> {
    let config = reader(text.as_bytes())?;
    if config.id == id {
        Ok(config)
    } else {
        Err(vec![Problem::new("id", format!("is `{}`, but it is stored as `{id}`", config.id))])
    }
}

async fn run(
    config: &SubscriptionConfig,
    routing: &dyn Routing,
    dispatch: &dyn Dispatch,
) -> Result<(), RoutingError> {
    dispatch.put(config).await.map_err(RoutingError::Invalid)?;
    let routed = routing.put(config).await;
    if routed.is_err() {
        dispatch.remove(&config.id).await;
    }
    routed
}
