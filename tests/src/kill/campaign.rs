//! The killing itself.

use super::ledger::{KEYS, Ledger};
use super::load::{self, SECRET};
use super::subscriber::{self, TOKEN};
use crate::{Gateway, PATIENCE, Received, Receiver, Reply, Setup};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Of ten attempts so many fail.
const FAILING: u8 = 2;

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct KillPlan {
    /// How often it is killed.
    pub cycles: usize,
    /// From what all chance comes, but for the order of threads and for which attempts fail.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct KillReport {
    /// Broken promises; none if all were kept.
    pub broken: Vec<String>,
    /// Accepted events.
    pub accepted: usize,
    /// Requests to endpoints, and how many of them repeated one that had come before: retries, and attempts whose outcome was
    /// lost with the process.
    pub pushes: (u64, u64),
    /// Leases that were given.
    pub leases: u64,
    /// Answers for leases that were over, and were told so.
    pub stale: usize,
    /// The longest time from a kill until the gateway was ready again.
    pub slowest: Duration,
    /// How long all of it took.
    pub took: Duration,
}

/// What all threads look at.
pub(super) struct Shared {
    pub(super) ingress: SocketAddr,
    pub(super) out: SocketAddr,
    /// How many processes there were before the one that runs.
    pub(super) process: AtomicUsize,
    /// Nothing more is to be sent.
    pub(super) is_over: AtomicBool,
    /// Nothing is open any more.
    pub(super) is_drained: AtomicBool,
    ledger: Arc<Mutex<Ledger>>,
}

impl Shared {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("a thread panicked")
    }
}

fn receiver(ledger: &Arc<Mutex<Ledger>>) -> Receiver {
    let ledger = Arc::clone(ledger);
    Receiver::unrecorded(0, move |request: &Received| {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let number = load::number(&body).expect("an event of this load");
        let mut ledger = ledger.lock().expect("a thread panicked");
        match &*request.path {
            "/ordered" => ledger.push_in_order(number),
            _ => ledger.push(number),
        }
        drop(ledger);
        Reply::status(if fastrand::u8(0..10) < FAILING { 500 } else { 204 })
    })
}

fn setup(receiver: &Receiver) -> Setup {
    let retry = "retry = { backoff = \"fixed\", first = \"20ms\", max_attempts = 1000 }\nbreaker = false";
    let order = "ordering = { by = \"key\", key = \"string(message.key)\" }";
    let rest = format!(
        r#"
        [[source]]
        name = "hub"
        scheme = "github"
        secrets = ["{SECRET}"]
        [[subscription]]
        id = "pushed"
        endpoint = {{ url = "{}", allow_private = true }}
        [subscription.delivery]
        {retry}
        [[subscription]]
        id = "ordered"
        endpoint = {{ url = "{}", allow_private = true }}
        [subscription.delivery]
        {retry}
        {order}
        [[subscription]]
        id = "leased"
        mode = "passive"
        tokens = ["{TOKEN}"]
        [subscription.delivery]
        {retry}
        {order}
        "#,
        receiver.url("/pushed"),
        receiver.url("/ordered"),
    );
    let rest = rest.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    Setup { rest, out: Some(String::new()), ..Setup::default() }
}

/// Puts load on a gateway and kills it as often as the plan says, at any moment: also while it starts.
///
/// # Panics
///
/// If it does not start again, or answers what nobody expects.
#[must_use]
pub fn kill_again_and_again(plan: KillPlan, progress: impl Fn(usize)) -> KillReport {
    let begun = Instant::now();
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let receiver = receiver(&ledger);
    let mut gateway = Gateway::set_up(&setup(&receiver));
    let shared = Shared {
        ingress: gateway.ingress(),
        out: gateway.out(),
        process: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        is_drained: AtomicBool::new(false),
        ledger: Arc::clone(&ledger),
    };
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        for key in 0..KEYS {
            let (shared, seed) = (&shared, random.u64(..));
            scope.spawn(move || load::run(shared, key, seed));
        }
        let (leasing, seed) = (&shared, random.u64(..));
        let subscriber = scope.spawn(move || subscriber::run(leasing, seed));
        for cycle in 1..=plan.cycles {
            // Most live too short for a lease to run out, some do not.
            let alive = if random.u8(0..5) == 0 { random.u64(1000..2000) } else { random.u64(20..400) };
            std::thread::sleep(Duration::from_millis(alive));
            gateway.kill();
            let killed = Instant::now();
            shared.process.fetch_add(1, Ordering::SeqCst);
            // What it sent before it died counts as sent before whatever the next one sends.
            receiver.drain();
            gateway.spawn();
            slowest = slowest.max(killed.elapsed());
            progress(cycle);
        }
        shared.is_over.store(true, Ordering::SeqCst);
        // It takes as long as it takes; but something has to go on.
        let (mut known, mut since) = (0, Instant::now());
        while !is_drained(&gateway) && !subscriber.is_finished() {
            let now = shared.ledger().acknowledged();
            if now > known {
                (known, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < PATIENCE, "deliveries are open, and nothing goes on");
            std::thread::sleep(Duration::from_millis(100));
        }
        shared.is_drained.store(true, Ordering::SeqCst);
    });
    let mut ledger = ledger.lock().expect("a thread panicked");
    ledger.close();
    let mut broken = std::mem::take(&mut ledger.broken);
    broken.extend((ledger.more_broken > 0).then(|| format!("and {} more", ledger.more_broken)));
    broken.extend(stored(&gateway, ledger.accepted()));
    let (pushes, first) = ledger.pushes();
    KillReport {
        broken,
        accepted: ledger.accepted(),
        pushes: (pushes, pushes.saturating_sub(first as u64)),
        leases: ledger.leases(),
        stale: ledger.stale,
        slowest,
        took: begun.elapsed(),
    }
}

/// Whether nothing is open any more.
fn is_drained(gateway: &Gateway) -> bool {
    let answer = gateway.try_api("GET", "/v1/deliveries?status=pending&limit=1", None);
    answer.is_ok_and(|answer| answer.json()["items"].as_array().is_some_and(Vec::is_empty))
}

/// What of the log and of the deliveries is not as it should be: each event is there once, and nothing is dead.
fn stored(gateway: &Gateway, accepted: usize) -> Vec<String> {
    let mut broken = Vec::new();
    let newest = gateway.get("/v1/events?limit=1");
    let position = newest["items"][0]["position"].as_u64();
    if position != u64::try_from(accepted).ok() {
        broken.push(format!("{accepted} events were accepted, and the log ends at {position:?}"));
    }
    for status in ["dead", "discarded", "pending"] {
        let found = gateway.get(&format!("/v1/deliveries?status={status}&limit=1"));
        if found["items"].as_array().is_none_or(|items| !items.is_empty()) {
            broken.push(format!("a delivery is {status}: {found}"));
        }
    }
    broken
}
