//! `cargo xtask soak`: many minutes of load with faults.

use crate::{command, target};
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct SoakArguments {
    /// How long the load lasts
    #[arg(long, default_value_t = 30, value_name = "MINUTES")]
    minutes: u64,
    /// Repeats the faults of a run, which prints its seed
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Events a second
    #[arg(long, default_value_t = 100, value_name = "EVENTS")]
    rate: u32,
}

pub(crate) fn run(arguments: &SoakArguments) -> Result<ExitCode> {
    target::install()?;
    eprintln!("building in release mode; the first time takes some minutes");
    command::run(command::cargo().args(["build", "--release", "--package", "anglerfish"]))?;
    let mut soak = command::cargo();
    soak.args(["run", "--quiet", "--package", "anglerfish-tests", "--example", "soak", "--"]);
    soak.args(["--minutes", &arguments.minutes.to_string(), "--rate", &arguments.rate.to_string()]);
    if let Some(seed) = arguments.seed {
        soak.args(["--seed", &seed.to_string()]);
    }
    soak.env("ANGLERFISH_TEST_BINARY", command::target_directory().join("release/anglerfish"));
    let status = soak.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
