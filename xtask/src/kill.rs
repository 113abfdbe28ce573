//! `cargo xtask kill`: kills the gateway again and again under load.

use crate::{command, target};
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct KillArguments {
    /// How often it is killed
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    cycles: usize,
    /// Repeats the moments of a run, which prints its seed
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &KillArguments) -> Result<ExitCode> {
    target::install()?;
    eprintln!("building in release mode; the first time takes some minutes");
    command::run(command::cargo().args(["build", "--release", "--package", "anglerfish"]))?;
    let mut kill = command::cargo();
    kill.args(["run", "--quiet", "--package", "anglerfish-tests", "--example", "kill", "--"]);
    kill.args(["--cycles", &arguments.cycles.to_string()]);
    if let Some(seed) = arguments.seed {
        kill.args(["--seed", &seed.to_string()]);
    }
    kill.env("ANGLERFISH_TEST_BINARY", command::target_directory().join("release/anglerfish"));
    let status = kill.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
