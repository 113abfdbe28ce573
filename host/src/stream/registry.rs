//! Which subscriptions can be read, and who reads them.

use super::catch_up::CatchUp;
use super::feed::Feed;
use super::metric::StreamMetrics;
use super::options::StreamOptions;
use super::place::{Places, Seat, TooManyReaders, Visitor};
use super::reader::Reader;
use super::tail::Tail;
use super::topic::TopicFeeds;
use crate::log::Log;
use crate::store::{EventSeq, LogId, LogStore};
use crate::supervision::Supervisor;
use anglerfish_core::config::{AccessToken, DeliveryMode, SubscriptionConfig};
use anglerfish_core::decision::Intent;
use anglerfish_core::problem::Problem;
use anglerfish_core::router::RoutingSubscription;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The fields of a source's forms that hold JSON, besides `payload`.
pub type JsonFields = Arc<dyn Fn(&str) -> Arc<[String]> + Send + Sync>;

/// All that can be read. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Streams {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) log: Log,
    pub(super) identity: LogId,
    pub(super) options: StreamOptions,
    pub(super) metrics: StreamMetrics,
    pub(super) places: Arc<Places>,
    tail: Arc<Tail>,
    catch_up: Arc<CatchUp>,
    subscriptions: RwLock<HashMap<Arc<str>, Arc<Readable>>>,
    /// How many of them are streams, so that nobody looks for them where there is none.
    streams: AtomicUsize,
    feeds: AtomicU64,
    /// What tokens there are, and of how many subscriptions.
    tokens: Mutex<HashMap<AccessToken, usize>>,
    pub(super) topics: TopicFeeds,
    /// How long events are kept.
    pub(super) retention: watch::Receiver<Duration>,
    /// Cancelled when those are let go who read with the token of the management API.
    pub(super) ad_hoc: Mutex<CancellationToken>,
    pub(super) stop: CancellationToken,
}

/// A subscription that can be read.
pub(super) struct Readable {
    pub(super) id: Arc<str>,
    /// What metrics call it: its id, or of a topic the name of the configuration, which is not one that members choose.
    pub(super) label: Arc<str>,
    tokens: Vec<AccessToken>,
    pub(super) mode: DeliveryMode,
    subscription: RoutingSubscription,
    /// Shared by those who read it now.
    feed: Mutex<Weak<Feed>>,
    /// It is another one now, or gone.
    pub(super) ended: CancellationToken,
}

impl Readable {
    pub(super) fn new(
        id: Arc<str>,
        tokens: Vec<AccessToken>,
        mode: DeliveryMode,
        subscription: RoutingSubscription,
        ended: CancellationToken,
    ) -> Self {
        let label = Arc::clone(&id);
        Self { id, label, tokens, mode, subscription, feed: Mutex::default(), ended }
    }

    /// The same under another name in metrics.
    pub(super) fn labelled(self, label: &str) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Whether somebody reads it now.
    pub(super) fn is_read(&self) -> bool {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
    }

    /// Whether what a reader shows is one of the tokens.
    pub(super) fn opens(&self, shown: &[u8]) -> bool {
        AccessToken::is_one_of(&self.tokens, shown)
    }
}

impl Streams {
    /// Those over a log. Nobody can read yet.
    #[must_use]
    pub fn new(
        store: Arc<dyn LogStore>,
        fields: JsonFields,
        options: StreamOptions,
        metrics: StreamMetrics,
        retention: watch::Receiver<Duration>,
    ) -> Self {
        let identity = store.identity();
        let log = Log::new(store);
        let stop = CancellationToken::new();
        let shared = Shared {
            identity,
            places: Places::new(options.clone(), metrics.clone(), stop.clone()),
            options,
            metrics,
            tail: Arc::new(Tail::new(log.clone(), Arc::clone(&fields))),
            catch_up: Arc::new(CatchUp::new(log.clone(), fields)),
            log,
            subscriptions: RwLock::default(),
            streams: AtomicUsize::new(0),
            feeds: AtomicU64::new(0),
            tokens: Mutex::default(),
            topics: TopicFeeds::default(),
            retention,
            ad_hoc: Mutex::new(stop.child_token()),
            stop,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Follows the log for those who read, from now on. Once is enough.
    pub fn start(&self, supervisor: &Supervisor) {
        let (tail, stop) = (Arc::clone(&self.shared.tail), self.shared.stop.clone());
        drop(supervisor.spawn("streams", move || {
            let (tail, stop) = (Arc::clone(&tail), stop.clone());
            async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tail.run() => {}
                }
            }
        }));
    }

