//! The frame: which commands there are, and what becomes of what they return.

use super::{Failure, Format, Outcome, Output, deliveries, events, serve};
use anstream::eprintln;
use anstyle::{AnsiColor, Style};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An event gateway for webhooks: verifies what comes in, decides who wants it,
/// delivers it durably
#[derive(Debug, Parser)]
#[command(name = "anglerfish", version, max_term_width = 80, propagate_version = false)]
#[command(after_help = "Exit codes: 0 fine, 1 a negative answer, 2 misuse or bad configuration")]
struct Cli {
    /// How to write data: for people or for programs
    #[arg(long, global = true, value_enum)]
    format: Option<Format>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve(serve::ServeArgs),
    /// Look into the log of a running gateway
    Events(events::EventsArgs),
    /// Look into the deliveries of a running gateway
    Deliveries(deliveries::DeliveriesArgs),
}

impl Command {
    fn run(self, output: &mut Output) -> Result<Outcome, Failure> {
        match self {
            Self::Serve(args) => serve::run(&args),
            Self::Events(args) => block_on(events::run(args, output)),
            Self::Deliveries(args) => block_on(deliveries::run(args, output)),
        }
    }
}

/// Runs a client command on this thread.
fn block_on(command: impl Future<Output = Result<Outcome, Failure>>) -> Result<Outcome, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("failed to start the runtime: {error}")))?
        .block_on(command)
}

/// Reads the process's arguments, runs the command and reports how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::stdout(cli.format);
    let result = cli.command.run(&mut output).and_then(|outcome| output.flush().map(|()| outcome));
    match result {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(failure) => {
            report(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Tells the user on stderr; colours only where they are wanted (`NO_COLOR` is honoured).
fn report(failure: &Failure) {
    let error = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let hint_style = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
    match failure {
        Failure::Misuse { message, hint } | Failure::Failed { message, hint } => {
            eprintln!("{error}error{error:#}: {message}");
            if let Some(hint) = hint {
                eprintln!("{hint_style}hint{hint_style:#}: {hint}");
            }
        }
        Failure::Configuration(lines) => {
            for line in lines {
                eprintln!("{line}");
            }
            let plural = if lines.len() == 1 { "" } else { "s" };
            eprintln!("{error}error{error:#}: {} problem{plural} in the configuration", lines.len());
        }
        Failure::BrokenPipe => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_frame_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_in_eighty_columns() {
        let mut command = Cli::command();
        command.build();
        let mut all = vec![command];
        while let Some(mut command) = all.pop() {
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
            all.extend(command.get_subcommands().cloned());
        }
    }
}
