//! Passive subscriptions: leased and answered for, expired, sent on demand, and left alone by the queues.

use super::receiver::Receiver;
use super::rig::{Config, Rig, subscription, until};
use crate::delivery::{
    DeliveryMetrics, DeliveryOptions, LeaseError, LeasedMessage, MessageToken, PassiveSubscription, Returned,
    Wanted,
};
use crate::store::{Attempt, DeliveryStatus};
use crate::subscription::{SendError, SendReport};
use anglerfish_core::config::{AccessToken, DeliveryMode};
use anglerfish_core::delivery::Standing;
use anglerfish_core::policy::Settled;
use futures_util::future::join;
use prometheus_client::registry::Registry;
use std::time::Duration;

const LONG: Duration = Duration::from_mins(5);
const SHORT: Duration = Duration::from_millis(10);
const WANTED: Wanted = Wanted { max: 10, lease: LONG, wait: Duration::ZERO };

/// Two waits of 20 ms: three attempts.
fn passive(id: &str, url: Option<String>) -> Config {
    let mut config = subscription(id, url.clone().unwrap_or_default());
    config.delivery.mode = DeliveryMode::Passive;
    config.tokens = vec![AccessToken::of("the token of this one")];
    config.endpoint = config.endpoint.filter(|_| url.is_some());
    config
}

fn rig() -> (Rig, PassiveSubscription) {
    let rig = Rig::new();
    rig.deliveries.put(&passive("a", None)).unwrap();
    let subscriber = rig.deliveries.passive("a").unwrap();
    (rig, subscriber)
}

/// The next messages, waited for.
async fn next(subscriber: &PassiveSubscription, lease: Duration) -> Vec<LeasedMessage> {
    subscriber.lease(Wanted { lease, wait: LONG, ..WANTED }, |_| true).await.unwrap().messages
}

fn tokens(messages: &[LeasedMessage]) -> Vec<MessageToken> {
    messages.iter().map(|message| message.token).collect()
}

#[tokio::test]
async fn a_message_is_leased_once_and_delivered_by_its_answer_alone() {
    let (rig, subscriber) = rig();
    let id = rig.send(&["a"], "{\"n\":1}").await[0];
    let messages = next(&subscriber, LONG).await;
    assert_eq!(
        (messages.len(), messages[0].delivery.id, &*messages[0].delivery.data),
        (1, id, &b"{\"n\":1}"[..])
    );
    assert!(subscriber.lease(WANTED, |_| true).await.unwrap().messages.is_empty(), "it is leased");
    assert!(rig.show(id).await.1.is_empty(), "nobody has answered for it");
    assert_eq!(subscriber.acknowledge(tokens(&messages)).await.unwrap(), [true]);
    let (delivery, attempts) = rig.show(id).await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Delivered, 1));
    assert_eq!((attempts[0].status, &attempts[0].error), (None, &None));
    // It was answered for.
    assert_eq!(subscriber.acknowledge(tokens(&messages)).await.unwrap(), [false]);
    assert_eq!(subscriber.return_messages(tokens(&messages), Returned::default()).await.unwrap(), [None]);
    assert_eq!(subscriber.extend(&tokens(&messages), LONG).await.unwrap(), [None]);
    assert_eq!(rig.show(id).await.1.len(), 1);
}

#[tokio::test]
async fn whoever_waits_is_woken_by_a_message_and_each_by_one() {
    let (rig, subscriber) = rig();
    let one = Wanted { max: 1, wait: LONG, ..WANTED };
    let both = join(subscriber.lease(one, |_| true), subscriber.lease(one, |_| true));
    let sent = async {
        let _ = rig.send(&["a"], "1").await;
        let _ = rig.send(&["a"], "2").await;
    };
    let ((first, second), ()) = join(both, sent).await;
    let mut data = [first, second].map(|given| given.unwrap().messages[0].delivery.data.clone());
    data.sort_unstable();
    assert_eq!(data, ["1", "2"]);
}

#[tokio::test]
async fn a_lease_that_expires_is_an_attempt_and_the_message_comes_back_until_it_is_dead() {
    let (rig, subscriber) = rig();
    let id = rig.send(&["a"], "{}").await[0];
    for attempt in 0..3 {
        let messages = next(&subscriber, SHORT).await;
        assert_eq!((messages.len(), messages[0].delivery.attempts), (1, attempt));
    }
    let (delivery, attempts) = rig.ended(id).await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Dead, 3));
    let said = |attempt: &Attempt| attempt.error.clone().unwrap();
    assert!(attempts.iter().all(|attempt| said(attempt).contains("without an answer")), "{attempts:?}");
    assert!(subscriber.lease(WANTED, |_| true).await.unwrap().messages.is_empty());
}

