//! Restarts, outages and endings.

use super::receiver::Receiver;
use super::rig::{Rig, open, subscription, until};
use crate::clock::now;
use crate::delivery::DeliveryOptions;
use crate::store::{DeliveryStatus, DeliveryStore, LeaseTerms, LeasedDelivery, Retried, SubscriptionStore};
use crate::subscription::WaitReason;
use anglerfish_core::config::{RateConfig, Schedule};
use http::StatusCode;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::test]
async fn queues_go_on_where_they_were_after_a_restart() {
    let rig = Rig::new();
    let stuck = Receiver::start(async |_| pending::<StatusCode>().await).await;
    rig.deliveries.put(&subscription("a", stuck.url("/"))).unwrap();
    for _ in 0..30 {
        rig.send(&["a"], "{}").await;
    }
    until("attempts to run", async || stuck.count() == 10).await;
    let directory = rig.crash().await;

    let rig = Rig::in_directory(directory, DeliveryOptions::default());
    let receiver = Receiver::with_status(200).await;
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    until("all of them", async || rig.count(DeliveryStatus::Delivered).await == 30).await;
    assert_eq!(receiver.count(), 30);
}

#[tokio::test]
async fn a_retry_keeps_its_time_over_a_restart() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(500).await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.retry.schedule = Schedule::Delays(vec![Duration::from_millis(600)]);
    rig.deliveries.put(&config).unwrap();
    let id = rig.send(&["a"], "{}").await[0];
    let (delivery, _) = rig.attempted(id).await;
    let due = delivery.due.unwrap();
    let rig = Rig::in_directory(rig.crash().await, DeliveryOptions::default());
    rig.deliveries.put(&config).unwrap();
    let (delivery, attempts) = rig.ended(id).await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Dead, 2));
    assert!(attempts[1].started >= due, "{attempts:?} {due:?}");
}

#[tokio::test]
async fn an_outage_of_the_store_is_waited_out_and_nothing_is_lost() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(200).await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.concurrency = 2;
    rig.deliveries.put(&config).unwrap();
    rig.settled("a").await;
    let refused = rig.store.refused();
    rig.store.set_down(true);
    for _ in 0..20 {
        rig.send(&["a"], "{}").await;
    }
    until("the store to be missed", async || rig.store.refused() > refused + 3).await;
    let during = receiver.count();
    assert!(during < 21, "attempts go on although none of them can be recorded: {during}");
    rig.store.set_down(false);
    until("all of them", async || rig.count(DeliveryStatus::Delivered).await == 21).await;
    assert_eq!(receiver.count(), 21, "an attempt that was made is recorded, not repeated");
}

#[tokio::test]
async fn an_endpoint_that_comes_back_gets_everything() {
    let rig = Rig::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut config = subscription("a", format!("http://{address}/"));
    config.delivery.retry.schedule = Schedule::Delays(vec![Duration::from_millis(50); 200]);
    rig.deliveries.put(&config).unwrap();
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.extend(rig.send(&["a"], "{}").await);
    }
    let (_, attempts) = rig.attempted(ids[24]).await;
    assert_eq!(attempts[0].error.as_deref(), Some("connection refused"));
    let receiver = Receiver::on(TcpListener::bind(address).await.unwrap(), async |_| StatusCode::OK);
    until("all of them", async || rig.count(DeliveryStatus::Delivered).await == 25).await;
    assert_eq!(receiver.count(), 25);
}

#[tokio::test]
async fn shutdown_lets_running_attempts_end_and_gives_back_the_rest() {
    let rig = Rig::new();
    let slow = Receiver::start(async |_| tokio::time::sleep(Duration::from_millis(300)).await).await;
    let mut config = subscription("a", slow.url("/"));
    config.delivery.concurrency = 2;
    rig.deliveries.put(&config).unwrap();
    for _ in 0..10 {
        rig.send(&["a"], "{}").await;
    }
    until("attempts to run", async || slow.count() == 2).await;
    let late = rig.commit(&["a"], "{}").await;
    rig.deliveries.shutdown(Duration::from_secs(10)).await;
    assert_eq!((slow.count(), rig.count(DeliveryStatus::Delivered).await), (2, 2));
    rig.deliveries.offer(late);
    until("all others to be free", async || {
        let free = rig.store.inner().lease("a", now(), 100, LeaseTerms::default()).await.unwrap().deliveries;
        let leases: Vec<_> = free.iter().map(LeasedDelivery::lease).collect();
        rig.store.inner().release(&leases).await.unwrap();
        leases.len() == 9
    })
    .await;
}

