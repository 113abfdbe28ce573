//! `anglerfish deliveries`: the deliveries of a running gateway.

use super::{Failure, Outcome, Output};
use clap::Args;

/// The arguments of `deliveries`.
#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    /// The management API of the gateway
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081", env = "ANGLERFISH_API")]
    api: String,
}

/// Runs the command.
pub(super) async fn run(args: DeliveriesArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let _ = output.format();
    Err(Failure::failed(format_args!("nothing answers at {}", args.api)))
}