#[tokio::test]
async fn a_message_that_is_given_back_comes_when_it_is_to_and_no_more_often_than_the_policy_says() {
    let (rig, subscriber) = rig();
    let id = rig.send(&["a"], "{}").await[0];
    let messages = next(&subscriber, LONG).await;
    let returned = Returned { delay: Some(LONG), reason: Some("no disk".into()), ..Returned::default() };
    let settled = subscriber.return_messages(tokens(&messages), returned).await.unwrap();
    assert!(matches!(settled[..], [Some(Settled::Retry(_))]), "{settled:?}");
    let (delivery, attempts) = rig.show(id).await;
    assert!(delivery.due.unwrap().0 >= attempts[0].started.0 + 299_000, "{delivery:?}");
    assert_eq!(attempts[0].error.as_deref(), Some("no disk"));
    assert!(subscriber.lease(WANTED, |_| true).await.unwrap().messages.is_empty(), "it is not due");

    // By the policy it comes after 20 ms.
    let other = rig.send(&["a"], "{}").await[0];
    let messages = next(&subscriber, LONG).await;
    let _ = subscriber.return_messages(tokens(&messages), Returned::default()).await.unwrap();
    let messages = next(&subscriber, LONG).await;
    assert_eq!((messages[0].delivery.id, messages[0].delivery.attempts), (other, 1));
    let dead = Returned { is_dead: true, ..Returned::default() };
    assert_eq!(subscriber.return_messages(tokens(&messages), dead).await.unwrap(), [Some(Settled::Dead)]);
    assert_eq!(rig.show(other).await.0.status, DeliveryStatus::Dead);
}

#[tokio::test]
async fn a_message_that_is_released_comes_at_once_without_an_attempt_and_one_that_is_abandoned_until_it_is_dead()
 {
    let (rig, subscriber) = rig();
    let id = rig.send(&["a"], "{}").await[0];
    // More often than there are attempts.
    for _ in 0..5 {
        let messages = next(&subscriber, LONG).await;
        assert_eq!((messages.len(), messages[0].delivery.attempts), (1, 0));
        let (waited, released) = join(next(&subscriber, LONG), subscriber.release(tokens(&messages))).await;
        released.unwrap();
        assert_eq!(waited[0].delivery.attempts, 0, "whoever waits has it");
        assert_eq!(subscriber.acknowledge(tokens(&messages)).await.unwrap(), [false]);
        subscriber.release(tokens(&waited)).await.unwrap();
    }
    assert!(rig.show(id).await.1.is_empty());
    for attempt in 0..3 {
        let messages = next(&subscriber, LONG).await;
        assert_eq!(messages[0].delivery.attempts, attempt);
        subscriber.abandon(messages[0].token).await.unwrap();
    }
    let (delivery, attempts) = rig.ended(id).await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Dead, 3));
    assert!(attempts[0].error.as_deref().unwrap().contains("broke off"), "{attempts:?}");
}

#[tokio::test]
async fn a_lease_that_is_extended_outlives_its_first_deadline() {
    let (rig, subscriber) = rig();
    let _ = rig.send(&["a"], "1").await;
    let kept = next(&subscriber, Duration::from_millis(300)).await;
    assert!(subscriber.extend(&tokens(&kept), LONG).await.unwrap()[0].is_some());
    // The other one's lease begins later and expires later than the first one's would have.
    let other = rig.send(&["a"], "2").await[0];
    let lost = next(&subscriber, Duration::from_millis(310)).await;
    assert_eq!(lost[0].delivery.id, other);
    let (_, attempts) = rig.attempted(other).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(subscriber.acknowledge(tokens(&kept)).await.unwrap(), [true]);
    assert_eq!(subscriber.acknowledge(tokens(&lost)).await.unwrap(), [false]);
}

