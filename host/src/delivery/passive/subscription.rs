//! One passive subscription, as its subscriber sees it.

use super::lease_table::{HeldLease, LeaseTable};
use super::metric::{PassiveMetrics, SubscriptionMetrics};
use super::registry::{PassiveRegistry, PassiveSettings};
use super::{MOST_LEASES, MessageToken};
use crate::delivery::report;
use crate::store::{Attempt, Lease, LeaseTerms, LeasedDelivery, Recorded, Settlement, StoreError};
use crate::subscription::LeaseReport;
use anglerfish_core::config::AccessToken;
use anglerfish_core::delivery::{Now, Standing};
use anglerfish_core::policy::{Past, Settled, give_back};
use anglerfish_core::request::UnixMillis;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::sleep_until;

/// How many requests may wait for messages of one subscription at once.
pub const MOST_WAITING: usize = 100;

/// How much longer a lease stands in the store than here. Here it ends first, and is recorded; the store's deadline is for
/// the case that nobody is left who could do that.
const GRACE: Duration = Duration::from_mins(1);

/// How long somebody waits at most before looking again, whatever was or was not said meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long leases stand at least that are held; less than [`GRACE`], so that they stand in the store as well.
const HOLD: Duration = Duration::from_secs(30);

/// When it is looked again for an expired lease that could not be recorded.
const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// What a subscriber asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// How many messages at most.
    pub max: usize,
    /// How long it has them.
    pub lease: Duration,
    /// How long it waits for the first one.
    pub wait: Duration,
}

/// A message that is leased.
#[derive(Debug)]
pub struct LeasedMessage {
    /// The delivery with its event and its data.
    pub delivery: LeasedDelivery,
    /// What the lease is named by.
    pub token: MessageToken,
    /// When it ends.
    pub deadline: UnixMillis,
}

/// What a subscriber gets.
#[derive(Debug, Default)]
pub struct Given {
    /// The messages; none if nothing came in time.
    pub messages: Vec<LeasedMessage>,
    /// Whether the subscription is paused or disabled, so that nothing can come.
    pub is_stopped: bool,
}

/// Why nothing is leased.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LeaseError {
    /// [`MOST_WAITING`] wait already.
    #[error("{MOST_WAITING} requests wait for messages of this subscription already")]
    TooManyWaiting,
    /// [`MOST_LEASES`] are out already.
    #[error("{MOST_LEASES} messages of this subscription are leased already")]
    TooManyLeases,
    /// The token that was shown has ended meanwhile.
    #[error("the token has ended")]
    TokenEnded,
    /// The subscription was removed or is not passive any more.
    #[error("the subscription is gone")]
    Gone,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a message is given back.
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// When it is to come again; left out, as the policy says.
    pub delay: Option<Duration>,
    /// Whether it is not to come again at all.
    pub is_dead: bool,
    /// Why, for whoever looks.
    pub reason: Option<String>,
}

/// What is kept of one passive subscription.
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    settings: RwLock<Arc<PassiveSettings>>,
    table: Mutex<LeaseTable>,
    changed: Notify,
    /// There are other tokens, or it is closed. All who wait are told; what is due is told to one of them, by `changed`.
    altered: Notify,
    places: Semaphore,
    /// Held by the one who sends on demand.
    pub(super) sending: Arc<tokio::sync::Mutex<()>>,
    all_metrics: PassiveMetrics,
    /// Made with the first request: most subscriptions are idle.
    metrics: OnceLock<SubscriptionMetrics>,
}

impl Shared {
    pub(super) fn new(name: Arc<str>, settings: PassiveSettings, metrics: PassiveMetrics) -> Self {
        Self {
            name,
            settings: RwLock::new(Arc::new(settings)),
            table: Mutex::default(),
            changed: Notify::new(),
            altered: Notify::new(),
            places: Semaphore::new(MOST_WAITING),
            sending: Arc::default(),
            all_metrics: metrics,
            metrics: OnceLock::new(),
        }
    }

    fn metrics(&self) -> &SubscriptionMetrics {
        self.metrics.get_or_init(|| self.all_metrics.of(&self.name))
    }

    pub(super) fn set(&self, settings: PassiveSettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        // Whoever waits looks whether its token has ended.
        self.changed.notify_waiters();
        self.altered.notify_waiters();
    }

