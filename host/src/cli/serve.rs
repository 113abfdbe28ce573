//! `anglerfish serve`: runs the gateway until it is told to stop.

use super::configuration::ConfigArgs;
use super::{Failure, Outcome};
use crate::config::Config;
use crate::gateway::{Gateway, GatewayError};
use crate::store::StoreError;
use crate::telemetry;
use clap::Args;
use std::io::ErrorKind;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "SIGTERM and SIGINT stop it: requests and attempts under way may end
within server.shutdown_timeout. A second signal quits at once; what was
accepted is on disk and goes on at the next start.")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub(super) fn run(args: &ServeArgs) -> Result<Outcome, Failure> {
    let config = args.config.load()?;
    telemetry::init(config.log.format, &config.log.filter)
        .map_err(|error| Failure::failed(format_args!("failed to set up the log: {error}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("failed to start the runtime: {error}")))?;
    let outcome = runtime.block_on(serve(config));
    // What still runs after a second signal is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn serve(config: Config) -> Result<Outcome, Failure> {
    let listen = |error| Failure::failed(format_args!("failed to listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(listen)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(listen)?;
    let gateway = Gateway::start(config).await?;
    tracing::info!(
        ingress = %format_args!("http://{}/in/{{source}}", gateway.ingress_address()),
        admin = %format_args!("http://{}", gateway.admin_address()),
        "ready"
    );
    any(&mut interrupt, &mut terminate).await;
    tracing::info!("stopping; a second signal quits at once");
    tokio::select! {
        () = gateway.shutdown() => {
            tracing::info!("stopped");
            Ok(Outcome::Fine)
        }
        () = any(&mut interrupt, &mut terminate) => {
            Err(Failure::failed("a second signal came before everything had ended"))
        }
    }
}

async fn any(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Config(error) => error.into(),
            // Data of another program, of a newer version or in use: it will not change by trying again.
            GatewayError::Store(StoreError::Unusable(_)) => {
                Self::misuse(error).with_hint("`data_dir` in [server] says where the data is")
            }
            GatewayError::Listen { error: ref cause, key, .. } if cause.kind() == ErrorKind::AddrInUse => {
                let hint = format!("another gateway may be running; `{key}` names the address");
                Self::failed(error).with_hint(hint)
            }
            error => Self::failed(error),
        }
    }
}
