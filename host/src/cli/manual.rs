//! `anglerfish manual`: the man pages.

use super::{Failure, Outcome, Output};
use anglerfish_core::config::nearest;
use clap::{Args, Command};
use clap_mangen::Man;
use std::path::PathBuf;

/// The arguments of `manual`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish manual | man -l -
  anglerfish manual filter test | man -l -
  anglerfish manual --dir /usr/local/share/man/man1")]
pub(super) struct ManualArgs {
    /// The command whose page is printed, such as `filter test`; without one it is the program's
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
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
    Man::new(named(command, &args.command)?)
        .render(&mut page)
        .map_err(|error| Failure::failed(format_args!("failed to write the manual: {error}")))?;
    output.line(String::from_utf8_lossy(&page).trim_end())?;
    Ok(Outcome::Fine)
}

/// The command of these words.
fn named(mut command: Command, words: &[String]) -> Result<Command, Failure> {
    // Gives every command its whole name.
    command.build();
    let mut shown = command.get_name().to_owned();
    for word in words {
        let Some(inner) = command.find_subcommand(word) else {
            let names = command.get_subcommands().map(Command::get_name);
            let failure = Failure::misuse(format_args!("there is no command `{shown} {word}`"));
            return Err(match nearest(word, names) {
                Some(near) => failure.with_hint(format_args!("did you mean `{near}`?")),
                None => failure,
            });
        };
        shown = format!("{shown} {word}");
        command = inner.clone();
    }
    Ok(command)
}
