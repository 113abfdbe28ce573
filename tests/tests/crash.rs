//! Whatever was answered with 202 is stored once and delivered, however often the gateway is killed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Gateway, Receiver, github};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const SECRET: &str = "secret of the repository";
const KILLS: usize = 5;
const SENDERS: usize = 4;
const EVENTS: usize = 3000;
const LONGEST: Duration = Duration::from_secs(240);

#[test]
fn nothing_accepted_is_lost_or_stored_twice_when_the_gateway_is_killed_again_and_again() {
    let seed = std::env::var("ANGLERFISH_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("ANGLERFISH_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let receiver = Receiver::start();
    let mut gateway = Gateway::start(&format!(
        r#"
        [[source]]
        name = "hub"
        scheme = "github"
        secrets = ["{SECRET}"]
        [[subscription]]
        id = "all"
        endpoint = {{ url = "{}", allow_private = true }}
        delivery = {{ retry = {{ delays = ["100ms", "1s", "1s", "1s"], jitter = 0 }} }}
        "#,
        receiver.url("/all")
    ));
    let address = gateway.ingress();
    let end = Instant::now() + LONGEST;
    let (next, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let accepted = Mutex::new(HashSet::new());
    let repeated = AtomicUsize::new(0);

    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) && Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= EVENTS {
                        break;
                    }
                    let (id, body) = (format!("event-{number}"), format!("{{\"number\":{number}}}"));
                    let request = anglerfish_tests::Request {
                        method: "POST".into(),
                        path: "/in/hub".into(),
                        headers: github(SECRET, &id, body.as_bytes()),
                        body: body.into_bytes(),
                        chunked: false,
                    };
                    // As a provider does: again with the same id until there is an answer.
                    while Instant::now() < end {
                        match anglerfish_tests::send(address, &request) {
                            Ok(answer) if answer.status == 202 => {
                                let new = accepted.lock().unwrap().insert(id.clone());
                                assert!(new, "{id} was accepted twice");
                                break;
                            }
                            // The gateway was killed between the commit and the answer.
                            Ok(answer) if answer.status == 200 => {
                                repeated.fetch_add(1, Ordering::SeqCst);
                                accepted.lock().unwrap().insert(id.clone());
                                break;
                            }
                            Ok(answer) if answer.status == 503 => {}
                            Ok(answer) => panic!("{id}: {} {}", answer.status, answer.text()),
                            Err(_) => {}
                        }
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            });
        }
        for kill in 1..=KILLS {
            // After a share of the events, so that the kills are spread whatever the machine's speed.
            let share = EVENTS / (KILLS + 1);
            let mark = share * kill + random.usize(0..share / 2);
            while next.load(Ordering::SeqCst) < mark && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_micros(random.u64(0..5000)));
            gateway.kill();
            gateway.spawn();
        }
    });
    done.store(true, Ordering::SeqCst);
    let accepted = accepted.into_inner().unwrap();
    println!("{} events accepted, {} of them heard of as duplicates", accepted.len(), repeated.into_inner());
    assert!(accepted.len() > EVENTS / 4, "only {} events were accepted in time", accepted.len());

    let ids = |requests: &[anglerfish_tests::Received]| -> HashSet<String> {
        requests.iter().filter_map(|one| one.header("webhook-id").map(str::to_owned)).collect()
    };
    let _ = gateway.settled();
    let delivered = ids(&receiver.requests());
    let lost: Vec<_> = accepted.difference(&delivered).collect();
    assert!(
        lost.is_empty(),
        "{} accepted events were not delivered: {:?}",
        lost.len(),
        &lost[..lost.len().min(10)]
    );
    for received in receiver.requests() {
        let number = received.header("webhook-id").unwrap().strip_prefix("event-").unwrap().to_owned();
        assert_eq!(received.body, format!("{{\"number\":{number}}}").into_bytes());
    }

    let stored = gateway.list("/v1/events", 500);
    let mut seen = HashSet::new();
    for event in &stored {
        let id = event["id"].as_str().unwrap();
        assert!(seen.insert(id.to_owned()), "{id} is stored twice");
        assert_eq!(event["delivery_count"], 1, "{id}");
    }
    let missing: Vec<_> = accepted.difference(&seen).collect();
    assert!(missing.is_empty(), "accepted and not stored: {missing:?}");
    let deliveries = gateway.list("/v1/deliveries?status=delivered", 500);
    assert_eq!(deliveries.len(), stored.len(), "every stored event has one delivery, and it ended well");
}
