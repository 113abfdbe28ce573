//! A store with queues on it.

use super::flaky::Flaky;
use crate::clock::now;
use crate::delivery::{Deliveries, DeliveryOptions};
use crate::store::{
    Attempt, Commit, CommitOutcome, Delivery, DeliveryId, DeliveryQuery, DeliveryStatus, DeliveryStore,
    LeasedDelivery, LogStore, NewEvent, RequestRecord, SqliteOptions, SqliteStore, Store,
};
pub(super) use anglerfish_core::config::SubscriptionConfig as Config;
use anglerfish_core::config::{
    DeliveryConfig, EndpointConfig, RetryConfig, StartPoint, SubscriptionConfig, WhenRemoved,
};
use anglerfish_core::event::Event;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub(super) struct Rig {
    pub(super) deliveries: Deliveries,
    pub(super) store: Arc<Flaky>,
    pub(super) directory: TempDir,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(DeliveryOptions::default())
    }

    pub(super) fn with(options: DeliveryOptions) -> Self {
        Self::in_directory(tempfile::tempdir().unwrap(), options)
    }

    /// A gateway on the files of an earlier one.
    pub(super) fn in_directory(directory: TempDir, options: DeliveryOptions) -> Self {
        let rig = Self::unstarted_in(directory, options);
        rig.deliveries.start();
        rig
    }

    /// One whose deliveries have not begun.
    pub(super) fn unstarted() -> Self {
        Self::unstarted_in(tempfile::tempdir().unwrap(), DeliveryOptions::default())
    }

    fn unstarted_in(directory: TempDir, options: DeliveryOptions) -> Self {
        let store = Arc::new(Flaky::new(open(directory.path())));
        let deliveries = Deliveries::try_new(store.clone(), options).unwrap();
        Self { deliveries, store, directory }
    }

    /// Stores an event for these subscriptions, with the deliveries leased.
    pub(super) async fn commit(&self, subscriptions: &[&str], data: &str) -> Vec<LeasedDelivery> {
        self.commit_event(event(subscriptions, data)).await
    }

    pub(super) async fn commit_event(&self, event: NewEvent) -> Vec<LeasedDelivery> {
        let commit = Commit { events: vec![event], ..Commit::new(now()) };
        match self.store.inner().commit(commit).await.unwrap() {
            CommitOutcome::Committed { deliveries, .. } => deliveries,
            CommitOutcome::Conflict => panic!("conflict"),
        }
    }

    /// Stores an event and hands its deliveries to the queues.
    pub(super) async fn send(&self, subscriptions: &[&str], data: &str) -> Vec<DeliveryId> {
        let deliveries = self.commit(subscriptions, data).await;
        let ids = deliveries.iter().map(|delivery| delivery.id).collect();
        self.deliveries.offer(deliveries);
        ids
    }

    pub(super) async fn show(&self, id: DeliveryId) -> (Delivery, Vec<Attempt>) {
        self.store.inner().delivery(id).await.unwrap().unwrap()
    }

    /// Sends one event to one subscription and waits until it has ended.
    pub(super) async fn settled(&self, subscription: &str) -> (Delivery, Vec<Attempt>) {
        let id = self.send(&[subscription], "{}").await[0];
        self.ended(id).await
    }

    pub(super) async fn ended(&self, id: DeliveryId) -> (Delivery, Vec<Attempt>) {
        until("the delivery to end", async || self.show(id).await.0.status != DeliveryStatus::Pending).await;
        self.show(id).await
    }

    /// Waits for the first attempt's record.
    pub(super) async fn attempted(&self, id: DeliveryId) -> (Delivery, Vec<Attempt>) {
        until("an attempt", async || !self.show(id).await.1.is_empty()).await;
        self.show(id).await
    }

    /// How many deliveries have a status.
    pub(super) async fn count(&self, status: DeliveryStatus) -> usize {
        let query = DeliveryQuery { status: Some(status), limit: 100_000, ..DeliveryQuery::default() };
        self.store.inner().deliveries(query).await.unwrap().items.len()
    }

    /// Lets go of the file as a crash does: nothing is drained, recorded or given back.
    pub(super) async fn crash(self) -> TempDir {
        self.deliveries.shutdown(Duration::ZERO).await;
        self.store.inner().close().await;
        self.directory
    }
}

pub(super) fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(&directory.join("anglerfish.db"), SqliteOptions::default()).unwrap()
}

pub(super) fn event(subscriptions: &[&str], data: &str) -> NewEvent {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let event = Event {
        id: format!("evt_{number}"),
        source: "shop".into(),
        kind: "order.created".into(),
        subject: None,
        time: now(),
        datacontenttype: Some("application/json".into()),
        ..Event::default()
    };
    let request = RequestRecord { method: "POST".into(), url: "/in/shop".into(), ..RequestRecord::default() };
    let subscriptions = subscriptions.iter().map(|id| (*id).to_owned()).collect();
    NewEvent { request: Some(request), subscriptions, ..NewEvent::new(event, data.to_owned().into(), now()) }
}

/// A subscription that may call this machine, with a schedule of short waits.
pub(super) fn subscription(id: &str, url: String) -> SubscriptionConfig {
    SubscriptionConfig {
        id: id.into(),
        sources: Vec::new(),
        filter: None,
        endpoint: Some(EndpointConfig { allow_private: true, ..EndpointConfig::new(url) }),
        flow: None,
        tokens: Vec::new(),
        notification: None,
        delivery: DeliveryConfig {
            timeout: Duration::from_secs(10),
            retry: RetryConfig::with_delays(vec![Duration::from_millis(20); 2]),
            // Tests that are not about it fail as often as they like.
            breaker: None,
            ..DeliveryConfig::default()
        },
        start: StartPoint::Now,
        plugins: Vec::new(),
        when_removed: WhenRemoved::End,
    }
}

/// Waits until something is so.
pub(super) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waited = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(60), waited).await.is_ok(),
        "waited too long for {what}"
    );
}
