//! `anglerfish completions`: what a shell needs to complete commands and options.

use super::{Failure, Outcome, Output};
use clap::{Args, Command};
use clap_complete::Shell;

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish completions bash > /etc/bash_completion.d/anglerfish
  anglerfish completions zsh > \"${fpath[1]}/_anglerfish\"
  anglerfish completions fish > ~/.config/fish/completions/anglerfish.fish")]
pub(super) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Runs the command.
pub(super) fn run(
    args: &CompletionsArgs,
    mut command: Command,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "anglerfish", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Outcome::Fine)
}
