//! `anglerfish manual`: the man pages.

use super::{Failure, Outcome, Output};
use clap::{Args, Command};
use clap_mangen::Man;
use std::path::PathBuf;

/// The arguments of `manual`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish manual | man -l -
  anglerfish manual --dir /usr/local/share/man/man1")]
pub(super) struct ManualArgs {
    /// Write a page for each command into this directory instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &ManualArgs, command: Command, output: &mut Output) -> Result<Outcome, Failure> {
    if let Some(dir) = &args.dir {
        clap_mangen::generate_to(command, dir).map_err(|error| {
            Failure::failed(format_args!("failed to write to {}: {error}", dir.display()))
        })?;
        return Ok(Outcome::Fine);
    }
    let mut page = Vec::new();
    Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::failed(format_args!("failed to write the manual: {error}")))?;
    output.line(String::from_utf8_lossy(&page).trim_end())?;
    Ok(Outcome::Fine)
}
