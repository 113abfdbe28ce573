//! Deliveries to a receiver on this machine: through a queue with its store and its records, beside a plain loop over
//! the same kind of client with the same concurrency.
//!
//! `cargo bench -p anglerfish --bench delivery`

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

mod loopback;
mod plain;

use anglerfish::clock::WallClock;
use anglerfish::delivery::{Deliveries, DeliveryOptions};
use anglerfish::store::{
    Commit, CommitOutcome, DeliveryStore, LeasedDelivery, LogStore, NewEvent, RequestRecord, SqliteOptions,
    SqliteStore, Store,
};
use anglerfish_core::config::{
    DeliveryConfig, EndpointConfig, SignatureStyle, SigningKeyConfig, StartPoint, SubscriptionConfig,
    WhenRemoved,
};
use anglerfish_core::event::Event;
use bytes::Bytes;
use futures_util::future::join_all;
use loopback::{fsync, receiver};
use plain::{plain, rate};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONCURRENCY: usize = 10;
const BODY: usize = 1024;
const ROUNDS: usize = 3;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let count = if std::env::args().any(|argument| argument == "--bench") { 20_000 } else { 200 };
    let address = receiver(|_| {});
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{count} deliveries of {BODY} bytes, concurrency {CONCURRENCY}, best of {ROUNDS}:");
    let mut best = [0.0f64; 3];
    for _ in 0..ROUNDS {
        let rates = runtime.block_on(async {
            [
                plain(address, count, CONCURRENCY, BODY).await,
                backlog(address, count).await,
                live(address, count).await,
            ]
        });
        for (best, rate) in best.iter_mut().zip(rates) {
            *best = best.max(rate);
        }
    }
    let [plain, backlog, live] = best;
    println!("plain client loop      {plain:>8.0}/s");
    println!("queue, from a backlog  {backlog:>8.0}/s  ratio {:.2}", backlog / plain);
    println!("commit, queue, record  {live:>8.0}/s  ratio {:.2}", live / plain);
    println!("fsync of 4 KiB         {:>8.2?} (median)", fsync());
}

/// Everything is in the store before the queue starts.
async fn backlog(address: SocketAddr, count: usize) -> f64 {
    let gateway = Gateway::open();
    for deliveries in join_all((0..count).map(|number| gateway.commit(number))).await {
        let leases: Vec<_> = deliveries.iter().map(LeasedDelivery::lease).collect();
        gateway.store.release(&leases).await.unwrap();
    }
    let begun = Instant::now();
    gateway.deliveries.put(&subscription(address)).unwrap();
    gateway.drained().await;
    let rate = rate(count, begun);
    gateway.close().await;
    rate
}

/// Events are committed by 64 senders at once, and delivered meanwhile.
async fn live(address: SocketAddr, count: usize) -> f64 {
    const SENDERS: usize = 64;
    let gateway = Arc::new(Gateway::open());
    gateway.deliveries.put(&subscription(address)).unwrap();
    let begun = Instant::now();
    let senders = (0..SENDERS).map(|sender| {
        let gateway = gateway.clone();
        tokio::spawn(async move {
            for number in (sender..count).step_by(SENDERS) {
                let deliveries = gateway.commit(number).await;
                gateway.deliveries.offer(deliveries);
            }
        })
    });
    join_all(senders).await;
    gateway.drained().await;
    let rate = rate(count, begun);
    gateway.close().await;
    rate
}

struct Gateway {
    store: Arc<SqliteStore>,
    deliveries: Deliveries,
    _directory: tempfile::TempDir,
}

impl Gateway {
    fn open() -> Self {
        // Not the directory for temporary files: it may be in memory, where fsync costs nothing.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = directory.path().join("anglerfish.db");
        let store = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
        let deliveries = Deliveries::try_new(store.clone(), DeliveryOptions::default()).unwrap();
        deliveries.start();
        Self { store, deliveries, _directory: directory }
    }

    async fn commit(&self, number: usize) -> Vec<LeasedDelivery> {
        let now = WallClock::default().now();
        let event = Event {
            id: format!("evt_{number}"),
            source: "shop".into(),
            kind: "order.created".into(),
            subject: None,
            time: now,
            datacontenttype: Some("application/json".into()),
            ..Event::default()
        };
        let request =
            RequestRecord { method: "POST".into(), url: "/in/shop".into(), ..RequestRecord::default() };
        let data = Bytes::from(vec![b'x'; BODY]);
        let event = NewEvent {
            request: Some(request),
            subscriptions: vec!["bench".into()],
            ..NewEvent::new(event, data, now)
        };
        let commit = Commit { events: vec![event], ..Commit::new(now) };
        match self.store.commit(commit).await.unwrap() {
            CommitOutcome::Committed { deliveries, .. } => deliveries,
            CommitOutcome::Conflict => unreachable!("no key was read"),
        }
    }

    async fn drained(&self) {
        while self.store.backlog().await.unwrap().iter().any(|(_, open)| *open > 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn close(&self) {
        self.deliveries.shutdown(Duration::from_secs(5)).await;
        self.store.close().await;
    }
}

fn subscription(address: SocketAddr) -> SubscriptionConfig {
    SubscriptionConfig {
        id: "bench".into(),
        sources: Vec::new(),
        filter: None,
        endpoint: Some(EndpointConfig {
            url: format!("http://{address}/").into(),
            method: "POST".into(),
            headers: Vec::new(),
            secrets: vec![SigningKeyConfig::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
            signature: SignatureStyle::default(),
            rotation_overlap: SignatureStyle::OVERLAP,
            allow_private: true,
            allow_networks: Vec::new(),
            ..EndpointConfig::new("")
        }),
        flow: None,
        tokens: Vec::new(),
        notification: None,
        delivery: DeliveryConfig { concurrency: CONCURRENCY, ..DeliveryConfig::default() },
        plugins: Vec::new(),
        when_removed: WhenRemoved::End,
        start: StartPoint::Now,
    }
}