    pub(super) fn settings(&self) -> Arc<PassiveSettings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wakes one of those who wait; if nobody does, the next one looks again before it waits.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Ends it: whoever waits is told, and the leases that were out are the caller's to give back.
    pub(super) fn close(&self) -> Vec<Lease> {
        let mut table = self.table();
        table.is_closed = true;
        let leases = table.take_all();
        drop(table);
        self.changed.notify_waiters();
        self.altered.notify_waiters();
        leases
    }

    fn table(&self) -> MutexGuard<'_, LeaseTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes another one who waits when this one leaves: what it was woken for may be left.
struct Baton<'a>(&'a Shared);

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        let waiting = MOST_WAITING.saturating_sub(self.0.places.available_permits() + 1);
        self.0.metrics().waiting(waiting);
        self.0.wake();
    }
}

/// Gives places for leases back.
struct Reservation<'a> {
    shared: &'a Shared,
    places: usize,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.shared.table().free(self.places);
    }
}

/// One passive subscription. Cheap to clone.
#[derive(Clone)]
pub struct PassiveSubscription {
    registry: Arc<PassiveRegistry>,
    pub(super) shared: Arc<Shared>,
}

impl PassiveSubscription {
    pub(super) fn new(registry: Arc<PassiveRegistry>, shared: Arc<Shared>) -> Self {
        Self { registry, shared }
    }

    /// Whether what a subscriber shows is one of the tokens.
    #[must_use]
    pub fn opens(&self, shown: &[u8]) -> bool {
        AccessToken::is_one_of(&self.shared.settings().tokens, shown)
    }

    /// Whether a token is one of those that open it now.
    pub(crate) fn has_token(&self, token: &AccessToken) -> bool {
        self.shared.settings().tokens.contains(token)
    }

    /// Waits until nothing is leased any more to whoever has shown this token: it has ended, or the subscription is gone or not
    /// passive any more.
    pub(crate) async fn ended(&self, token: &AccessToken) {
        loop {
            // Before the look, so that what comes between it and the wait is not missed.
            let altered = self.shared.altered.notified();
            let is_closed = self.shared.table().is_closed;
            if is_closed || !self.has_token(token) {
                return;
            }
            altered.await;
        }
    }

    /// Whether all of these leases stand. Then none of them runs out for [`HOLD`]: there is time for what is to be done first if
    /// they are going to be answered for.
    pub(crate) fn hold(&self, tokens: &[MessageToken]) -> bool {
        let now = self.registry.clock.now().elapsed;
        let mut table = self.shared.table();
        let deadlines: Option<Vec<_>> = tokens
            .iter()
            .map(|token| table.get(*token).map(|held| held.deadline).filter(|deadline| *deadline > now))
            .collect();
        let Some(deadlines) = deadlines.filter(|_| !table.is_closed) else { return false };
        for (token, deadline) in tokens.iter().zip(deadlines) {
            table.extend(*token, deadline.max(now + HOLD));
        }
        true
    }

    /// Leases messages, those that wait longest first. If there are none it waits until one comes, the time is over or the
    /// gateway stops. Whoever drops this has leased nothing. `may` is asked each time before anything is leased: tokens end while
    /// somebody waits.
    ///
    /// # Errors
    ///
    /// Nothing is leased.
    pub async fn lease(&self, wanted: Wanted, may: impl Fn(&Self) -> bool) -> Result<Given, LeaseError> {
        self.lease_until(wanted, may, std::future::pending()).await
    }

    /// The same, but it waits no more once `hurry` has ended: then it gives what there is.
    pub(crate) async fn lease_until(
        &self,
        wanted: Wanted,
        may: impl Fn(&Self) -> bool,
        hurry: impl Future<Output = ()>,
    ) -> Result<Given, LeaseError> {
        let (mut hurry, mut is_hurried) = (pin!(hurry), false);
        let Self { registry, shared } = self;
        let Ok(_place) = shared.places.try_acquire() else { return Err(LeaseError::TooManyWaiting) };
        let _baton = Baton(shared);
        shared.metrics().waiting(MOST_WAITING.saturating_sub(shared.places.available_permits()));
        let end = registry.clock.now().elapsed + wanted.wait;
        loop {
            // Before the look, so that what comes between it and the wait is not missed.
            let changed = shared.changed.notified();
            if !may(self) {
                return Err(LeaseError::TokenEnded);
            }
            let is_stopped = registry.roster.standing(&shared.name).standing != Standing::Active;
            let (messages, next) = match is_stopped {
                true if shared.table().is_closed => return Err(LeaseError::Gone),
                true => (Vec::new(), None),
                false => self.take(wanted).await?,
            };
            let now = registry.clock.now();
            if !messages.is_empty() || is_hurried || now.elapsed >= end || registry.stop.is_cancelled() {
                return Ok(Given { messages, is_stopped });
            }
            let due = next.map(|next| now.elapsed + Duration::from_millis(next.0.saturating_sub(now.wall.0)));
            let until = due.unwrap_or(end).min(end).min(now.elapsed + LOOK_AGAIN);
            tokio::select! {
                () = changed => {}
                () = registry.stop.cancelled() => {}
                () = sleep_until(registry.clock.at(until)) => {}
                () = &mut hurry => is_hurried = true,
            }
        }
    }

