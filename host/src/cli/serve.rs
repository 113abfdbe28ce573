//! `anglerfish serve`: runs the gateway until it is told to stop.

use super::configuration::ConfigArgs;
use super::watch::FileWatch;
use super::{Failure, Outcome};
use crate::cli::clock;
use crate::config::ReloadCause;
use crate::gateway::Config;
use crate::gateway::{GatewayBuilder, GatewayError, Reloader};
use crate::server::Descriptors;
use crate::store::StoreError;
use crate::supervision;
use crate::telemetry::{self, LogControl, TraceLayer, Traces};
use clap::Args;
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "SIGTERM and SIGINT stop it: requests and attempts under way may end
within server.shutdown_timeout. A second signal quits at once; what was
accepted is on disk and goes on at the next start.

SIGHUP reads the configuration again and puts it in use if it has no
problems; else the old one stays in use, and the log says why.")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Read the configuration again whenever its file changes
    #[arg(long)]
    watch: bool,
}

/// Runs the command.
pub(super) fn run(args: &ServeArgs) -> Result<Outcome, Failure> {
    // Before the file is read: a change while the gateway starts is one, too.
    let watch = args.watch.then(|| FileWatch::new(args.config.path()));
    let config = args.config.load()?;
    // HTTP has no date for it: the library would break off each connection.
    if clock::now().0 == 0 {
        return Err(
            Failure::failed("the clock of this machine says a time before 1970").with_hint("set the clock")
        );
    }
    super::allocator::give_back();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("failed to start the runtime: {error}")))?;
    let (layer, traces) = traces(&config, runtime.handle().clone())?.unzip();
    let log = telemetry::init(config.log.format, &config.log.filter, layer)
        .map_err(|error| Failure::failed(format_args!("failed to set up the log: {error}")))?;
    supervision::install_hook();
    let outcome = runtime.block_on(serve(args, config, watch, log.control.clone()));
    // While there is a runtime that can send them.
    drop(traces);
    // What still runs after a second signal is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn serve(
    args: &ServeArgs,
    config: Config,
    watch: Option<FileWatch>,
    log: LogControl,
) -> Result<Outcome, Failure> {
    // Before anything else: a signal that comes while it starts is not lost, and none ends it unasked.
    let listen = |error| Failure::failed(format_args!("failed to listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(listen)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(listen)?;
    let hangup = signal(SignalKind::hangup()).map_err(listen)?;
    let source = args.config.clone();
    let descriptors = descriptors();
    let gateway = GatewayBuilder::new(config)
        .descriptors(descriptors)
        .reload_with(args.config.file(), Arc::new(move || source.load()))
        .log(log)
        .build()
        .await?
        .start();
    // After a start that fails nothing but its reason is of interest.
    let Descriptors { limit, incoming, outgoing } = descriptors;
    tracing::info!(limit, incoming, outgoing, "file descriptors");
    tracing::info!(
        ingress = gateway
            .ingress_address()
            .map(|address| tracing::field::display(format!("http://{address}/in/{{source}}"))),
        admin = gateway.admin_address().map(|address| tracing::field::display(format!("http://{address}"))),
        out = gateway
            .out_address()
            .map(|address| tracing::field::display(format!("http://{address}/out/{{subscription}}/lease"))),
        stomp = gateway.stomp_address().map(tracing::field::display),
        "ready"
    );
    tokio::select! {
        () = any(&mut interrupt, &mut terminate) => {}
        never = reload(hangup, watch, gateway.reloader()) => match never {},
    }
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

/// Makes traces, if there is a collector to send them to.
fn traces(config: &Config, runtime: Handle) -> Result<Option<(TraceLayer, Traces)>, Failure> {
    let Some(collector) = &config.telemetry.otlp else { return Ok(None) };
    let failed =
        |error: &dyn std::fmt::Display| Failure::failed(format_args!("failed to set up traces: {error}"));
    let tls = crate::outbound::tls().map_err(|error| failed(&error))?;
    let mut tls = (*tls).clone();
    // The client of the collector says itself which version of HTTP it speaks.
    tls.alpn_protocols.clear();
    telemetry::traces(collector, std::sync::Arc::new(tls), runtime).map(Some).map_err(|error| failed(&error))
}

/// Raises the limit of descriptors.
fn descriptors() -> Descriptors {
    Descriptors::raise().unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of file descriptors could not be raised");
        Descriptors::default()
    })
}

/// Reads the configuration again whenever it is told to.
async fn reload(
    mut hangup: Signal,
    mut watch: Option<FileWatch>,
    reloader: Reloader,
) -> std::convert::Infallible {
    loop {
        let changed = async {
            match &mut watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let cause = tokio::select! {
            _ = hangup.recv() => ReloadCause::Signal,
            () = changed => ReloadCause::Watch,
        };
        reloader.reload(cause).await;
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
            // The component becomes machine code, in memory that is written first and executed then.
            GatewayError::Engine(error) if error.to_string().contains("ermission denied") => Self::failed(
                error,
            )
            .with_hint(
                "memory must be allowed to become executable: leave `MemoryDenyWriteExecute` out of the unit",
            ),
            error => Self::failed(error),
        }
    }
}
