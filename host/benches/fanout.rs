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

mod arrival;
mod binary;
mod loopback;
mod pace;
mod plain;

use arrival::{Arrivals, arrivals};
use binary::{Binary, Sender};
use futures_util::future::join_all;
use loopback::{fsync, percentile};
use pace::ways;
use plain::{plain, rate};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const SENDERS: usize = 16;
const BODY: usize = 1024;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (count, paced) = if is_bench { (40_000, Duration::from_secs(10)) } else { (400, Duration::ZERO) };
    let (address, mut arrivals) = arrivals();
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

    let half = events_rate / 2.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let count = (half * paced.as_secs_f64()).ceil().max(10.0) as usize;
    let interval = Duration::from_secs_f64(1.0 / half.max(1.0));
    let events = (0..count).map(|number| format!("\"n\":{number}"));
    let ways = ways(&sender, interval, events, count * fanout, arrivals).await;
    println!(
        "{fanout:>8} {events_rate:>10.0} {rate:>12.0} {:>6.2}   {:>15.0}/s {:>9.2?} {:>9.2?} {:>6.0}",
        rate / plain,
        half,
        percentile(ways.clone(), 50),
        percentile(ways, 99),
        gateway.resident()
    );
}
