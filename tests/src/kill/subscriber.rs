//! Who leases: answers for most messages at once, gives some back, forgets some, and answers for some so late that their
//! lease may be over.

use super::campaign::Shared;
use super::ledger::Held;
use super::load::number;
use crate::{Answer, Request, send};
use serde_json::{Value, json};
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The token of the subscription.
pub(super) const TOKEN: &str = "0123456789abcdef-leased";

/// Leases and answers until it is told that nothing is open any more.
pub(super) fn run(shared: &Shared, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut late: Vec<(Instant, Held)> = Vec::new();
    while !shared.is_drained.load(Ordering::SeqCst) {
        let (due, later): (Vec<_>, Vec<_>) = late.drain(..).partition(|(at, _)| *at <= Instant::now());
        late = later;
        due.iter().for_each(|(_, held)| acknowledge(shared, held));
        let Ok(answer) = ask(shared, "lease", &json!({"max": 32, "lease": "1s", "wait": "50ms"})) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let process = shared.process.load(Ordering::SeqCst);
        if answer.status != 200 {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        for message in answer.json()["messages"].as_array().cloned().unwrap_or_default() {
            let held = held(&message, process);
            shared.ledger().lease(&held);
            match random.u8(0..100) {
                0..83 => acknowledge(shared, &held),
                83..93 => {
                    let body = json!({"tokens": [held.token], "delay": "30ms"});
                    let _ = ask(shared, "nack", &body);
                }
                93..95 => {}
                _ => late.push((Instant::now() + Duration::from_millis(random.u64(20..1500)), held)),
            }
        }
    }
}

fn held(message: &Value, process: usize) -> Held {
    Held {
        delivery: message["delivery"].as_i64().expect("a number"),
        number: number(&message["event"]["data"]).expect("an event of this load"),
        token: message["token"].as_str().expect("a token").to_owned(),
        process,
    }
}

fn acknowledge(shared: &Shared, held: &Held) {
    // Read before: the request goes to this process or to a later one.
    let process = shared.process.load(Ordering::SeqCst);
    let Ok(answer) = ask(shared, "ack", &json!({"tokens": [held.token]})) else { return };
    match answer.status {
        200 => shared.ledger().acknowledge(held, process),
        409 => shared.ledger().stale += 1,
        503 => {}
        _ => panic!("{}", answer.text()),
    }
}

fn ask(shared: &Shared, verb: &str, body: &Value) -> io::Result<Answer> {
    let headers = vec![
        ("authorization".to_owned(), format!("Bearer {TOKEN}")),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let (path, body) = (format!("/out/leased/{verb}"), body.to_string().into_bytes());
    send(shared.out, &Request { method: "POST".into(), path, headers, body, chunked: false })
}
