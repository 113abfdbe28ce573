//! `cargo xtask test`: every check and test, with their counts.

use crate::{client, command, target};
use anyhow::{Context, Result};
use clap::Args;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

#[derive(Args)]
pub(crate) struct TestArguments {
    /// Leave out the checks of format, lints and licences
    #[arg(long)]
    tests_only: bool,
}

/// What was counted so far.
#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
    failures: Vec<String>,
}

pub(crate) fn run(arguments: &TestArguments) -> Result<ExitCode> {
    target::install()?;
    let mut counts = Counts::default();
    if !arguments.tests_only {
        counts.check("format", command::cargo().args(["fmt", "--all", "--check"]));
        counts.licences();
    }
    let clients = client::install()?;
    // With the tests' own dependencies, so that nothing is compiled twice with other features.
    let (name, targets): (_, &[_]) = match arguments.tests_only {
        true => ("the build", &["--bins", "--tests", "--examples"]),
        // Not `--all-targets`: the components' crates are linked for wasm alone. Among the benchmarks are the tests of each library.
        false => ("the build, with its lints", &["--bins", "--tests", "--examples", "--benches"]),
    };
    let build = |subcommand| {
        let mut cargo = command::cargo();
        cargo.args([subcommand, "--workspace"]);
        if !arguments.tests_only {
            lint(&mut cargo);
        }
        cargo
    };
    if counts.check(name, build("build").args(targets)) {
        let mut tests = build("test");
        tests.arg("--no-fail-fast");
        tests.env("ANGLERFISH_TEST_BINARY", command::target_directory().join("debug/anglerfish"));
        tests.env("ANGLERFISH_TEST_PYTHON", &clients.python).env("ANGLERFISH_TEST_NODE", &clients.node);
        tests.env("ANGLERFISH_TEST_BROWSER", clients.browser);
        counts.tests(&mut tests)?;
    }
    for failure in &counts.failures {
        eprintln!("failed: {failure}");
    }
    println!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Has the workspace's own crates compiled by clippy, which compiles as rustc does: to lint them in a run of its own would need every
/// dependency a second time, for its types alone.
fn lint(cargo: &mut Command) {
    let beside = std::env::var_os("CARGO").map(|cargo| Path::new(&cargo).with_file_name("clippy-driver"));
    let driver = beside.filter(|driver| driver.is_file()).unwrap_or_else(|| "clippy-driver".into());
    // Not by the environment, which the tests and what they build would have too.
    cargo.arg("--config").arg(format!("build.rustc-workspace-wrapper={driver:?}"));
    // What `cargo clippy -- --deny warnings` hands over.
    cargo.env("CLIPPY_ARGS", "--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
}

impl Counts {
    /// A check that passes or fails as a whole; whether it has passed.
    fn check(&mut self, name: &str, command: &mut Command) -> bool {
        eprintln!("checking {name}");
        let began = Instant::now();
        let ran = command::run(command);
        eprintln!("{name}: {} s", began.elapsed().as_secs());
        match ran {
            Ok(()) => self.passed += 1,
            Err(error) => {
                self.fail(format!("{name}: {error:#}"));
                return false;
            }
        }
        true
    }

    fn fail(&mut self, failure: String) {
        self.failed += 1;
        self.failures.push(failure);
    }

    /// Licences, duplicate versions and sources of the dependencies. The tool is installed into the target directory.
    fn licences(&mut self) {
        let tool = match command::tool("cargo-deny", "0.20.2") {
            Ok(tool) => tool,
            Err(error) => return self.fail(format!("{error:#}")),
        };
        let mut deny = Command::new(tool);
        deny.current_dir(command::root()).args([
            "--log-level",
            "error",
            "check",
            "bans",
            "licenses",
            "sources",
        ]);
        self.check("licences and sources of dependencies", &mut deny);
    }

    /// Runs tests and adds up the closing lines of their harnesses.
    fn tests(&mut self, command: &mut Command) -> Result<()> {
        eprintln!("running the tests");
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().context("failed to run the tests")?;
        let before = self.failed;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                let line = line?;
                writeln!(std::io::stdout(), "{line}")?;
                self.read(&line);
            }
        }
        let status = child.wait()?;
        eprintln!("the tests: {} s", began.elapsed().as_secs());
        if !status.success() && self.failed == before {
            self.fail(format!("the tests did not run to their end: {status}"));
        }
        Ok(())
    }

    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …` and `test name ... FAILED`.
    fn read(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
        let Some(result) = line.strip_prefix("test result: ") else { return };
        for part in result.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(kind)) = (words.next().map(str::parse::<usize>), words.next()) else {
                continue;
            };
            match kind {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_the_harnesses_are_added_up() {
        let mut counts = Counts::default();
        counts.read(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        );
        counts.read("test a_name ... FAILED");
        counts.read("test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!((counts.passed, counts.failed, counts.skipped), (4, 1, 1));
        assert_eq!(counts.failures, ["a_name"]);
    }
}
