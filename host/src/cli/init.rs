//! `anglerfish init`: a configuration to begin with.

use super::{Failure, Outcome, Output};
use clap::Args;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What is written: every table once, with what most people change first.
const TEMPLATE: &str = include_str!("init.toml");

/// The arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  anglerfish init
  anglerfish check
  anglerfish serve")]
pub(super) struct InitArgs {
    /// The file to write; `-` is stdout
    #[arg(default_value = "anglerfish.toml")]
    file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub(super) fn run(args: &InitArgs, output: &mut Output) -> Result<Outcome, Failure> {
    if args.file == Path::new("-") {
        output.line(TEMPLATE.trim_end())?;
        return Ok(Outcome::Fine);
    }
    let file = args.file.display();
    let mut options = OpenOptions::new();
    options.write(true).create_new(!args.force).create(args.force).truncate(args.force);
    let written = options.open(&args.file).and_then(|mut opened| opened.write_all(TEMPLATE.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::misuse(format_args!("{file} is there already"))
            .with_hint("name another file, or replace it with --force"),
        _ => Failure::failed(format_args!("failed to write {file}: {error}")),
    })?;
    output.line(format_args!("wrote {file}; `anglerfish check --config {file}` tells what is missing"))?;
    Ok(Outcome::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use crate::gateway::Config;

    #[test]
    fn what_is_written_is_a_configuration_without_a_problem() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("anglerfish.toml");
        std::fs::write(&file, TEMPLATE).unwrap();
        let config = Config::load(&file, &Environment::of_process()).unwrap();
        assert_eq!(config.document.sources.len(), 1);
        assert_eq!(config.document.subscriptions.len(), 1);
    }
}
