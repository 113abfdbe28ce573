//! All ways out of the gateway, as the rooms see them that events come in through.

use super::routing::EngineRouting;
use crate::clock::WallClock;
use crate::delivery::Deliveries;
use crate::ingress::Outlet;
use crate::passive::OutConfig;
use crate::store::{LeasedDelivery, Store};
use crate::stream::{StreamMetrics, StreamOptions, Streams};
use crate::subscription::{
    Dispatch, LeaseReport, QueueReport, SendError, SendReport, StandingError, SubscriptionStanding,
};
use anglerfish_core::config::SubscriptionConfig;
use anglerfish_core::decision::Intent;
use anglerfish_core::delivery::Standing;
use anglerfish_core::problem::Problem;
use async_trait::async_trait;
use ipnet::IpNet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The delivery queues, and the streams beside them. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Exits {
    pub(super) deliveries: Deliveries,
    pub(super) streams: Streams,
}

impl Exits {
    pub(super) fn put(&self, subscription: &SubscriptionConfig) -> Result<(), Problem> {
        self.deliveries.put(subscription)?;
        self.streams.put(subscription);
        Ok(())
    }
}

/// The streams over a store, by the configuration.
pub(super) fn streams(
    config: &OutConfig,
    proxies: &[IpNet],
    store: &Arc<dyn Store>,
    routing: &Arc<EngineRouting>,
    metrics: StreamMetrics,
    (retention, clock): (watch::Receiver<Duration>, WallClock),
) -> Streams {
    let options = StreamOptions {
        readers: config.max_readers,
        readers_per_token: config.max_readers_per_token,
        readers_per_address: config.max_readers_per_address,
        proxies: proxies.to_vec(),
        heartbeat: config.heartbeat,
        rotate_after: config.rotate_after,
        buffer: usize::try_from(config.reader_buffer).unwrap_or(usize::MAX),
        stall: config.stall(),
        events: config.reader_events,
        clock,
    };
    let routing = Arc::clone(routing);
    let fields = Arc::new(move |source: &str| routing.json_fields(source));
    Streams::new(Arc::clone(store) as _, fields, options, metrics, retention)
}

impl Outlet for Exits {
    fn to_deliver(&self, intents: Vec<Intent>) -> Vec<Intent> {
        self.streams.without_streams(intents)
    }

    fn offer(&self, deliveries: Vec<LeasedDelivery>) {
        self.deliveries.offer(deliveries);
    }

    fn wake(&self, subscription: &str) {
        Dispatch::wake(&self.deliveries, subscription);
    }
}

#[async_trait]
impl Dispatch for Exits {
    async fn check(&self, subscription: &SubscriptionConfig) -> Result<(), Vec<Problem>> {
        Dispatch::check(&self.deliveries, subscription).await
    }

    async fn put(&self, subscription: &SubscriptionConfig) -> Result<(), Vec<Problem>> {
        Self::put(self, subscription).map_err(|problem| vec![problem])
    }

    async fn remove(&self, id: &str) {
        self.streams.remove(id);
        self.deliveries.remove(id).await;
    }

    fn wake(&self, id: &str) {
        self.deliveries.wake(id);
    }

    async fn stand(&self, id: &str, standing: Standing) -> Result<(), StandingError> {
        self.deliveries.stand(id, standing).await
    }

    fn standing(&self, id: &str) -> SubscriptionStanding {
        self.deliveries.standing(id)
    }

    async fn report(&self, id: &str) -> Option<QueueReport> {
        // Of a stream there is no queue.
        if self.streams.is_stream(id) { None } else { self.deliveries.report(id).await }
    }

    fn leases(&self, id: &str) -> Option<LeaseReport> {
        Dispatch::leases(&self.deliveries, id)
    }

    async fn send(&self, id: &str, quantity: usize, concurrency: usize) -> Result<SendReport, SendError> {
        self.deliveries.send(id, quantity, concurrency).await
    }

    fn forget(&self, id: &str) {
        Dispatch::forget(&self.deliveries, id);
    }
}
