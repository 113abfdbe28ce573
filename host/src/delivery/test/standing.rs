//! Subscriptions whose endpoints ask to be left alone, or are gone; and what of that outlives a process.

use super::receiver::Receiver;
use super::rig::{Rig, subscription, until};
use crate::delivery::{DeliveryMetrics, DeliveryOptions};
use crate::store::{DeliveryStatus, SubscriptionStore};
use crate::subscription::StandingError;
use anglerfish_core::delivery::{DisableCause, Standing};
use http::header::RETRY_AFTER;
use http::{Response, StatusCode};
use prometheus_client::registry::Registry;
use std::time::Duration;

const GONE: Standing = Standing::Disabled(DisableCause::Gone(410));

#[tokio::test]
async fn one_answer_that_asks_for_it_holds_up_the_whole_subscription_and_no_other() {
    let rig = Rig::new();
    let receiver = Receiver::start(|place| async move {
        let answer = Response::builder();
        match place {
            0 => answer.status(429).header(RETRY_AFTER, "2").body(String::new()).unwrap(),
            _ => answer.status(200).body(String::new()).unwrap(),
        }
    })
    .await;
    let other = Receiver::with_status(200).await;
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    rig.deliveries.put(&subscription("b", other.url("/"))).unwrap();
    let first = rig.send(&["a"], "{}").await[0];
    rig.attempted(first).await;
    let second = rig.send(&["a"], "{}").await[0];
    assert_eq!(rig.settled("b").await.0.status, DeliveryStatus::Delivered);
    assert_eq!(receiver.count(), 1);
    let (delivery, attempts) = rig.ended(second).await;
    assert_eq!(delivery.status, DeliveryStatus::Delivered);
    let asked = rig.ended(first).await.1[0].started;
    assert!(attempts[0].started.0 >= asked.0 + 2000, "{attempts:?} after {asked:?}");
}

#[tokio::test]
async fn an_answer_may_say_not_to_try_again() {
    let rig = Rig::new();
    let receiver = Receiver::start(|_| async move {
        Response::builder().status(500).header("webhook-delivery", "abort").body(String::new()).unwrap()
    })
    .await;
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Discarded, 1));
}

#[tokio::test]
async fn an_endpoint_that_is_gone_disables_its_subscription_until_somebody_resumes_it() {
    let mut registry = Registry::with_prefix("anglerfish");
    let metrics = DeliveryMetrics::register(&mut registry);
    let shown = |registry: &Registry| {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    };
    let rig = Rig::with(DeliveryOptions { metrics, ..DeliveryOptions::default() });
    let status = |place| if place == 0 { StatusCode::GONE } else { StatusCode::OK };
    let receiver = Receiver::start(move |place| async move { status(place) }).await;
    let config = subscription("a", receiver.url("/"));
    rig.deliveries.put(&config).unwrap();
    let first = rig.send(&["a"], "{}").await[0];
    let written = async || !rig.store.inner().standings().await.unwrap().is_empty();
    until("the subscription to be disabled", written).await;
    let standing = rig.deliveries.standing("a");
    assert_eq!(standing.standing, GONE);
    assert!(standing.since.is_some() && standing.reason.unwrap().contains("410"));
    let line = "anglerfish_subscription_stopped{subscription=\"a\",standing=\"disabled\"} 1\n";
    assert!(shown(&registry).contains(line), "{}", shown(&registry));
    let second = rig.send(&["a"], "{}").await[0];
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((receiver.count(), rig.show(second).await.0.status), (1, DeliveryStatus::Pending));

    // The next process knows it, too.
    let directory = rig.crash().await;
    let rig = Rig::in_directory(directory, DeliveryOptions::default());
    rig.deliveries.restore(rig.store.inner().standings().await.unwrap());
    rig.deliveries.put(&config).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((receiver.count(), rig.deliveries.standing("a").standing), (1, GONE));
    rig.deliveries.stand("a", Standing::Active).await.unwrap();
    assert!(rig.store.inner().standings().await.unwrap().is_empty());
    for id in [first, second] {
        assert_eq!(rig.ended(id).await.0.status, DeliveryStatus::Delivered);
    }
}

#[tokio::test]
async fn a_pause_that_cannot_be_written_holds_and_is_written_later() {
    let (rig, receiver) = (Rig::new(), Receiver::with_status(200).await);
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    assert_eq!(rig.settled("a").await.0.status, DeliveryStatus::Delivered);
    rig.store.set_down(true);
    assert_eq!(rig.deliveries.stand("a", Standing::Paused).await, Err(StandingError::Unwritten));
    rig.store.set_down(false);
    until("it is written", async || !rig.store.inner().standings().await.unwrap().is_empty()).await;
    rig.send(&["a"], "{}").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(receiver.count(), 1);
}