    /// Leases what is there; also says when there is more.
    async fn take(&self, wanted: Wanted) -> Result<(Vec<LeasedMessage>, Option<UnixMillis>), LeaseError> {
        let Self { registry, shared } = self;
        let places = {
            let mut table = shared.table();
            if table.is_closed {
                return Err(LeaseError::Gone);
            }
            table.reserve(wanted.max)
        };
        let reservation = Reservation { shared, places };
        if places == 0 {
            return Err(LeaseError::TooManyLeases);
        }
        let now = registry.clock.now();
        let deadline = now.wall.after(wanted.lease);
        let terms = LeaseTerms { until: deadline.after(GRACE), ..LeaseTerms::default() };
        let leased = registry.store.lease(&shared.name, now.wall, places, terms).await?;
        let next = leased.next();
        // From here on nothing is awaited: who is gone before this has no leases, and who gets here is answered.
        let mut table = shared.table();
        if table.is_closed {
            drop(table);
            self.give_back(leased.deliveries.iter().map(LeasedDelivery::lease).collect());
            return Err(LeaseError::Gone);
        }
        let ends = now.elapsed + wanted.lease;
        let mut messages = Vec::with_capacity(leased.deliveries.len());
        for delivery in leased.deliveries {
            let token = registry.tokens.next();
            let past = Past { before: delivery.attempts, created: delivery.created };
            let lease = delivery.lease();
            table.insert(
                token,
                HeldLease { lease, past, started: now.wall, begun: now.elapsed, deadline: ends },
            );
            messages.push(LeasedMessage { delivery, token, deadline });
        }
        drop(table);
        drop(reservation);
        self.watch();
        shared.metrics().leased(messages.len());
        Ok((messages, next))
    }

    /// What its subscriber has at the moment.
    pub(in crate::delivery) fn report(&self) -> LeaseReport {
        let Self { registry, shared } = self;
        let waiting = MOST_WAITING.saturating_sub(shared.places.available_permits());
        let (leased, next) = {
            let table = shared.table();
            (table.len(), table.next())
        };
        let now = registry.clock.now();
        let next_end = next.map(|next| now.wall.after(next.saturating_sub(now.elapsed)));
        LeaseReport { leased, next_end, waiting }
    }

    /// Gives leases back that nobody got.
    fn give_back(&self, leases: Vec<Lease>) {
        let store = Arc::clone(&self.registry.store);
        let given = async move {
            if let Err(error) = store.release(&leases).await {
                tracing::error!(%error, "leases of a passive subscription cannot be given back now");
            }
        };
        self.registry.tasks.spawn_on(given, &self.registry.runtime);
    }

    /// Arranges that somebody looks when the first lease ends, and shows how many there are.
    fn watch(&self) {
        let mut table = self.shared.table();
        self.shared.metrics().leases(table.len());
        let Some(next) = table.next() else { return };
        if table.watched.is_none_or(|watched| next < watched) {
            table.watched = Some(next);
            drop(table);
            self.registry.watches.watch(next, Arc::clone(&self.shared.name));
        }
    }

    /// The messages arrived: they are delivered. Says of each whether its lease was not stale.
    ///
    /// # Errors
    ///
    /// The store could not be written; the leases stand.
    pub async fn acknowledge(&self, tokens: Vec<MessageToken>) -> Result<Vec<bool>, StoreError> {
        let settled = self.to_the_end(tokens, |_, _, _| (Settled::Delivered, None)).await?;
        let acked = settled.iter().flatten().count();
        self.shared.metrics().acked(acked);
        self.shared.metrics().stale(settled.len() - acked);
        Ok(settled.iter().map(Option::is_some).collect())
    }