#[tokio::test]
async fn shutdown_breaks_off_what_does_not_end_in_time() {
    let rig = Rig::new();
    let stuck = Receiver::start(async |_| pending::<StatusCode>().await).await;
    rig.deliveries.put(&subscription("a", stuck.url("/"))).unwrap();
    let id = rig.send(&["a"], "{}").await[0];
    until("the attempt to run", async || stuck.count() == 1).await;
    rig.deliveries.shutdown(Duration::from_millis(50)).await;
    let (delivery, attempts) = rig.show(id).await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Pending, 1));
    assert!(attempts[0].error.as_deref().unwrap().starts_with("interrupted: "), "{attempts:?}");
    let free = rig.store.inner().lease("a", now(), 10, LeaseTerms::default()).await.unwrap();
    assert_eq!((free.deliveries.len(), free.deliveries[0].attempts), (1, 0), "it used up none");
}

#[tokio::test]
async fn a_restart_gives_no_rate_its_burst_again() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(200).await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.rate = Some(RateConfig { count: 1, period: Duration::from_hours(1), burst: 3 });
    rig.deliveries.put(&config).unwrap();
    for _ in 0..5 {
        rig.send(&["a"], "{}").await;
    }
    until("the burst", async || rig.count(DeliveryStatus::Delivered).await == 3).await;
    let rig = Rig::in_directory(rig.crash().await, DeliveryOptions::default());
    rig.deliveries.put(&config).unwrap();
    until("the rest to wait", async || {
        let report = rig.deliveries.report("a").await;
        report.is_some_and(|report| report.reason == Some(WaitReason::Rate) && report.ready == 2)
    })
    .await;
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn a_removed_subscription_gets_nothing_more_and_gives_everything_back() {
    let rig = Rig::new();
    let stuck = Receiver::start(async |_| pending::<StatusCode>().await).await;
    rig.deliveries.put(&subscription("a", stuck.url("/"))).unwrap();
    for _ in 0..30 {
        rig.send(&["a"], "{}").await;
    }
    until("attempts to run", async || stuck.count() == 10).await;
    rig.deliveries.remove("a").await;
    rig.deliveries.remove("a").await;
    assert_eq!(rig.store.inner().abandon("a", "the subscription was deleted", now()).await.unwrap(), 30);
    rig.send(&["a"], "{}").await;
    assert_eq!(stuck.count(), 10);
}

#[tokio::test]
async fn a_replay_and_a_retry_by_hand_go_out_when_the_queue_is_woken() {
    let rig = Rig::new();
    let fixed = Arc::new(AtomicBool::new(false));
    let state = fixed.clone();
    let receiver = Receiver::start(move |_| {
        let fixed = state.load(Ordering::SeqCst);
        async move { if fixed { StatusCode::OK } else { StatusCode::BAD_GATEWAY } }
    })
    .await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&config).unwrap();
    let (dead, _) = rig.settled("a").await;
    assert_eq!(dead.status, DeliveryStatus::Dead);
    fixed.store(true, Ordering::SeqCst);
    assert_eq!(rig.store.inner().retry(dead.id, now()).await.unwrap(), Retried::Due);
    rig.deliveries.wake("a");
    until("the retry", async || rig.show(dead.id).await.0.status == DeliveryStatus::Delivered).await;
    let [again] = rig.store.inner().replay(dead.seq, &["a".into()], now()).await.unwrap()[..] else {
        panic!("not one delivery")
    };
    rig.deliveries.wake("a");
    let (delivery, _) = rig.ended(again).await;
    assert_eq!((delivery.status, receiver.count()), (DeliveryStatus::Delivered, 3));
}

#[tokio::test]
async fn an_event_of_a_subscription_without_a_queue_waits_for_it() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(200).await;
    let id = rig.send(&["later"], "{}").await[0];
    until("the delivery to be given back", async || {
        let free =
            rig.store.inner().lease("later", now(), 1, LeaseTerms::default()).await.unwrap().deliveries;
        let leases: Vec<_> = free.iter().map(LeasedDelivery::lease).collect();
        rig.store.inner().release(&leases).await.unwrap();
        leases.len() == 1 && leases[0].delivery == id
    })
    .await;
    rig.deliveries.put(&subscription("later", receiver.url("/"))).unwrap();
    assert_eq!(rig.ended(id).await.0.status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn a_store_can_be_opened_again_after_a_crash() {
    let rig = Rig::new();
    let directory = rig.crash().await;
    assert_eq!(open(directory.path()).backlog().await.unwrap(), []);
}
