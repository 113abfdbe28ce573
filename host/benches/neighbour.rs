//! A noisy neighbourhood: 1000 subscriptions of the binary, of which 100 hang until their timeout and 100 fail. How long a
//! delivery to one of the others takes from the sender's answer, beside the same without the 200.
//!
//! `cargo bench -p anglerfish --bench neighbour`

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod binary;
mod loopback;

use binary::{Binary, Sender};
use futures_util::future::join_all;
use loopback::{fsync, percentile, receiver};
use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const SUBSCRIPTIONS: usize = 1000;
const HANGING: usize = 100;
const FAILING: usize = 100;
/// Events a second; each is for one subscription.
const RATE: u32 = 300;
const ROUNDS: usize = 3;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let seconds = if is_bench { 30 } else { 1 };
    let rounds = if is_bench { ROUNDS } else { 1 };
    let (arrived, mut arrivals) = unbounded_channel();
    let address = receiver(move |headers| {
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let _ = arrived.send((id.to_owned(), Instant::now()));
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{RATE} events a second for {seconds} s, each for one of {SUBSCRIPTIONS} subscriptions:");
        let mut most = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (is_noisy, most) in [false, true].into_iter().zip(&mut most) {
                let (ways, resident) = measure(is_noisy, seconds, address, &mut arrivals).await;
                let (half, last) = (percentile(ways.clone(), 50), percentile(ways.clone(), 99));
                let with = if is_noisy { "with the 200" } else { "without them" };
                println!(
                    "{with}: {} deliveries, p50 {half:.2?}, p99 {last:.2?}, {resident:.0} MiB",
                    ways.len()
                );
                most.push(last);
            }
        }
        let [without, with] = most.map(|most| percentile(most, 50));
        println!("p99, the median round: {:.2} times", with.as_secs_f64() / without.as_secs_f64());
        println!("fsync of 4 KiB {:.2?} (median)", fsync());
    });
}

fn tables(is_noisy: bool, address: SocketAddr) -> String {
    let mut tables = String::new();
    for number in 0..SUBSCRIPTIONS {
        let path = match number {
            number if number < HANGING => "hang",
            number if number < HANGING + FAILING => "fail",
            _ => "take",
        };
        if path == "take" || is_noisy {
            let endpoint = format!("{{ url = \"http://{address}/{path}\", allow_private = true }}");
            let _ = write!(
                tables,
                "[[subscription]]\nid = \"a{number}\"\nfilter = \"message.to == {number}\"\nendpoint = {endpoint}\n"
            );
        }
    }
    tables
}

/// How long each delivery to one of the others took, and the memory at the end.
async fn measure(
    is_noisy: bool,
    seconds: u32,
    address: SocketAddr,
    arrivals: &mut UnboundedReceiver<(String, Instant)>,
) -> (Vec<Duration>, f64) {
    let gateway = Binary::start(&tables(is_noisy, address));
    let sender = Sender::new(&gateway);
    let mut interval = tokio::time::interval(Duration::from_secs(1) / RATE);
    // The same in all rounds.
    let mut random = fastrand::Rng::with_seed(7);
    let (mut sent, mut wanted) = (Vec::new(), 0);
    for _ in 0..RATE * seconds {
        interval.tick().await;
        let to = random.usize(..SUBSCRIPTIONS);
        wanted += usize::from(to >= HANGING + FAILING);
        let sender = sender.clone();
        sent.push(tokio::spawn(async move { sender.send(&format!("\"to\":{to}")).await }));
    }
    let answered: HashMap<String, Instant> = join_all(sent).await.into_iter().map(Result::unwrap).collect();
    let mut ways = Vec::new();
    while ways.len() < wanted {
        let (id, at) = arrivals.recv().await.unwrap();
        ways.push(at.saturating_duration_since(answered[&id]));
    }
    (ways, gateway.resident())
}