#[tokio::test]
async fn answers_that_the_store_cannot_take_leave_the_leases_as_they_were() {
    let (rig, subscriber) = rig();
    let id = rig.send(&["a"], "{}").await[0];
    let messages = next(&subscriber, LONG).await;
    rig.store.set_down(true);
    assert!(subscriber.acknowledge(tokens(&messages)).await.is_err());
    assert!(subscriber.extend(&tokens(&messages), LONG).await.is_err());
    assert!(matches!(subscriber.lease(WANTED, |_| true).await, Err(LeaseError::Store(_))));
    rig.store.set_down(false);
    assert_eq!(subscriber.acknowledge(tokens(&messages)).await.unwrap(), [true]);
    assert_eq!(rig.show(id).await.0.status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn a_lease_that_expires_while_the_store_is_down_is_recorded_when_it_is_back() {
    let (rig, subscriber) = rig();
    let id = rig.send(&["a"], "{}").await[0];
    let messages = next(&subscriber, SHORT).await;
    rig.store.set_down(true);
    let refused = rig.store.refused();
    until("the record to be refused", async || rig.store.refused() > refused).await;
    rig.store.set_down(false);
    let (_, attempts) = rig.attempted(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(subscriber.acknowledge(tokens(&messages)).await.unwrap(), [false]);
}

#[tokio::test]
async fn a_paused_subscription_gives_nothing_until_it_is_resumed() {
    let (rig, subscriber) = rig();
    rig.deliveries.stand("a", Standing::Paused).await.unwrap();
    let _ = rig.send(&["a"], "{}").await;
    let given = subscriber.lease(WANTED, |_| true).await.unwrap();
    assert!(given.messages.is_empty() && given.is_stopped);
    let resumed = async {
        rig.deliveries.stand("a", Standing::Active).await.unwrap();
    };
    let (messages, ()) = join(next(&subscriber, LONG), resumed).await;
    assert_eq!(messages.len(), 1);
}

#[tokio::test]
async fn the_queues_leave_it_alone_until_it_is_pushed_and_then_take_what_was_leased() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(200).await;
    let url = receiver.url("/");
    rig.deliveries.put(&passive("a", Some(url.clone()))).unwrap();
    rig.deliveries.put(&subscription("b", url.clone())).unwrap();
    let id = rig.send(&["a"], "\"a\"").await[0];
    let _ = rig.settled("b").await;
    rig.deliveries.wake("a");
    let _ = rig.settled("b").await;
    assert_eq!(receiver.count(), 2, "only those of the other one");
    let subscriber = rig.deliveries.passive("a").unwrap();
    let messages = next(&subscriber, LONG).await;
    assert_eq!(messages[0].delivery.id, id);
    // Its subscriber has it; the switch takes it away.
    rig.deliveries.put(&subscription("a", url.clone())).unwrap();
    assert!(rig.deliveries.passive("a").is_none());
    assert_eq!(subscriber.acknowledge(tokens(&messages)).await.unwrap(), [false]);
    assert!(matches!(subscriber.lease(WANTED, |_| true).await, Err(LeaseError::Gone)));
    let (delivery, attempts) = rig.ended(id).await;
    assert_eq!((delivery.status, attempts[0].status), (DeliveryStatus::Delivered, Some(200)));
    // And back: what comes from now on is kept.
    rig.deliveries.put(&passive("a", Some(url))).unwrap();
    let id = rig.send(&["a"], "{}").await[0];
    let subscriber = rig.deliveries.passive("a").unwrap();
    assert_eq!(next(&subscriber, LONG).await[0].delivery.id, id);
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn whoever_waits_is_told_when_the_subscription_goes_and_its_leases_go_back() {
    let (rig, subscriber) = rig();
    let id = rig.send(&["a"], "{}").await[0];
    let _ = next(&subscriber, LONG).await;
    let (waited, ()) =
        join(subscriber.lease(Wanted { wait: LONG, ..WANTED }, |_| true), rig.deliveries.remove("a")).await;
    assert!(matches!(waited, Err(LeaseError::Gone)), "{waited:?}");
    // Another one of its name gets what was leased.
    rig.deliveries.put(&passive("a", None)).unwrap();
    let subscriber = rig.deliveries.passive("a").unwrap();
    assert_eq!(next(&subscriber, LONG).await[0].delivery.id, id);
}

#[tokio::test]
async fn leases_of_a_process_that_is_gone_are_stale_and_the_messages_are_there() {
    let (rig, subscriber) = rig();
    let id = rig.send(&["a"], "{}").await[0];
    let messages = next(&subscriber, LONG).await;
    let rig = Rig::in_directory(rig.crash().await, DeliveryOptions::default());
    rig.deliveries.put(&passive("a", None)).unwrap();
    let subscriber = rig.deliveries.passive("a").unwrap();
    assert_eq!(subscriber.acknowledge(tokens(&messages)).await.unwrap(), [false]);
    let again = next(&subscriber, LONG).await;
    assert_eq!((again[0].delivery.id, again[0].delivery.attempts), (id, 0));
}

#[tokio::test]
async fn other_tokens_open_from_now_on_and_leases_stay() {
    let (rig, subscriber) = rig();
    let _ = rig.send(&["a"], "{}").await;
    let messages = next(&subscriber, LONG).await;
    assert!(subscriber.opens(b"the token of this one") && !subscriber.opens(b"another token"));
    let mut config = passive("a", None);
    config.tokens = vec![AccessToken::of("another token")];
    rig.deliveries.put(&config).unwrap();
    assert!(!subscriber.opens(b"the token of this one") && subscriber.opens(b"another token"));
    assert_eq!(subscriber.acknowledge(tokens(&messages)).await.unwrap(), [true]);
}

#[tokio::test]
async fn as_many_as_are_asked_for_are_sent_and_no_more_at_once_than_may_be() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(200).await;
    rig.deliveries.put(&passive("a", Some(receiver.url("/")))).unwrap();
    for _ in 0..10 {
        let _ = rig.send(&["a"], "{}").await;
    }
    let subscriber = rig.deliveries.passive("a").unwrap();
    until("all to be there", async || {
        let messages = subscriber.lease(WANTED, |_| true).await.unwrap().messages;
        let count = messages.len();
        let back = Returned { delay: Some(Duration::ZERO), ..Returned::default() };
        let _ = subscriber.return_messages(tokens(&messages), back).await.unwrap();
        count == 10
    })
    .await;
    let report = rig.deliveries.send("a", 7, 3).await.unwrap();
    assert_eq!(report, SendReport { delivered: 7, ..SendReport::default() });
    assert_eq!((receiver.count(), rig.count(DeliveryStatus::Delivered).await), (7, 7));
    assert!(receiver.most() <= 3, "{}", receiver.most());
    let report = rig.deliveries.send("a", 7, 3).await.unwrap();
    assert_eq!(report, SendReport { delivered: 3, ..SendReport::default() });
}

#[tokio::test]
async fn sending_stops_when_the_endpoint_asks_for_it_and_leaves_the_rest() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(503).await;
    rig.deliveries.put(&passive("a", Some(receiver.url("/")))).unwrap();
    let first = rig.send(&["a"], "{}").await[0];
    let subscriber = rig.deliveries.passive("a").unwrap();
    let _ = next(&subscriber, SHORT).await;
    let _ = rig.attempted(first).await;
    let _ = rig.send(&["a"], "{}").await;
    let report = rig.deliveries.send("a", 20, 1).await.unwrap();
    assert_eq!((report.failed, receiver.count()), (1, 1));
    assert_eq!(report.stopped.as_deref(), Some("the endpoint answered 503"));
    assert_eq!(rig.deliveries.standing("a").standing, Standing::Active);
}

#[tokio::test]
async fn says_why_nothing_can_be_sent() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(200).await;
    rig.deliveries.put(&passive("a", None)).unwrap();
    rig.deliveries.put(&subscription("b", receiver.url("/"))).unwrap();
    rig.deliveries.put(&passive("c", Some(receiver.url("/")))).unwrap();
    rig.deliveries.stand("c", Standing::Paused).await.unwrap();
    assert!(matches!(rig.deliveries.send("a", 1, 1).await, Err(SendError::NoEndpoint)));
    assert!(matches!(rig.deliveries.send("b", 1, 1).await, Err(SendError::NotPassive)));
    assert!(matches!(rig.deliveries.send("c", 1, 1).await, Err(SendError::Stopped)));
    assert!(matches!(rig.deliveries.send("d", 1, 1).await, Err(SendError::NotPassive)));
}

