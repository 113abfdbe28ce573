//! A noisy neighbourhood: 1000 subscriptions of the binary, of which 100 hang until their timeout and 100 fail. How long a
//! delivery to one of the others takes from the sender's answer, beside the same without the 200.
//!
//! `cargo bench -p anglerfish --bench neighbour`

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod arrival;
mod beside;
mod binary;
mod loopback;
mod pace;

use arrival::{Arrivals, arrivals};
use beside::compare;
use binary::{Binary, Sender};
use pace::ways;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

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
    let (address, mut arrivals) = arrivals();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{RATE} events a second for {seconds} s, each for one of {SUBSCRIPTIONS} subscriptions:");
        let runs = [("without them", false), ("with the 200", true)];
        compare(runs, rounds, async |is_noisy| measure(is_noisy, seconds, address, &mut arrivals).await)
            .await;
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
    arrivals: &mut Arrivals,
) -> (Vec<Duration>, f64) {
    let gateway = Binary::start(&tables(is_noisy, address));
    let sender = Sender::new(&gateway);
    // The same in all rounds.
    let mut random = fastrand::Rng::with_seed(7);
    let receivers: Vec<usize> = (0..RATE * seconds).map(|_| random.usize(..SUBSCRIPTIONS)).collect();
    let wanted = receivers.iter().filter(|to| **to >= HANGING + FAILING).count();
    let events = receivers.into_iter().map(|to| format!("\"to\":{to}"));
    (ways(&sender, Duration::from_secs(1) / RATE, events, wanted, arrivals).await, gateway.resident())
}
