//! `anglerfish events`: the log of a running gateway.

use super::{Failure, Outcome, Output};
use clap::Args;

/// The arguments of `events`.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// The management API of the gateway
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081", env = "ANGLERFISH_API")]
    api: String,
}

/// Runs the command.
pub(super) async fn run(args: EventsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let _ = output.format();
    Err(Failure::failed(format_args!("nothing answers at {}", args.api)))
}
