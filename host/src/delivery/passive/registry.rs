//! Which passive subscriptions there are.

use super::expiry::{self, Watches};
use super::message_token::TokenSequence;
use super::subscription::{PassiveSubscription, Shared};
use crate::delivery::clock::Clock;
use crate::delivery::metric::DeliveryMetrics;
use crate::delivery::roster::{Roster, Settings};
use crate::random::NoRandomNumbers;
use crate::store::Store;
use crate::supervision::Supervisor;
use anglerfish_core::config::AccessToken;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a passive subscription goes by; replaced as a whole.
#[derive(Debug)]
pub(in crate::delivery) struct PassiveSettings {
    pub(in crate::delivery) tokens: Vec<AccessToken>,
    pub(in crate::delivery) settings: Arc<Settings>,
    pub(in crate::delivery) has_endpoint: bool,
}

/// All passive subscriptions, and what they share.
pub(in crate::delivery) struct PassiveRegistry {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) roster: Arc<Roster>,
    pub(super) metrics: DeliveryMetrics,
    pub(super) runtime: Handle,
    pub(super) tokens: TokenSequence,
    pub(super) watches: Watches,
    /// Nobody waits any more, and nothing is begun.
    pub(super) stop: CancellationToken,
    /// What is under way is broken off.
    pub(super) abort: CancellationToken,
    /// What is carried to its end whoever asked for it.
    pub(super) tasks: TaskTracker,
    subscriptions: RwLock<HashMap<Arc<str>, Arc<Shared>>>,
}

impl PassiveRegistry {
    pub(in crate::delivery) fn try_new(
        store: Arc<dyn Store>,
        clock: Clock,
        roster: Arc<Roster>,
        metrics: DeliveryMetrics,
        runtime: Handle,
    ) -> Result<Arc<Self>, NoRandomNumbers> {
        Ok(Arc::new(Self {
            store,
            clock,
            roster,
            metrics,
            runtime,
            tokens: TokenSequence::try_new()?,
            watches: Watches::default(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            tasks: TaskTracker::new(),
            subscriptions: RwLock::default(),
        }))
    }

    /// Lets leases expire from now on.
    pub(in crate::delivery) fn start(self: &Arc<Self>, supervisor: &Supervisor) {
        let (registry, stop) = (Arc::clone(self), self.stop.clone());
        supervisor.spawn("leases of passive subscriptions", move || {
            let (registry, stop) = (Arc::clone(&registry), stop.clone());
            async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = expiry::run(registry) => {}
                }
            }
        });
    }

    /// One of them.
    pub(in crate::delivery) fn get(self: &Arc<Self>, name: &str) -> Option<PassiveSubscription> {
        let shared = self.read(name)?;
        Some(PassiveSubscription::new(Arc::clone(self), shared))
    }

    fn read(&self, name: &str) -> Option<Arc<Shared>> {
        self.subscriptions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// A subscription is there and is passive, or has new settings; its leases stay.
    pub(in crate::delivery) fn put(&self, name: Arc<str>, settings: PassiveSettings) {
        let mut subscriptions = self.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        match subscriptions.get(&name) {
            Some(known) => known.set(settings),
            None => {
                let metrics = self.metrics.passive().clone();
                let shared = Shared::new(Arc::clone(&name), settings, metrics);
                subscriptions.insert(name, Arc::new(shared));
            }
        }
    }

    /// A subscription is gone, or is not passive any more. Its leases are stale from now on; the task gives them back.
    pub(in crate::delivery) fn remove(&self, name: &str) -> Option<JoinHandle<()>> {
        let mut subscriptions = self.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        let shared = subscriptions.remove(name)?;
        self.metrics.passive().forget(&shared.name);
        drop(subscriptions);
        let (leases, store) = (shared.close(), Arc::clone(&self.store));
        Some(self.tasks.spawn_on(
            async move {
                if let Err(error) = store.release(&leases).await {
                    // They come back by the deadline that the store knows.
                    tracing::error!(%error, "leases of a passive subscription cannot be given back now");
                }
            },
            &self.runtime,
        ))
    }

    /// Whether there is a passive subscription of this name.
    pub(in crate::delivery) fn has(&self, name: &str) -> bool {
        self.subscriptions.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Something became due for a subscription, or it goes on; `false` if it is not passive.
    pub(in crate::delivery) fn wake(&self, name: &str) -> bool {
        let shared = self.read(name);
        shared.inspect(|shared| shared.wake()).is_some()
    }

    /// Waits until nothing is under way any more. After [`Self::stop`].
    pub(in crate::delivery) async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// What is under way is broken off.
    pub(in crate::delivery) fn abort(&self) {
        self.abort.cancel();
    }

    /// Nobody waits any more, and what is under way may end until it is aborted.
    pub(in crate::delivery) fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
    }
}
