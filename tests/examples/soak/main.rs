//! A soak: mixed load for many minutes, with faults injected from a seed. `cargo xtask soak --minutes 30`.
//!
//! Nothing that was answered with 2xx may be lost, memory and descriptors stay flat, and every part is alive at the end.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it reports by failing, as a test does"
)]

mod clock;
mod fault;
mod ledger;
mod load;
mod plan;
mod reader;
mod receiver;
mod watch;

use plan::Plan;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, port, file, kind] = arguments.as_slice()
        && command == "receive"
    {
        receiver::run(port.parse().expect("no port"), file.as_ref(), kind);
    }
    let plan = match Plan::read(&arguments) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("error: {error}\nusage: soak [--minutes N] [--seed N] [--rate EVENTS_PER_SECOND]");
            return ExitCode::from(2);
        }
    };
    println!("seed {}, {:?}, {} events/s", plan.seed, plan.length, plan.rate);
    let findings = watch::run(&plan);
    for finding in &findings {
        println!("FAIL {finding}");
    }
    println!("{}", if findings.is_empty() { "PASSED" } else { "FAILED" });
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
