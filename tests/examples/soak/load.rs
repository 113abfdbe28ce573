//! The load: signed events of several sizes at a steady rate, sent again until they are answered with 2xx.

use crate::ledger::Ledger;
use crate::plan::{SECRET, SOURCES};
use anglerfish_tests::{Request, github, send};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Senders at once.
const SENDERS: u32 = 8;

pub(crate) fn start(address: SocketAddr, rate: u32, ledger: &Arc<Ledger>) -> Vec<JoinHandle<()>> {
    let pause = Duration::from_secs(1) * SENDERS / rate;
    (0..SENDERS)
        .map(|_| {
            let ledger = Arc::clone(ledger);
            std::thread::spawn(move || {
                while !ledger.stopped() {
                    let begun = Instant::now();
                    one(address, ledger.next.fetch_add(1, Ordering::SeqCst), &ledger);
                    std::thread::sleep(pause.saturating_sub(begun.elapsed()));
                }
            })
        })
        .collect()
}

fn one(address: SocketAddr, number: u64, ledger: &Ledger) {
    let id = format!("e-{number}");
    let padding = match number % 50 {
        0 => 500_000,
        1..=5 => 20_000,
        _ => 700,
    };
    let list: Vec<String> = (0..30).map(|item| item.to_string()).collect();
    let body =
        format!("{{\"n\":{number},\"list\":[{}],\"padding\":\"{}\"}}", list.join(","), "x".repeat(padding));
    let mut headers = github(SECRET, &id, body.as_bytes());
    headers.push(("content-type".into(), "application/json".into()));
    let request = Request {
        method: "POST".into(),
        path: format!("/in/s{}", number % SOURCES as u64),
        headers,
        body: body.into_bytes(),
        chunked: number.is_multiple_of(7),
    };
    // Also after the load was stopped: what was sent and not answered may have been accepted.
    for _ in 0..600 {
        let begun = Instant::now();
        match send(address, &request) {
            Ok(answer) if answer.status == 202 || answer.status == 200 => {
                return ledger.accepted(number, begun.elapsed());
            }
            Ok(answer) if answer.status == 503 => {
                ledger.refused.fetch_add(1, Ordering::SeqCst);
            }
            Ok(answer) => {
                return ledger.odd(format!("{id} was answered {}: {}", answer.status, answer.text()));
            }
            Err(_) => {
                ledger.failed.fetch_add(1, Ordering::SeqCst);
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    ledger.odd(format!("{id} was never accepted"));
}
