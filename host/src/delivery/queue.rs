//! One subscription's queue: a task that starts attempts, settles them and refills itself from the store.

use super::endpoint::{Failure, Tried, attempt};
use super::inbox::{Inbox, Pace, Settings};
use super::metric::{DeliveryMetrics, SubscriptionMetrics};
use super::refill::{Refill, refill};
use super::settle::{Backoff, settle};
use super::timer::Timer;
use crate::clock::now;
use crate::store::{Lease, LeasedDelivery, Settlement, Store};
use anglerfish_core::policy::{self, Settled};
use anglerfish_core::request::UnixMillis;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, OptionFuture};
use futures_util::stream::FuturesUnordered;
use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::{self, JoinError, JoinSet};
use tracing::Instrument;

/// How many attempts may wait for their record, per attempt that may run. They hold no data any more; recording is
/// slower than a near endpoint, and the store records many at once.
const UNSETTLED: usize = 24;

/// One subscription's queue.
pub(super) struct Queue {
    subscription: Arc<str>,
    store: Arc<dyn Store>,
    inbox: Arc<Inbox>,
    metrics: DeliveryMetrics,
    /// Looked up with the first attempt: most subscriptions are idle.
    own_metrics: Option<SubscriptionMetrics>,
    settings: Arc<Settings>,
    pace: Pace,
    ready: VecDeque<LeasedDelivery>,
    /// To be given back.
    returns: Vec<Lease>,
    running: JoinSet<Tried>,
    /// What is known of the running attempts from outside.
    open: HashMap<task::Id, Open>,
    settling: FuturesUnordered<BoxFuture<'static, (Lease, Settled, bool)>>,
    unsettled: HashSet<Lease>,
    /// How many records an unavailable store has refused so far.
    waiting: Arc<AtomicUsize>,
    refill: Option<BoxFuture<'static, Refill>>,
    backoff: Backoff,
    /// When the store's next delivery falls due, as far as it is known.
    next: Option<UnixMillis>,
    timer: Timer,
}

struct Open {
    lease: Lease,
    /// The length of its data.
    bytes: usize,
    before: u32,
    settings: Arc<Settings>,
}

impl Queue {
    pub(super) fn new(
        subscription: Arc<str>,
        store: Arc<dyn Store>,
        inbox: Arc<Inbox>,
        metrics: DeliveryMetrics,
    ) -> Self {
        Self {
            subscription,
            store,
            settings: inbox.settings(),
            inbox,
            metrics,
            own_metrics: None,
            pace: Pace::Run,
            ready: VecDeque::new(),
            returns: Vec::new(),
            running: JoinSet::new(),
            open: HashMap::new(),
            settling: FuturesUnordered::new(),
            unsettled: HashSet::new(),
            waiting: Arc::default(),
            refill: None,
            backoff: Backoff::default(),
            next: None,
            timer: Timer::default(),
        }
    }

    /// Runs until it is drained or aborted and every lease is ended.
    pub(super) async fn run(mut self) {
        loop {
            self.open_inbox();
            if self.pace == Pace::Abort {
                return self.abort().await;
            }
            self.start_attempts();
            if self.is_done() {
                return;
            }
            tokio::select! {
                () = self.inbox.changed() => {}
                Some(ended) = self.running.join_next_with_id() => {
                    self.handle_ended(ended);
                    while let Some(ended) = self.running.try_join_next_with_id() {
                        self.handle_ended(ended);
                    }
                }
                Some((lease, settled, recorded)) = self.settling.next() => self.handle_settled(lease, settled, recorded),
                Some(refill) = OptionFuture::from(self.refill.as_mut()) => self.handle_refill(refill),
                () = self.timer.fired() => self.handle_timer(),
            }
        }
    }

    fn open_inbox(&mut self) {
        let mail = self.inbox.open();
        self.settings = mail.settings;
        self.pace = mail.pace;
        self.ready.extend(mail.offers);
        self.returns.extend(mail.returns);
        if self.pace != Pace::Run {
            for delivery in self.ready.drain(..) {
                self.inbox.free(delivery.data.len());
                self.returns.push(delivery.lease());
            }
        }
        let wanted = self.pace == Pace::Run && mail.behind && !self.timer.holds_off();
        // Leasing a few at a time would cost a query each.
        let worth = self.ready.is_empty() || mail.room >= mail.capacity / 2;
        let room = if wanted && worth { mail.room } else { 0 };
        if self.refill.is_none() && (room > 0 || !self.returns.is_empty()) {
            self.start_refill(room);
        }
        if !mail.behind
            && let Some(next) = self.next
        {
            self.timer.arm(next);
        }
    }

    fn start_refill(&mut self, room: usize) {
        if room > 0 {
            self.inbox.reserve(room);
            // Whatever is due now is leased, and what comes after it is asked for anew.
            self.next = None;
        }
        let (store, subscription, returns) =
            (self.store.clone(), self.subscription.clone(), take(&mut self.returns));
        let future = async move { refill(&*store, &subscription, &returns, room).await };
        self.refill = Some(future.boxed());
    }

