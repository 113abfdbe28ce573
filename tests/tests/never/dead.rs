//! A dead subscription never fills memory, and costs the others nothing.

use super::{SOURCE, ids, local, post, request, subscription};
use anglerfish_tests::{Gateway, Receiver, Reply, send};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How long the body of an event is.
const BODY: usize = 32 << 10;
/// How many events are sent before memory is looked at first, so that caches and pools are filled.
const FIRST: usize = 300;
/// How many are sent then.
const THEN: usize = 2000;
/// How much the process's own memory may grow meanwhile: half of what the dead subscriptions' backlog holds.
const BOUND: u64 = 32 << 20;

fn body(number: usize) -> Vec<u8> {
    format!("{{\"number\":{number},\"filling\":\"{}\"}}", "x".repeat(BODY)).into_bytes()
}

/// Sends these events from several threads.
fn send_all(gateway: &Gateway, numbers: std::ops::Range<usize>) {
    let next = AtomicUsize::new(numbers.start);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= numbers.end {
                        break;
                    }
                    let request = request(&format!("d-{number}"), &body(number));
                    let _ = send(gateway.ingress(), &request).unwrap().expect(202);
                }
            });
        }
    });
}

#[test]
fn the_live_one_gets_everything_and_memory_does_not_grow_with_the_backlog_of_the_dead() {
    let live = Receiver::start();
    // One takes connections and never answers, one refuses connections.
    let silent = Receiver::with(|_, _| Reply::held(200));
    let closed = format!("http://127.0.0.1:{}/", anglerfish_tests::free_port());
    let gateway = Gateway::start(&format!(
        "{SOURCE}{}{}{}",
        local("live", &live, ""),
        local("silent", &silent, "timeout = \"10m\""),
        subscription("closed", &closed, "allow_private = true", "retry = { delays = [\"1h\", \"1h\"] }"),
    ));
    send_all(&gateway, 0..FIRST);
    let _ = live.wait(FIRST);
    let before = gateway.memory();
    send_all(&gateway, FIRST..FIRST + THEN);
    let _ = live.wait(FIRST + THEN);
    let after = gateway.memory();

    let delivered: HashSet<String> = ids(&live).into_iter().collect();
    assert_eq!(delivered.len(), FIRST + THEN);
    for received in live.requests() {
        let number = received.header("webhook-id").unwrap()[2..].parse().unwrap();
        assert!(received.body == body(number), "the body of {number} was changed");
    }
    let metrics = gateway.api("GET", "/metrics", None).expect(200).text();
    for id in ["silent", "closed"] {
        let backlog = format!("anglerfish_backlog_deliveries{{subscription=\"{id}\"}} {}\n", FIRST + THEN);
        assert!(metrics.contains(&backlog), "{backlog} is not in:\n{metrics}");
    }
    assert!(silent.requests().len() <= 10, "{}", silent.requests().len());
    if let (Some(before), Some(after)) = (before, after) {
        let (grown, backlog) = (after.saturating_sub(before), (2 * THEN * BODY) as u64);
        println!("{before} bytes before, {grown} more with a backlog that grew by {backlog}");
        assert!(grown < BOUND, "{grown} bytes more");
    }
}

#[test]
fn a_dead_one_does_not_hold_up_an_event_for_the_live_one() {
    let live = Receiver::start();
    let silent = Receiver::with(|_, _| Reply::held(200));
    let mut text = format!("{SOURCE}{}", local("live", &live, ""));
    for number in 0..40 {
        text.push_str(&local(&format!("silent-{number}"), &silent, "timeout = \"10m\""));
    }
    let gateway = Gateway::start(&text);
    for number in 0..30 {
        let _ = post(&gateway, &format!("d-{number}"), b"{}").expect(202);
    }
    let _ = live.wait(30);
    assert!(gateway.list("/v1/deliveries?subscription=live&status=delivered", 500).len() <= 30);
    let _ = silent.wait(400);
}
