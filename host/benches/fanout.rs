//! Deliveries of the binary where one event goes to 1, 10 and 100 subscriptions: how many a second from requests to their
//! receiver, commits included, beside a plain loop over the same kind of client; and how long one takes from the sender's
//! answer to its receiver at half of that load.
//!
//! `cargo bench -p anglerfish --bench fanout`

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod binary;
mod loopback;
mod plain;

use binary::{Binary, Sender};
use futures_util::future::join_all;
use loopback::{fsync, percentile, receiver};
use plain::{plain, rate};
use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const SENDERS: usize = 16;
const BODY: usize = 1024;

/// An event's id, and when a delivery of it arrived.
type Arrivals = UnboundedReceiver<(String, Instant)>;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (count, paced) = if is_bench { (40_000, Duration::from_secs(10)) } else { (400, Duration::ZERO) };
    let (arrived, mut arrivals) = unbounded_channel();
    let address = receiver(move |headers| {
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let _ = arrived.send((id.to_owned(), Instant::now()));
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let plain = plain(address, count, SENDERS, BODY).await;
        while arrivals.try_recv().is_ok() {}
        println!("plain client loop: {plain:.0}/s; fsync of 4 KiB {:.2?} (median)", fsync());
        println!(
            "{:>8} {:>10} {:>12} {:>6}   {:>20} {:>9} {:>9} {:>6}",
            "fan-out", "events/s", "deliveries/s", "ratio", "answer to receiver at", "p50", "p99", "MiB"
        );
        for fanout in [1, 10, 100] {
            measure(fanout, count / fanout, paced, plain, address, &mut arrivals).await;
        }
    });
}

async fn measure(
    fanout: usize,
    events: usize,
    paced: Duration,
    plain: f64,
    address: SocketAddr,
    arrivals: &mut Arrivals,
) {
    let mut tables = String::new();
    for number in 0..fanout {
        let endpoint = format!("{{ url = \"http://{address}/{number}\", allow_private = true }}");
        let _ = write!(tables, "[[subscription]]\nid = \"a{number}\"\nendpoint = {endpoint}\n");
    }
    let gateway = Binary::start(&tables);
    let sender = Sender::new(&gateway);

    let begun = Instant::now();
    let senders = (0..SENDERS).map(|first| {
        let sender = sender.clone();
        tokio::spawn(async move {
            for number in (first..events).step_by(SENDERS) {
                let _ = sender.send(&format!("\"n\":{number}")).await;
            }
        })
    });
    let (_, ()) = tokio::join!(join_all(senders), async {
        for _ in 0..events * fanout {
            let _ = arrivals.recv().await.unwrap();
        }
    });
    let rate = rate(events * fanout, begun);
    #[expect(clippy::cast_precision_loss, reason = "a number of subscriptions")]
    let events_rate = rate / fanout as f64;

    let (answered, arrived) = at_half_load(&sender, events_rate / 2.0, paced, fanout, arrivals).await;
    let ways: Vec<Duration> =
        arrived.into_iter().map(|(id, at)| at.saturating_duration_since(answered[&id])).collect();
    println!(
        "{fanout:>8} {events_rate:>10.0} {rate:>12.0} {:>6.2}   {:>15.0}/s {:>9.2?} {:>9.2?} {:>6.0}",
        rate / plain,
        events_rate / 2.0,
        percentile(ways.clone(), 50),
        percentile(ways, 99),
        gateway.resident()
    );
}

/// Sends so many events a second, each at its time whether the others are done or not. Returns when each was answered, and
/// when each delivery arrived.
async fn at_half_load(
    sender: &Sender,
    rate: f64,
    paced: Duration,
    fanout: usize,
    arrivals: &mut Arrivals,
) -> (HashMap<String, Instant>, Vec<(String, Instant)>) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let count = (rate * paced.as_secs_f64()).ceil().max(10.0) as usize;
    let mut interval = tokio::time::interval(Duration::from_secs_f64(1.0 / rate.max(1.0)));
    let mut sent = Vec::new();
    for number in 0..count {
        interval.tick().await;
        let sender = sender.clone();
        sent.push(tokio::spawn(async move { sender.send(&format!("\"n\":{number}")).await }));
    }
    let answered = join_all(sent).await.into_iter().map(Result::unwrap).collect();
    let mut arrived = Vec::new();
    while arrived.len() < count * fanout {
        arrived.push(arrivals.recv().await.unwrap());
    }
    (answered, arrived)
}
