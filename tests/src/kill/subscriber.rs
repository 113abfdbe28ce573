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
        for (_, held) in due {
            acknowledge(shared, &[held]);
        }
        let Ok(answer) = ask(shared, "lease", &json!({"max": 32, "lease": "1s", "wait": "50ms"})) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let process = shared.process.load(Ordering::SeqCst);
        if answer.status != 200 {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let mut done = Vec::new();
        for message in answer.json()["messages"].as_array().cloned().unwrap_or_default() {
            let held = held(&message, process);
            shared.ledger().lease(&held);
            match random.u8(0..100) {
                0..83 => done.push(held),
                83..93 => {
                    let body = json!({"tokens": [held.token], "delay": "30ms"});
                    let _ = ask(shared, "nack", &body);
                }
                93..95 => {}
                _ => late.push((Instant::now() + Duration::from_millis(random.u64(20..1500)), held)),
            }
        }
        acknowledge(shared, &done);
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

/// Answers for all of these in one request.
fn acknowledge(shared: &Shared, held: &[Held]) {
    if held.is_empty() {
        return;
    }
    // Read before: the request goes to this process or to a later one.
    let process = shared.process.load(Ordering::SeqCst);
    let tokens: Vec<&str> = held.iter().map(|held| held.token.as_str()).collect();
    let Ok(answer) = ask(shared, "ack", &json!({"tokens": tokens})) else { return };
    match answer.status {
        200 => {
            let results = answer.json()["results"].as_array().cloned().unwrap_or_default();
            assert_eq!(results.len(), held.len(), "{}", answer.text());
            for (held, result) in held.iter().zip(results) {
                match result["outcome"].as_str() {
                    Some("acked") => shared.ledger().acknowledge(held, process),
                    _ => shared.ledger().stale += 1,
                }
            }
        }
        409 => shared.ledger().stale += held.len(),
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