    /// The messages are given back, and come again or are dead. Says of each what follows, or that its lease was stale.
    ///
    /// # Errors
    ///
    /// The store could not be written; the leases stand.
    pub async fn return_messages(
        &self,
        tokens: Vec<MessageToken>,
        returned: Returned,
    ) -> Result<Vec<Option<Settled>>, StoreError> {
        let settled = self.send_back(tokens, returned).await?;
        let nacked = settled.iter().flatten().count();
        self.shared.metrics().nacked(nacked);
        self.shared.metrics().stale(settled.len() - nacked);
        Ok(settled)
    }

    async fn send_back(
        &self,
        tokens: Vec<MessageToken>,
        returned: Returned,
    ) -> Result<Vec<Option<Settled>>, StoreError> {
        let policy = Arc::clone(&self.shared.settings().settings.policy);
        let reason = returned.reason.unwrap_or_else(|| "the subscriber gave it back".to_owned());
        let decide = move |token: MessageToken, held: &HeldLease, now: Now| {
            let settled = match returned.is_dead {
                true => Settled::Dead,
                false => give_back(&policy.retry, held.past, returned.delay, now.wall, token.random()),
            };
            (settled, Some(reason.clone()))
        };
        self.to_the_end(tokens, decide).await
    }

    /// The subscriber broke off while it was at a message: that is an attempt, and the message comes again at once, behind those
    /// that are due, if it may come again at all.
    ///
    /// # Errors
    ///
    /// The store could not be written; the lease stands until it ends.
    pub async fn abandon(&self, token: MessageToken) -> Result<(), StoreError> {
        let reason = Some("the connection broke off before an answer".to_owned());
        let returned = Returned { delay: Some(Duration::ZERO), is_dead: false, reason };
        let settled = self.send_back(vec![token], returned).await?;
        self.shared.metrics().abandoned(settled.iter().flatten().count());
        Ok(())
    }

