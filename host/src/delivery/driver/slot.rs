//! What the driver keeps of each subscription beside the engine.

use crate::delivery::endpoint::Endpoint;
use crate::delivery::metric::{DeliveryMetrics, SubscriptionMetrics};
use crate::delivery::roster::Settings;
use crate::store::LeasedDelivery;
use anglerfish_core::delivery::{Engine, StoreFault, SubscriptionKey};
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long an endpoint that nobody calls is kept ready, connections included.
const IDLE: Duration = Duration::from_mins(1);

/// What the driver keeps of one subscription.
pub(super) struct Slot {
    key: SubscriptionKey,
    pub(super) name: Arc<str>,
    settings: Arc<Settings>,
    /// Made with the first attempt, and let go of when it is idle: most subscriptions are.
    endpoint: Option<Arc<dyn Endpoint>>,
    used: Duration,
    metrics: Option<Box<SubscriptionMetrics>>,
    /// Who waits for its end.
    waiting: Vec<oneshot::Sender<()>>,
    /// Who waits until it is written down how it stands.
    standing: Vec<oneshot::Sender<Result<(), StoreFault>>>,
}

impl Slot {
    /// The endpoint, made ready if it is not.
    pub(super) fn endpoint(&mut self, now: Duration) -> Option<Arc<dyn Endpoint>> {
        self.used = now;
        if self.endpoint.is_none() {
            self.endpoint = (self.settings.endpoint)();
        }
        self.endpoint.clone()
    }

    /// Nothing new is to be sent.
    pub(super) fn withdraw(&self) {
        if let Some(endpoint) = &self.endpoint {
            endpoint.withdraw();
        }
    }

    /// Tells those who wait whether it is written down how it stands.
    pub(super) fn answer_standing(&mut self, stood: Result<(), StoreFault>) {
        for done in take(&mut self.standing) {
            // Who waited may be gone.
            let _ = done.send(stood);
        }
    }

    /// Its metrics, looked up once.
    pub(super) fn metrics(&mut self, all: &DeliveryMetrics) -> &SubscriptionMetrics {
        self.metrics.get_or_insert_with(|| Box::new(all.of(&self.name)))
    }
}

/// All of them, by key.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    /// Whether any endpoint is ready.
    is_any_ready: bool,
    swept: Duration,
}

impl Slots {
    pub(super) fn put(&mut self, key: SubscriptionKey, name: Arc<str>, settings: Arc<Settings>) {
        if let Some(slot) = self.get(key) {
            // The next attempt makes its endpoint by the new settings; those that run keep the old one.
            slot.settings = settings;
            slot.endpoint = None;
            return;
        }
        let place = key.index();
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, || None);
        }
        let slot = Slot {
            key,
            name,
            settings,
            endpoint: None,
            used: Duration::ZERO,
            metrics: None,
            waiting: Vec::new(),
            standing: Vec::new(),
        };
        if let Some(free) = self.slots.get_mut(place) {
            *free = Some(slot);
        }
    }

    pub(super) fn get(&mut self, key: SubscriptionKey) -> Option<&mut Slot> {
        self.slots.get_mut(key.index())?.as_mut().filter(|slot| slot.key == key)
    }

    /// The endpoint of a subscription.
    pub(super) fn endpoint(&mut self, key: SubscriptionKey, now: Duration) -> Option<Arc<dyn Endpoint>> {
        let endpoint = self.get(key)?.endpoint(now);
        if !self.is_any_ready {
            (self.is_any_ready, self.swept) = (true, now);
        }
        endpoint
    }

    /// Somebody waits for a subscription's end.
    pub(super) fn wait(&mut self, key: SubscriptionKey, done: oneshot::Sender<()>) {
        match self.get(key) {
            Some(slot) => slot.waiting.push(done),
            None => {
                let _ = done.send(());
            }
        }
    }

    /// Somebody waits until it is written down how a subscription stands. Without one the sender is dropped.
    pub(super) fn await_standing(
        &mut self,
        key: SubscriptionKey,
        done: oneshot::Sender<Result<(), StoreFault>>,
    ) {
        if let Some(slot) = self.get(key) {
            slot.standing.push(done);
        }
    }

    /// A subscription has ended.
    pub(super) fn remove(&mut self, key: SubscriptionKey) -> Option<Arc<str>> {
        let slot = self.slots.get_mut(key.index())?.take_if(|slot| slot.key == key)?;
        for done in slot.waiting {
            // Who waited may be gone.
            let _ = done.send(());
        }
        Some(slot.name)
    }

    /// Lets go of endpoints that nobody calls.
    pub(super) fn sweep(&mut self, now: Duration, engine: &Engine<LeasedDelivery>) {
        if !self.is_any_ready || now < self.swept + IDLE {
            return;
        }
        (self.is_any_ready, self.swept) = (false, now);
        for slot in self.slots.iter_mut().flatten() {
            if now >= slot.used + IDLE && engine.running(slot.key) == 0 {
                slot.endpoint = None;
            }
            self.is_any_ready |= slot.endpoint.is_some();
        }
    }

    /// How long until the next sweep, if there is anything to sweep.
    pub(super) fn wait_for_sweep(&self, now: Duration) -> Option<Duration> {
        self.is_any_ready.then(|| (self.swept + IDLE).saturating_sub(now))
    }
}
