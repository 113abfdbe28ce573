//! All queues of a gateway.

use super::endpoint::Target;
use super::inbox::{Inbox, Pace, Settings};
use super::metric::DeliveryMetrics;
use super::queue::Queue;
use crate::outbound::{Outbound, OutboundError, OutboundOptions};
use crate::store::{Lease, LeasedDelivery, Store};
use crate::subscription::Dispatch;
use anglerfish_core::config::SubscriptionConfig;
use anglerfish_core::problem::Problem;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};

/// How long a store may take to get back what is not attempted any more.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What all queues share.
#[derive(Debug, Default)]
pub struct DeliveryOptions {
    /// What calls are made with; one of the system's own if there is none.
    pub outbound: Option<Outbound>,
    /// Where attempts are counted.
    pub metrics: DeliveryMetrics,
}

/// The queues of a gateway, one for each subscription. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Deliveries {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    metrics: DeliveryMetrics,
    outbound: Outbound,
    runtime: Handle,
    queues: RwLock<Queues>,
}

#[derive(Default)]
struct Queues {
    by_subscription: HashMap<Arc<str>, Running>,
    closed: bool,
}

struct Running {
    inbox: Arc<Inbox>,
    task: JoinHandle<()>,
}

impl Deliveries {
    /// Makes ready for queues, on the runtime that this is called from.
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
        let shared = Shared {
            store,
            metrics: options.metrics,
            outbound,
            runtime: Handle::current(),
            queues: RwLock::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes a subscription's endpoint ready without using it, so that what is stored can be started.
    ///
    /// # Errors
    ///
    /// What is wrong with the endpoint, with its place in the subscription.
    pub fn check(&self, subscription: &SubscriptionConfig) -> Result<(), Problem> {
        self.target(subscription).map(drop)
    }

    fn target(&self, subscription: &SubscriptionConfig) -> Result<Target, Problem> {
        Target::try_new(subscription, &self.shared.outbound)
            .map_err(|error| Problem::new(error.path(), error.to_string()))
    }

    /// Starts a subscription's queue, or gives the running one its new settings: attempts that run go on by the old
    /// ones.
    ///
    /// # Errors
    ///
    /// What is wrong with the endpoint, with its place in the subscription; all is as it was.
    pub fn put(&self, subscription: &SubscriptionConfig) -> Result<(), Problem> {
        let target = self.target(subscription)?;
        let settings = Settings { target, policy: subscription.delivery.clone() };
        let mut queues = self.write();
        if let Some(running) = queues.by_subscription.get(subscription.id.as_str()) {
            running.inbox.configure(settings);
        } else if !queues.closed {
            let id: Arc<str> = subscription.id.as_str().into();
            let inbox = Arc::new(Inbox::new(settings));
            let (store, metrics) = (self.shared.store.clone(), self.shared.metrics.clone());
            let queue = Queue::new(id.clone(), store, inbox.clone(), metrics);
            let task = self.shared.runtime.spawn(queue.run());
            queues.by_subscription.insert(id, Running { inbox, task });
        }
        Ok(())
    }

    /// Ends a subscription's queue. Running attempts are broken off without a record, and when this returns all
    /// deliveries are given back to the store. An unknown id is no error.
    pub async fn remove(&self, id: &str) {
        let removed = self.write().by_subscription.remove_entry(id);
        if let Some((id, Running { inbox, task })) = removed {
            inbox.slow(Pace::Abort);
            join(task).await;
            self.shared.metrics.forget(&id);
        }
    }

    /// Takes deliveries that are leased to the caller. Each goes straight to its queue if that has room and no older
    /// ones wait; otherwise it is given back to the store, from where the queue gets it in its turn.
    pub fn offer(&self, deliveries: Vec<LeasedDelivery>) {
        let mut homeless: Vec<Lease> = Vec::new();
        let queues = self.read();
        for delivery in deliveries {
            let refused = match queues.by_subscription.get(delivery.subscription.as_str()) {
                Some(running) => running.inbox.offer(delivery).err(),
                None => Some(delivery.lease()),
            };
            homeless.extend(refused);
        }
        drop(queues);
        if !homeless.is_empty() {
            let store = self.shared.store.clone();
            self.shared.runtime.spawn(async move {
                if let Err(error) = store.release(&homeless).await {
                    tracing::error!(%error, "deliveries cannot be given back");
                }
            });
        }
    }

    /// Tells a queue that deliveries became due in the store, as after a replay or a retry by hand.
    pub fn wake(&self, id: &str) {
        if let Some(running) = self.read().by_subscription.get(id) {
            running.inbox.wake();
        }
    }

    /// Ends all queues: attempts that run may end within `deadline`, then they are broken off; what was not attempted
    /// or not recorded is given back to the store. From now on nothing is taken.
    pub async fn shutdown(&self, deadline: Duration) {
        let mut running = self.close();
        for queue in &running {
            queue.inbox.slow(Pace::Drain);
        }
        let drained = async {
            for queue in &mut running {
                join(&mut queue.task).await;
            }
        };
        if tokio::time::timeout(deadline, drained).await.is_ok() {
            return;
        }
        running.retain(|queue| !queue.task.is_finished());
        tracing::warn!(subscriptions = running.len(), "attempts that did not end in time are broken off");
        for queue in &running {
            queue.inbox.slow(Pace::Abort);
        }
        let aborts: Vec<_> = running.iter().map(|queue| queue.task.abort_handle()).collect();
        let aborted = async {
            for queue in running {
                join(queue.task).await;
            }
        };
        if tokio::time::timeout(LAST_WAIT, aborted).await.is_err() {
            // The store does not answer. What is leased is free again when the store is opened again.
            tracing::error!("the store does not take deliveries back");
            aborts.iter().for_each(AbortHandle::abort);
        }
    }

    fn close(&self) -> Vec<Running> {
        let mut queues = self.write();
        queues.closed = true;
        queues.by_subscription.drain().map(|(_, running)| running).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Queues> {
        self.shared.queues.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Queues> {
        self.shared.queues.write().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn join(task: impl Future<Output = Result<(), tokio::task::JoinError>>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a queue broke down");
    }
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
}
