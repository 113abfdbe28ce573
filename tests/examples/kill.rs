//! A gateway that is killed again and again under load. `cargo xtask kill --cycles 1000`.

use anglerfish_tests::{KillPlan, kill_again_and_again};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let place = arguments.iter().position(|word| word == name)?;
        arguments.get(place + 1)?.parse::<u64>().ok()
    };
    let cycles = number("--cycles").and_then(|cycles| usize::try_from(cycles).ok()).unwrap_or(1000);
    let seed = number("--seed").unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}, {cycles} cycles");
    let report = kill_again_and_again(KillPlan { cycles, seed }, |cycle| {
        if cycle % 50 == 0 {
            println!("killed {cycle} times");
        }
    });
    let (pushes, repeated) = report.pushes;
    println!(
        "{} events accepted; {pushes} requests to endpoints, {repeated} of them repeated",
        report.accepted
    );
    println!("{} leases, {} answers for leases that were over", report.leases, report.stale);
    println!("ready again after {:?} at most; took {:?}", report.slowest, report.took);
    report.broken.iter().for_each(|promise| println!("FAIL {promise}"));
    println!("{}", if report.broken.is_empty() { "PASSED" } else { "FAILED" });
    if report.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
