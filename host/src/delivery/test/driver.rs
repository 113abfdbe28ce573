//! The driver itself: endpoints of other kinds, panics, the beginning and the end.

use super::receiver::Receiver;
use super::rig::{Rig, subscription, until};
use crate::clock::now;
use crate::delivery::{AttemptFailure, Attempted, DeliveryMetrics, DeliveryOptions, Endpoint};
use crate::store::{DeliveryStatus, DeliveryStore, LeaseTerms, LeasedDelivery};
use crate::subscription::StandingError;
use crate::supervision::Supervisor;
use anglerfish_core::config::Schedule;
use anglerfish_core::delivery::Standing;
use async_trait::async_trait;
use prometheus_client::registry::Registry;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A function of this process as an endpoint: what it makes of each attempt, by its place in their order.
struct Function<F> {
    function: F,
    calls: AtomicUsize,
}

impl<F: Fn(usize) -> Attempted + Send + Sync + 'static> Function<F> {
    fn new(function: F) -> Arc<Self> {
        Arc::new(Self { function, calls: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl<F: Fn(usize) -> Attempted + Send + Sync + 'static> Endpoint for Function<F> {
    async fn attempt(&self, _: LeasedDelivery, _: Duration) -> Attempted {
        (self.function)(self.calls.fetch_add(1, Ordering::SeqCst))
    }
}

fn answered(status: u16) -> Attempted {
    Attempted {
        started: now(),
        duration: Duration::from_millis(1),
        status: Some(status),
        retry_after: None,
        rate_limit_reset: None,
        is_abort: false,
        answer: None,
        failure: None,
        error: None,
        is_joined: false,
    }
}

fn policy() -> anglerfish_core::config::DeliveryConfig {
    subscription("a", String::new()).delivery
}

fn counted(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

#[tokio::test]
async fn a_function_of_this_process_can_be_an_endpoint() {
    let rig = Rig::new();
    let endpoint = Function::new(|place| answered(if place == 0 { 503 } else { 200 }));
    rig.deliveries.put_endpoint("a", policy(), endpoint.clone());
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Delivered, 2));
    assert_eq!(endpoint.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_panic_in_an_attempt_is_a_failure_of_that_attempt_alone() {
    let rig = Rig::new();
    let endpoint = Function::new(|place| if place == 0 { panic!("a defect") } else { answered(200) });
    rig.deliveries.put_endpoint("a", policy(), endpoint);
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Delivered, 2));
    assert_eq!(attempts[0].error.as_deref(), Some("internal error in the attempt"));
}

#[tokio::test]
async fn what_this_machine_cannot_do_uses_up_no_attempt() {
    let mut registry = Registry::with_prefix("anglerfish");
    let metrics = DeliveryMetrics::register(&mut registry);
    let rig = Rig::with(DeliveryOptions { metrics, ..DeliveryOptions::default() });
    let local = |error: &str| Attempted {
        status: None,
        failure: Some(AttemptFailure::Local),
        error: Some(error.into()),
        ..answered(200)
    };
    let endpoint =
        Function::new(move |place| if place < 4 { local("too many open files") } else { answered(200) });
    let mut policy = policy();
    policy.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put_endpoint("a", policy, endpoint);
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!((delivery.status, attempts.len(), attempts[0].number), (DeliveryStatus::Delivered, 1, 1));
    let shown = counted(&registry);
    assert!(shown.contains("anglerfish_delivery_local_errors_total 4\n"), "{shown}");
}

#[tokio::test]
async fn a_driver_that_breaks_down_is_started_again_and_its_leases_are_given_back() {
    let mut registry = Registry::with_prefix("anglerfish");
    let supervisor = Supervisor::default();
    supervisor.register(&mut registry);
    let rig = Rig::with(DeliveryOptions { supervisor, ..DeliveryOptions::default() });
    // The first ten are never answered.
    let receiver = Receiver::start(async |place: usize| {
        if place < 10 {
            pending::<()>().await;
        }
    })
    .await;
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    for _ in 0..30 {
        rig.send(&["a"], "{}").await;
    }
    until("attempts to run", async || receiver.count() == 10).await;
    rig.deliveries.break_down();
    until("all of them", async || rig.count(DeliveryStatus::Delivered).await == 30).await;
    assert_eq!(receiver.count(), 40, "what ran when it broke down is attempted once more");
    let shown = counted(&registry);
    assert!(shown.contains("anglerfish_part_restarts_total{part=\"deliveries\"} 1\n"), "{shown}");
    // The subscription is known to the new driver as well.
    assert_eq!(rig.settled("a").await.0.status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn nothing_is_attempted_before_the_start() {
    let rig = Rig::unstarted();
    let receiver = Receiver::with_status(200).await;
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    rig.deliveries.put(&subscription("gone", receiver.url("/"))).unwrap();
    rig.deliveries.remove("gone").await;
    let id = rig.send(&["a"], "{}").await[0];
    rig.send(&["gone"], "{}").await;
    until("both to be given back", async || {
        let mut free =
            rig.store.inner().lease("a", now(), 10, LeaseTerms::default()).await.unwrap().deliveries;
        let gone = rig.store.inner().lease("gone", now(), 10, LeaseTerms::default()).await.unwrap();
        free.extend(gone.deliveries);
        let leases: Vec<_> = free.iter().map(LeasedDelivery::lease).collect();
        rig.store.inner().release(&leases).await.unwrap();
        leases.len() == 2
    })
    .await;
    assert_eq!(receiver.count(), 0);
    rig.deliveries.start();
    assert_eq!(rig.ended(id).await.0.status, DeliveryStatus::Delivered);
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_all_and_gives_everything_back() {
    let rig = Rig::new();
    let stuck = Receiver::start(async |_| pending::<()>().await).await;
    rig.deliveries.put(&subscription("a", stuck.url("/"))).unwrap();
    for _ in 0..20 {
        rig.send(&["a"], "{}").await;
    }
    until("attempts to run", async || stuck.count() == 10).await;
    let Rig { deliveries, store, directory: _directory } = rig;
    drop(deliveries);
    until("all to be given back", async || {
        let free = store.inner().lease("a", now(), 100, LeaseTerms::default()).await.unwrap().deliveries;
        let leases: Vec<_> = free.iter().map(LeasedDelivery::lease).collect();
        store.inner().release(&leases).await.unwrap();
        leases.len() == 20
    })
    .await;
}

#[tokio::test]
async fn a_paused_subscription_waits_and_goes_on() {
    let rig = Rig::new();
    let receiver = Receiver::with_status(200).await;
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    rig.deliveries.put(&subscription("b", receiver.url("/"))).unwrap();
    rig.deliveries.stand("a", Standing::Paused).await.unwrap();
    // Saying it twice is answered as well.
    rig.deliveries.stand("a", Standing::Paused).await.unwrap();
    assert_eq!(rig.deliveries.stand("nobody", Standing::Paused).await, Err(StandingError::Unknown));
    let id = rig.send(&["a"], "{}").await[0];
    assert_eq!(rig.settled("b").await.0.status, DeliveryStatus::Delivered);
    assert_eq!((rig.show(id).await.0.status, receiver.count()), (DeliveryStatus::Pending, 1));
    rig.deliveries.stand("a", Standing::Active).await.unwrap();
    assert_eq!(rig.ended(id).await.0.status, DeliveryStatus::Delivered);
}
