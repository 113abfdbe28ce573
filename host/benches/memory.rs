//! What the binary holds in memory: with 100 000 subscriptions that nobody sends to, and with a million deliveries that
//! nobody takes.
//!
//! `cargo bench -p anglerfish --bench memory`

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

mod binary;

use binary::{Binary, Sender};
use futures_util::future::join_all;
use std::fmt::Write;
use std::time::Instant;

const SENDERS: usize = 16;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (idle, dead, events) = if is_bench { (100_000, 1000, 1000) } else { (100, 10, 10) };
    // The first one compiles the component, which takes memory that the others do not need.
    drop(Binary::start(""));
    let none = Binary::start("");
    let base = none.resident();
    println!("no subscription: {base:.0} MiB");
    drop(none);

    let gateway = Binary::start(&tables(idle));
    let resident = gateway.resident();
    #[expect(clippy::cast_precision_loss, reason = "a number of subscriptions")]
    let each = (resident - base) * 1024.0 / idle as f64;
    println!(
        "{idle} idle subscriptions: {resident:.0} MiB, {each:.1} KiB each, ready after {:.1?}",
        gateway.started_in
    );
    drop(gateway);

    let gateway = Binary::start(&tables(dead));
    let before = gateway.resident();
    let sender = Sender::new(&gateway);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let begun = Instant::now();
    let most = runtime.block_on(async {
        let senders = (0..SENDERS).map(|first| {
            let sender = sender.clone();
            tokio::spawn(async move {
                for number in (first..events).step_by(SENDERS) {
                    let _ = sender.send(&format!("\"n\":{number}")).await;
                }
            })
        });
        let mut senders = std::pin::pin!(join_all(senders));
        let mut most = 0.0_f64;
        loop {
            let look = tokio::time::sleep(std::time::Duration::from_millis(200));
            tokio::select! {
                _ = &mut senders => break most.max(gateway.resident()),
                () = look => most = most.max(gateway.resident()),
            }
        }
    });
    println!(
        "{dead} dead subscriptions with {events} deliveries each: {before:.0} MiB before, {most:.0} MiB at most while {} \
         were taken in within {:.1?}, {:.0} MiB after",
        dead * events,
        begun.elapsed(),
        gateway.resident()
    );
}

/// Subscriptions whose endpoint nobody listens at.
fn tables(count: usize) -> String {
    let mut tables = String::new();
    for number in 0..count {
        let _ = write!(
            tables,
            "[[subscription]]\nid = \"a{number}\"\nfilter = \"message.n >= 0 || message.to == {number}\"\nendpoint = {{ url = \
             \"http://127.0.0.1:9/{number}\", allow_private = true, allow_ports = [9] }}\n"
        );
    }
    tables
}
