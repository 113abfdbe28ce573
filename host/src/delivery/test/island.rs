//! What one subscription does costs the others nothing.

use super::receiver::Receiver;
use super::rig::{Rig, subscription, until};
use crate::store::{DeliveryStatus, DeliveryStore, LeaseTerms, LeasedDelivery};
use anglerfish_core::config::Schedule;
use http::StatusCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

#[tokio::test]
async fn a_subscriber_that_never_answers_does_not_hold_up_another() {
    let rig = Rig::new();
    let stuck = Receiver::start(async |_| std::future::pending::<StatusCode>().await).await;
    let quick = Receiver::with_status(200).await;
    rig.deliveries.put(&subscription("stuck", stuck.url("/"))).unwrap();
    rig.deliveries.put(&subscription("quick", quick.url("/"))).unwrap();
    for _ in 0..100 {
        rig.send(&["stuck", "quick"], "{}").await;
    }
    until("the quick one", async || rig.count(DeliveryStatus::Delivered).await == 100).await;
    assert_eq!((quick.count(), stuck.count()), (100, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_attempts_run_at_once_than_allowed() {
    let rig = Rig::new();
    // Longer than it takes a busy machine to store the next few.
    let receiver = Receiver::start(async |_| tokio::time::sleep(Duration::from_millis(15)).await).await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.concurrency = 4;
    rig.deliveries.put(&config).unwrap();
    for _ in 0..60 {
        rig.send(&["a"], "{}").await;
    }
    // New settings are no way around it.
    config.delivery.concurrency = 3;
    rig.deliveries.put(&config).unwrap();
    for _ in 0..60 {
        rig.send(&["a"], "{}").await;
    }
    until("all of them", async || rig.count(DeliveryStatus::Delivered).await == 120).await;
    assert_eq!((receiver.count(), receiver.most()), (120, 4));
}

#[tokio::test]
async fn a_long_backlog_stays_in_the_store_and_goes_out_oldest_first() {
    let rig = Rig::new();
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let receiver = Receiver::start(move |_| {
        let gate = gate.clone();
        async move { gate.acquire().await.unwrap().forget() }
    })
    .await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.concurrency = 1;
    rig.deliveries.put(&config).unwrap();
    for number in 0..50 {
        rig.send(&["a"], &number.to_string()).await;
    }
    until("the first", async || receiver.count() == 1).await;
    // The queue keeps a few and no more; what it gives back, others can lease as soon as it has been given back.
    until("the rest to be given back", async || {
        let free = rig.store.inner().lease("a", crate::clock::now(), 100, LeaseTerms::default()).await;
        let free = free.unwrap().deliveries;
        let leases: Vec<_> = free.iter().map(LeasedDelivery::lease).collect();
        rig.store.inner().release(&leases).await.unwrap();
        free.len() >= 42
    })
    .await;
    opened.add_permits(50);
    until("all of them", async || rig.count(DeliveryStatus::Delivered).await == 50).await;
    assert!(rig.store.most_leased() <= 8, "{}", rig.store.most_leased());
    let bodies: Vec<String> =
        receiver.received().iter().map(|one| String::from_utf8(one.body.to_vec()).unwrap()).collect();
    assert_eq!(bodies, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn of_large_deliveries_a_queue_holds_no_more_than_it_needs() {
    let rig = Rig::new();
    let receiver = Receiver::start(async |_| std::future::pending::<StatusCode>().await).await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.concurrency = 1;
    rig.deliveries.put(&config).unwrap();
    for _ in 0..10 {
        rig.send(&["a"], &"x".repeat(700 << 10)).await;
    }
    until("the first", async || receiver.count() == 1).await;
    until("the rest to be given back", async || {
        let mut leased = Vec::new();
        while let more = rig.store.inner().lease("a", crate::clock::now(), 10, LeaseTerms::default()).await
            && let more = more.unwrap().deliveries
            && !more.is_empty()
        {
            leased.extend(more.iter().map(LeasedDelivery::lease));
        }
        rig.store.inner().release(&leased).await.unwrap();
        leased.len() >= 8
    })
    .await;
    assert!(rig.store.most_leased() <= 2, "{}", rig.store.most_leased());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_under_load() {
    let rig = Arc::new(Rig::new());
    let receiver = Receiver::start(async |place: usize| {
        if place.is_multiple_of(7) { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
    })
    .await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.retry.schedule = Schedule::Delays(vec![Duration::from_millis(10); 50]);
    rig.deliveries.put(&config).unwrap();
    let senders: Vec<_> = (0..16)
        .map(|_| {
            let rig = rig.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    rig.send(&["a"], "{}").await;
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    until("all of them", async || rig.count(DeliveryStatus::Delivered).await == 800).await;
    let received = receiver.received();
    let failed = received.len().div_ceil(7);
    assert_eq!(received.len(), 800 + failed, "each once, and once more for each failure");
    assert!(receiver.most() <= 10, "{}", receiver.most());
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a duration for people to read")]
async fn ten_thousand_idle_subscriptions_cost_little_and_one_of_them_still_works() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(200).await;
    let before = resident();
    let begun = Instant::now();
    for number in 0..10_000 {
        rig.deliveries.put(&subscription(&format!("s{number}"), receiver.url("/"))).unwrap();
    }
    until("the first look into the store", async || rig.store.surveys() > 0).await;
    let each = resident().saturating_sub(before) / 10_000;
    println!("10000 subscriptions: {:?} to start, {each} bytes each", begun.elapsed());
    assert!(each < 16 * 1024, "{each} bytes each");
    let leases = rig.store.leases();
    for number in [0, 5_000, 9_999] {
        let (delivery, _) = rig.settled(&format!("s{number}")).await;
        assert_eq!(delivery.status, DeliveryStatus::Delivered);
    }
    // One more look at the backlog may come late; three would mean that each delivery took the way through the store.
    assert!(rig.store.leases() < leases + 3, "a new delivery does not go through the store");
}

/// Resident memory of this process in bytes; 0 where that cannot be read.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}