    fn handle_refill(&mut self, refill: Refill) {
        self.refill = None;
        self.inbox.receive(refill.asked, &refill.leased);
        self.ready.extend(refill.leased);
        if let Some(error) = refill.error {
            let wait = self.backoff.next();
            self.metrics.store_failed();
            tracing::warn!(subscription = &*self.subscription, %error, ?wait, "deliveries cannot be leased now");
            self.timer.hold_off(wait);
        } else if refill.asked > 0 {
            self.backoff.reset();
        }
        if let Some(next) = refill.next {
            self.inbox.caught_up();
            self.next = earlier(self.next, next);
        }
    }

    fn handle_timer(&mut self) {
        if self.next.is_some_and(|next| next <= now()) {
            self.next = None;
            self.inbox.wake();
        }
    }

    fn start_attempts(&mut self) {
        let concurrency = self.settings.concurrency();
        while self.running.len() < concurrency
            && self.settling.len() < concurrency.saturating_mul(UNSETTLED)
            && self.waiting.load(Ordering::Relaxed) == 0
            && let Some(delivery) = self.ready.pop_front()
        {
            self.start_attempt(delivery);
        }
    }

    fn start_attempt(&mut self, delivery: LeasedDelivery) {
        let settings = self.settings.clone();
        let span = tracing::debug_span!(
            "attempt",
            subscription = &*self.subscription,
            delivery = %delivery.id,
            event = delivery.event.id,
        );
        let open = Open {
            lease: delivery.lease(),
            bytes: delivery.data.len(),
            before: delivery.attempts,
            settings: settings.clone(),
        };
        let future = async move { attempt(&settings.target, delivery, settings.policy.timeout).await };
        let task = self.running.spawn(future.instrument(span));
        self.open.insert(task.id(), open);
        let metrics = self.own_metrics.get_or_insert_with(|| self.metrics.of(&self.subscription));
        metrics.running(self.running.len());
    }

    fn handle_ended(&mut self, ended: Result<(task::Id, Tried), JoinError>) {
        let (task, tried) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(subscription = &*self.subscription, %error, "an attempt broke down");
                (error.id(), Tried::failed(Failure::Internal))
            }
        };
        let Some(open) = self.open.remove(&task) else { return };
        self.inbox.free(open.bytes);
        let now = now();
        let settled =
            policy::settle(&open.settings.policy, tried.outcome(), open.before, now, fastrand::u64(..));
        if let Some(metrics) = &self.own_metrics {
            metrics.running(self.running.len());
            metrics.ended(settled, tried.duration);
        }
        let attempt = tried.record(settled == Settled::Delivered);
        self.log(&open, &attempt, settled);
        let settlement = Settlement { lease: open.lease, attempt, settled, now };
        let future = settle(self.store.clone(), settlement, self.waiting.clone(), self.metrics.clone());
        let lease = open.lease;
        self.unsettled.insert(lease);
        self.settling.push(async move { (lease, settled, future.await) }.boxed());
    }

    fn log(&self, open: &Open, attempt: &crate::store::Attempt, settled: Settled) {
        let subscription = &*self.subscription;
        let (delivery, number, duration) =
            (open.lease.delivery.0, open.before.saturating_add(1), attempt.duration);
        let error = attempt.error.as_deref().unwrap_or_default();
        match settled {
            Settled::Delivered => tracing::debug!(subscription, delivery, number, ?duration, "delivered"),
            Settled::Discarded => {
                tracing::info!(subscription, delivery, number, ?duration, error, "discarded by policy");
            }
            Settled::Retry(at) => {
                let wait = std::time::Duration::from_millis(at.0.saturating_sub(now().0));
                tracing::info!(subscription, delivery, number, ?duration, error, ?wait, "attempt failed");
            }
            Settled::Dead => {
                tracing::warn!(
                    subscription,
                    delivery,
                    number,
                    ?duration,
                    error,
                    "given up: no attempt is left"
                );
            }
        }
    }

    fn handle_settled(&mut self, lease: Lease, settled: Settled, recorded: bool) {
        self.unsettled.remove(&lease);
        if !recorded {
            self.returns.push(lease);
            self.inbox.wake();
        } else if let Settled::Retry(at) = settled {
            self.next = earlier(self.next, Some(at));
        }
    }

    fn is_done(&self) -> bool {
        self.pace != Pace::Run
            && self.running.is_empty()
            && self.settling.is_empty()
            && self.refill.is_none()
            && self.returns.is_empty()
    }

    /// Breaks off what runs and gives everything back as it was.
    async fn abort(mut self) {
        if let Some(refill) = self.refill.take() {
            self.returns.extend(refill.await.leased.iter().map(LeasedDelivery::lease));
        }
        self.running.shutdown().await;
        self.settling.clear();
        self.returns.extend(self.open.drain().map(|(_, open)| open.lease));
        self.returns.extend(self.unsettled.drain());
        if let Some(metrics) = &self.own_metrics {
            metrics.running(0);
        }
        if !self.returns.is_empty()
            && let Err(error) = self.store.release(&self.returns).await
        {
            tracing::error!(subscription = &*self.subscription, %error, "deliveries cannot be given back");
        }
    }
}

/// The earlier of two times, where there are two.
fn earlier(one: Option<UnixMillis>, other: Option<UnixMillis>) -> Option<UnixMillis> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