    /// Ends all streams, each with a word to its reader; none begins any more.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<str>, Arc<Readable>>> {
        self.shared.subscriptions.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Arc<Readable>>> {
        self.shared.subscriptions.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A subscription is there, or is another one than before: then those who read it come again.
    pub fn put(&self, config: &SubscriptionConfig) {
        let SubscriptionConfig { id, tokens, delivery, .. } = config;
        if tokens.is_empty() {
            self.remove(id);
            return;
        }
        let subscription = RoutingSubscription::from(config);
        let mut subscriptions = self.write();
        let known = subscriptions.get(id.as_str());
        if known.is_some_and(|known| {
            known.subscription == subscription && known.tokens == *tokens && known.mode == delivery.mode
        }) {
            return;
        }
        let ended = self.shared.stop.child_token();
        let readable = Readable::new(id.as_str().into(), tokens.clone(), delivery.mode, subscription, ended);
        self.learn(tokens);
        if let Some(old) = subscriptions.insert(Arc::clone(&readable.id), Arc::new(readable)) {
            self.unlearn(&old.tokens);
            old.ended.cancel();
        }
        self.count(&subscriptions);
    }

    /// A subscription is gone; an unknown one is no error.
    pub fn remove(&self, id: &str) {
        let mut subscriptions = self.write();
        if let Some(old) = subscriptions.remove(id) {
            self.unlearn(&old.tokens);
            old.ended.cancel();
            self.shared.metrics.forget(&old.label);
            self.count(&subscriptions);
        }
    }

    fn learn(&self, tokens: &[AccessToken]) {
        let mut known = self.shared.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().for_each(|token| *known.entry(*token).or_default() += 1);
    }

    fn unlearn(&self, tokens: &[AccessToken]) {
        let mut known = self.shared.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        for token in tokens {
            if let Entry::Occupied(mut entry) = known.entry(*token) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }

    /// Whether a token is one of any subscription's.
    pub(super) fn knows(&self, shown: &[u8]) -> bool {
        let known = self.shared.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        // It is looked for by its hash, which nobody can choose the beginning of.
        known.contains_key(&AccessToken::of(shown))
    }

    fn count(&self, subscriptions: &HashMap<Arc<str>, Arc<Readable>>) {
        let streams = subscriptions.values().filter(|readable| readable.mode == DeliveryMode::Stream);
        self.shared.streams.store(streams.count(), Ordering::Release);
    }

    /// Whether a subscription is a stream: nothing is delivered to it.
    #[must_use]
    pub fn is_stream(&self, id: &str) -> bool {
        self.read().get(id).is_some_and(|readable| readable.mode == DeliveryMode::Stream)
    }

    /// The intents of which deliveries are made. Whoever reads a stream finds its events in the log.
    #[must_use]
    pub fn without_streams(&self, mut intents: Vec<Intent>) -> Vec<Intent> {
        if self.shared.streams.load(Ordering::Acquire) > 0 {
            let subscriptions = self.read();
            intents.retain(|intent| {
                let readable = subscriptions.get(intent.subscription.as_str());
                readable.is_none_or(|readable| readable.mode != DeliveryMode::Stream)
            });
        }
        intents
    }

    /// Whether somebody shows a token of a subscription. It takes as long where there is none.
    #[must_use]
    pub fn opens(&self, id: &str, shown: &[u8]) -> bool {
        match self.get(id) {
            Some(readable) => readable.opens(shown),
            None => AccessToken::is_one_of(&[], shown),
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Readable>> {
        self.read().get(id).cloned()
    }

    /// Lets somebody read from behind a position.
    pub(super) fn open(
        &self,
        readable: &Arc<Readable>,
        visitor: Visitor,
        position: EventSeq,
    ) -> Result<Reader, OpenError> {
        let shared = &self.shared;
        let place = shared.places.take(visitor, Some(position))?;
        let feed = {
            let mut known = readable.feed.lock().unwrap_or_else(PoisonError::into_inner);
            match known.upgrade() {
                Some(feed) => feed,
                None => {
                    let number = shared.feeds.fetch_add(1, Ordering::Relaxed);
                    let feed = Feed::try_new(number, &readable.subscription).map_err(OpenError::Filter)?;
                    let feed = Arc::new(feed);
                    *known = Arc::downgrade(&feed);
                    shared.tail.follow(&feed);
                    feed
                }
            }
        };
        Ok(Reader {
            tail: Arc::clone(&shared.tail),
            catch_up: Arc::clone(&shared.catch_up),
            news: feed.news(),
            feed,
            ended: readable.ended.clone(),
            place,
            position,
            buffer: shared.options.buffer,
        })
    }

    /// Lets in a connection that may come to hold many subscriptions.
    pub(super) fn seat(&self, address: IpAddr) -> Result<Seat, TooManyReaders> {
        self.shared.places.seat(address)
    }

    /// Cancelled when all streams end because the gateway does.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Whether all streams end because the gateway does.
    pub(super) fn is_stopping(&self) -> bool {
        self.shared.stop.is_cancelled()
    }
}

/// Why somebody may not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    TooManyReaders(#[from] TooManyReaders),
    #[error("the filter does not compile")]
    Filter(Vec<Problem>),
}
