//! A plugin that never ends, and a flood of events for it: how long a delivery to another subscription takes from the
//! sender's answer, beside the same flood for a plugin that drops each event at once.
//!
//! `cargo bench -p anglerfish --bench misbehaviour`

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
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Events a second; of four one is for the subscription that is measured, the others for the plugin's.
const RATE: u32 = 200;
const ROUNDS: usize = 3;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let seconds = if is_bench { 30 } else { 1 };
    let rounds = if is_bench { ROUNDS } else { 1 };
    let (address, mut arrivals) = arrivals();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{RATE} events a second for {seconds} s, of which one in four is measured:");
        let runs = [("beside \"drop\"", "drop"), ("beside \"loop\"", "loop")];
        compare(runs, rounds, async |behaviour| measure(behaviour, seconds, address, &mut arrivals).await)
            .await;
    });
}

/// How long each delivery to the subscription beside the plugin's took, and the memory at the end.
async fn measure(
    behaviour: &str,
    seconds: u32,
    address: SocketAddr,
    arrivals: &mut Arrivals,
) -> (Vec<Duration>, f64) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/plugin/probe-0.1.0.wasm");
    let endpoint = format!("endpoint = {{ url = \"http://{address}/take\", allow_private = true }}");
    let gateway = Binary::start(&format!(
        "[[plugin]]\nname = \"probe\"\npath = {file:?}\n\
         [[subscription]]\nid = \"measured\"\nfilter = \"message.to == 0\"\n{endpoint}\n\
         [[subscription]]\nid = \"flooded\"\nfilter = \"message.to != 0\"\n{endpoint}\n\
         plugins = [{{ name = \"probe\", config = {behaviour:?} }}]\n"
    ));
    let sender = Sender::new(&gateway);
    let count = RATE * seconds;
    let wanted = (0..count).filter(|number| number % 4 == 0).count();
    let events = (0..count).map(|number| format!("\"to\":{}", number % 4));
    (ways(&sender, Duration::from_secs(1) / RATE, events, wanted, arrivals).await, gateway.resident())
}