#[tokio::test]
async fn what_happens_is_counted() {
    let mut registry = Registry::with_prefix("anglerfish");
    let metrics = DeliveryMetrics::register(&mut registry);
    let rig = Rig::with(DeliveryOptions { metrics, ..DeliveryOptions::default() });
    rig.deliveries.put(&passive("a", None)).unwrap();
    let subscriber = rig.deliveries.passive("a").unwrap();
    for _ in 0..3 {
        let _ = rig.send(&["a"], "{}").await;
    }
    let mut messages = Vec::new();
    while messages.len() < 3 {
        messages.extend(next(&subscriber, LONG).await);
    }
    let tokens = tokens(&messages);
    let _ = subscriber.acknowledge(vec![tokens[0], tokens[0]]).await.unwrap();
    let later = Returned { delay: Some(LONG), ..Returned::default() };
    let _ = subscriber.return_messages(vec![tokens[1]], later).await.unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "anglerfish_passive_messages_total{subscription=\"a\",outcome=\"leased\"} 3\n",
        "anglerfish_passive_messages_total{subscription=\"a\",outcome=\"acked\"} 1\n",
        "anglerfish_passive_messages_total{subscription=\"a\",outcome=\"nacked\"} 1\n",
        "anglerfish_passive_messages_total{subscription=\"a\",outcome=\"stale\"} 1\n",
        "anglerfish_passive_leases{subscription=\"a\"} 1\n",
        "anglerfish_delivery_attempts_total{subscription=\"a\",outcome=\"delivered\"} 1\n",
        "anglerfish_delivery_attempts_total{subscription=\"a\",outcome=\"retry\"} 1\n",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[tokio::test]
async fn the_end_answers_whoever_waits() {
    let (rig, subscriber) = rig();
    let (waited, ()) = join(
        subscriber.lease(Wanted { wait: LONG, ..WANTED }, |_| true),
        rig.deliveries.shutdown(Duration::from_secs(5)),
    )
    .await;
    assert!(waited.unwrap().messages.is_empty());
}