    /// Nobody was at these messages: they come again at once, and none of their attempts is used up. Leases that have ended are
    /// passed over.
    ///
    /// # Errors
    ///
    /// The store is out of reach; it knows when the leases end.
    pub async fn release(&self, tokens: Vec<MessageToken>) -> Result<(), StoreError> {
        let this = self.clone();
        // In a task of its own: whoever is broken off half-way must not leave a lease that is in no table.
        let work = async move {
            let Self { registry, shared } = &this;
            let leases: Vec<Lease> = {
                let mut table = shared.table();
                tokens.iter().filter_map(|token| table.take(*token)).map(|held| held.lease).collect()
            };
            if leases.is_empty() {
                return Ok(());
            }
            let stale = registry.store.release(&leases).await?;
            this.watch();
            shared.metrics().released(leases.len().saturating_sub(stale.len()));
            // They are due, and those who wait do not know of it.
            shared.wake();
            Ok(())
        };
        let task = self.registry.tasks.spawn_on(work, &self.registry.runtime);
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "leases could not be given back");
            Err(StoreError::Internal("the leases could not be given back; see the log".to_owned()))
        })
    }

    /// The subscriber needs more time: the leases end so much later than now. Says of each when, or that it was stale.
    ///
    /// # Errors
    ///
    /// The store could not be written; the leases end as they did.
    pub async fn extend(
        &self,
        tokens: &[MessageToken],
        lease: Duration,
    ) -> Result<Vec<Option<UnixMillis>>, StoreError> {
        let Self { registry, shared } = self;
        let now = registry.clock.now();
        let (ends, deadline) = (now.elapsed + lease, now.wall.after(lease));
        let held: Vec<Option<Lease>> = {
            let table = shared.table();
            tokens.iter().map(|token| table.get(*token).map(|held| held.lease)).collect()
        };
        let leases: Vec<Lease> = held.iter().flatten().copied().collect();
        let stale = match leases.is_empty() {
            true => Vec::new(),
            false => registry.store.extend(&leases, deadline.after(GRACE)).await?,
        };
        let extended: Vec<Option<UnixMillis>> = {
            let mut table = shared.table();
            let each = tokens.iter().zip(held).map(|(token, lease)| {
                let is_held = lease.is_some_and(|lease| !stale.contains(&lease));
                (is_held && table.extend(*token, ends)).then_some(deadline)
            });
            each.collect()
        };
        self.watch();
        shared.metrics().stale(extended.iter().filter(|extended| extended.is_none()).count());
        Ok(extended)
    }

    /// Records what is past its deadline as attempts that failed; it comes back at once, if it may come again.
    pub(super) async fn expire(&self) {
        let Self { registry, shared } = self;
        let now = registry.clock.now();
        let expired = {
            let mut table = shared.table();
            table.watched = None;
            table.take_expired(now.elapsed)
        };
        if !expired.is_empty() {
            let policy = Arc::clone(&shared.settings().settings.policy);
            let decide = move |token: MessageToken, held: &HeldLease, now: Now| {
                let again = Some(Duration::ZERO);
                let settled = give_back(&policy.retry, held.past, again, now.wall, token.random());
                let leased = Duration::from_secs(held.deadline.saturating_sub(held.begun).as_secs());
                (settled, Some(format!("the lease ended after {leased:?} without an answer")))
            };
            match self.settle(expired, decide).await {
                Ok(settled) => shared.metrics().expired(settled.iter().flatten().count()),
                // They stand in the table again, and are looked for again.
                Err(error) => tracing::warn!(%error, "expired leases cannot be recorded now"),
            }
        }
        self.watch();
    }

    /// Takes leases out of the table and settles them, in a task of its own: whoever hangs up half-way must not leave a
    /// lease that is in no table.
    async fn to_the_end(
        &self,
        tokens: Vec<MessageToken>,
        decide: impl Fn(MessageToken, &HeldLease, Now) -> (Settled, Option<String>) + Send + 'static,
    ) -> Result<Vec<Option<Settled>>, StoreError> {
        let this = self.clone();
        let work = async move {
            let taken: Vec<_> = {
                let mut table = this.shared.table();
                tokens.iter().map(|token| (*token, table.take(*token))).collect()
            };
            let held = taken.iter().filter_map(|(token, held)| Some((*token, (*held)?))).collect();
            let mut settled = this.settle(held, decide).await?.into_iter();
            this.watch();
            Ok(taken.iter().map(|(_, held)| held.and_then(|_| settled.next().flatten())).collect())
        };
        let task = self.registry.tasks.spawn_on(work, &self.registry.runtime);
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "answers of a subscriber could not be recorded");
            Err(StoreError::Internal("the answers could not be recorded; see the log".to_owned()))
        })
    }

    /// Records what became of leases that were taken out of the table; they go back if that fails. `None` stands for one
    /// that was stale.
    async fn settle(
        &self,
        taken: Vec<(MessageToken, HeldLease)>,
        decide: impl Fn(MessageToken, &HeldLease, Now) -> (Settled, Option<String>),
    ) -> Result<Vec<Option<Settled>>, StoreError> {
        if taken.is_empty() {
            return Ok(Vec::new());
        }
        let Self { registry, shared } = self;
        let now = registry.clock.now();
        let settlements: Vec<Settlement> = taken
            .iter()
            .map(|(token, held)| {
                let (settled, error) = decide(*token, held, now);
                let attempt = Attempt {
                    number: 0,
                    started: held.started,
                    duration: now.elapsed.saturating_sub(held.begun),
                    status: None,
                    error,
                    answer: None,
                };
                Settlement { lease: held.lease, attempt, settled, now: now.wall }
            })
            .collect();
        let told = settlements.clone();
        match registry.store.record(settlements).await {
            Ok(recorded) => {
                let metrics = registry.metrics.of(&shared.name);
                let each = recorded.into_iter().zip(told).zip(&taken);
                let settled = each.map(|((recorded, settlement), (_, held))| {
                    let Settlement { lease, attempt, settled, now } = settlement;
                    (recorded != Recorded::Stale).then(|| {
                        metrics.settled(settled);
                        let number = held.past.before.saturating_add(1);
                        report::settled(&shared.name, lease.delivery.0, number, &attempt, settled, now);
                        settled
                    })
                });
                let settled = settled.collect();
                // What comes again has a time that those who wait do not know of.
                shared.wake();
                Ok(settled)
            }
            Err(error) => {
                registry.metrics.store_failed();
                let mut table = shared.table();
                if table.is_closed {
                    drop(table);
                    self.give_back(taken.iter().map(|(_, held)| held.lease).collect());
                } else {
                    let again = now.elapsed + RECORD_AGAIN;
                    for (token, held) in taken {
                        table.insert(token, HeldLease { deadline: held.deadline.max(again), ..held });
                    }
                    drop(table);
                    self.watch();
                }
                Err(error)
            }
        }
    }
}
