//! `cargo xtask simulate`: plays histories of the delivery engine; see docs/decisions/0008-delivery-engine.md.

use crate::command;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct SimulateArguments {
    /// How many histories to play
    #[arg(long, default_value_t = 1_000_000)]
    seeds: u64,
    /// Play the history of this seed alone, and print each of its steps if it breaks a promise
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &SimulateArguments) -> Result<ExitCode> {
    let mut test = command::cargo();
    test.args(["test", "--quiet", "--release", "--package", "anglerfish-core", "--lib", "--", "--nocapture"]);
    test.args(["--exact", "delivery::simulation::campaign::every_history_keeps_every_promise"]);
    match arguments.seed {
        Some(seed) => test.env("ANGLERFISH_SIMULATE_SEED", seed.to_string()),
        None => test.env("ANGLERFISH_SIMULATE_SEEDS", arguments.seeds.to_string()),
    };
    command::run(&mut test)?;
    Ok(ExitCode::SUCCESS)
}
