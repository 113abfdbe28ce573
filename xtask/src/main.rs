//! The project's own commands: `cargo xtask serve`, `cargo xtask test`, `cargo xtask bench`, `cargo xtask simulate`,
//! `cargo xtask soak`, `cargo xtask kill`, `cargo xtask package`, `cargo xtask crates`, `cargo xtask spin`.
//!
//! Each does all of its own set-up, on a machine with rustup and a C compiler.

mod bench;
mod client;
mod command;
mod crates;
mod kill;
mod package;
mod serve;
mod simulate;
mod soak;
mod spin;
mod suite;
mod target;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's own commands
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything and start the gateway with the quick start's configuration and a receiver
    Serve,
    /// Run every check and test that the project has and print their counts
    Test(suite::TestArguments),
    /// Measure the whole: requests per second and latency over loopback, beside a bare server
    Bench(bench::BenchArguments),
    /// Play histories of the delivery engine against models of the store and of the network
    Simulate(simulate::SimulateArguments),
    /// Put mixed load on the gateway for many minutes, with faults injected from a seed
    Soak(soak::SoakArguments),
    /// Kill the gateway again and again under load, and hold its promises against what is seen
    Kill(kill::KillArguments),
    /// Build what is installed elsewhere: an archive, a Debian package, what a container image copies
    Package(package::PackageArguments),
    /// Count the crates of each feature, pack what a registry gets, and build and run a program outside of the workspace with it
    Crates(crates::CratesArguments),
    /// Build the components of the Spin app into target/spin, where spin.toml looks for them
    Spin,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve => serve::run(),
        Command::Test(arguments) => suite::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Kill(arguments) => kill::run(&arguments),
        Command::Package(arguments) => package::run(&arguments),
        Command::Crates(arguments) => crates::run(&arguments),
        Command::Spin => target::install().and_then(|()| spin::build_spin()).map(|folder| {
            println!("{}", folder.display());
            ExitCode::SUCCESS
        }),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
