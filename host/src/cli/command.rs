//! The frame: which commands there are, and what becomes of what they return.

use super::table::wrapped;
use super::{Failure, Format, Outcome, Output};
use super::{
    callbacks, calls, check, completions, deliveries, deploy, documents, events, explain, filter, flows,
    init, jobs, listen, manual, plugin, providers, rejections, reload, resources, schedule, send, serve,
    sink, sources, subscriptions,
};
use crate::engine::gateway_hash;
use anstyle::{AnsiColor, Style};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;
use std::sync::LazyLock;

/// An event gateway for webhooks: verifies what comes in, decides who wants it,
/// delivers it durably
#[derive(Debug, Parser)]
#[command(name = "anglerfish", version, max_term_width = 80, propagate_version = false)]
#[command(after_help = "To try it out, in three terminals:
  anglerfish sink
  anglerfish serve --config examples/quickstart/anglerfish.toml
  anglerfish send --scheme github --event push \\
    --secret quickstart-secret-of-the-repository \\
    --url http://127.0.0.1:8080/in/github examples/quickstart/push.json

Exit codes: 0 fine, 1 a negative answer, 2 misuse or bad configuration")]
struct Cli {
    /// How to write data: for people or for programs
    #[arg(long, global = true, value_enum)]
    format: Option<Format>,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// With --version: which gateway component this is, too
    #[arg(long)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a configuration to begin with
    Init(init::InitArgs),
    /// Run the gateway
    Serve(serve::ServeArgs),
    /// Let a running gateway read its configuration again
    Reload(reload::ReloadArgs),
    /// Tell every problem of a configuration
    Check(check::CheckArgs),
    /// Give a configuration to a gateway that runs under Spin
    DeployConfig(deploy::DeployArgs),
    /// Print every attempt that a delivery policy would make
    Schedule(schedule::ScheduleArgs),
    /// Say what would be decided about a request, and why
    Explain(explain::ExplainArgs),
    /// Look into the log of a running gateway
    Events(events::EventsArgs),
    /// Look into the deliveries of a running gateway
    Deliveries(deliveries::DeliveriesArgs),
    /// Look at the bulk work of a running gateway, and end it
    Jobs(jobs::JobsArgs),
    /// Make requests to other systems' APIs through a running gateway, and look what
    /// became of them
    Calls(calls::CallsArgs),
    /// Look at the addresses that programs await, and close them
    Callbacks(callbacks::CallbacksArgs),
    /// Functions of the program that survive: their journals, cancelled and tried again
    Flows(flows::FlowsArgs),
    /// Look into what a running gateway refused lately
    Rejections(rejections::RejectionsArgs),
    /// Look at the sources of a running gateway
    Sources(sources::SourcesArgs),
    /// Look at the resources of a running gateway and change them, and at what their
    /// subscriptions are told
    Resources(resources::ResourcesArgs),
    /// Look at the documents of a running gateway, put and delete them
    Documents(documents::DocumentsArgs),
    /// Look at the subscriptions of a running gateway and change them
    Subscriptions(subscriptions::SubscriptionsArgs),
    /// Sign a file and post it as a provider would
    Send(send::SendArgs),
    /// Print what is sent here: a small receiver to try things out
    Sink(sink::SinkArgs),
    /// Take a subscription's stream to this machine and post each event here
    Listen(listen::ListenArgs),
    /// List the providers whose signatures are known
    Providers(providers::ProvidersArgs),
    /// Try out filters without a gateway
    Filter(filter::FilterArgs),
    /// Write, try out and look into filter plugins
    Plugin(plugin::PluginArgs),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual as a man page
    Manual(manual::ManualArgs),
}

impl Command {
    fn run(self, output: &mut Output) -> Result<Outcome, Failure> {
        match self {
            Self::Init(args) => init::run(&args, output),
            Self::Serve(args) => serve::run(&args),
            Self::Reload(args) => block_on(reload::run(args, output)),
            Self::Check(args) => check::run(&args, output),
            Self::DeployConfig(args) => block_on(deploy::run(args, output)),
            Self::Schedule(args) => schedule::run(&args, output),
            Self::Explain(args) => block_on(explain::run(args, output)),
            Self::Events(args) => block_on(events::run(args, output)),
            Self::Deliveries(args) => block_on(deliveries::run(args, output)),
            Self::Jobs(args) => block_on(jobs::run(args, output)),
            Self::Calls(args) => block_on(calls::run(args, output)),
            Self::Callbacks(args) => block_on(callbacks::run(args, output)),
            Self::Flows(args) => block_on(flows::run(args, output)),
            Self::Rejections(args) => block_on(rejections::run(args, output)),
            Self::Sources(args) => block_on(sources::run(args, output)),
            Self::Resources(args) => block_on(resources::run(args, output)),
            Self::Documents(args) => block_on(documents::run(args, output)),
            Self::Subscriptions(args) => block_on(subscriptions::run(args, output)),
            Self::Send(args) => block_on(send::run(args, output)),
            Self::Sink(args) => block_on(sink::run(args, output)),
            Self::Listen(args) => block_on(listen::run(args, output)),
            Self::Providers(args) => providers::run(&args, output),
            Self::Filter(args) => filter::run(args, output),
            Self::Plugin(args) => plugin::run(args, output),
            Self::Completions(args) => completions::run(&args, Cli::command(), output),
            Self::Manual(args) => manual::run(&args, Cli::command(), output),
        }
    }
}

const VERBOSE: &str = "--verbose";

/// The version, with what else an installation is told apart by.
static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{}\ngateway: {}", env!("CARGO_PKG_VERSION"), gateway_hash()));

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
    let mut command = Cli::command();
    if std::env::args_os().any(|argument| argument == VERBOSE) {
        command = command.version(VERSION.as_str());
    }
    let cli = Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let mut output = Output::stdout(if cli.json { Some(Format::Json) } else { cli.format });
    let result = if cli.verbose {
        Err(Failure::misuse("--verbose goes with --version alone"))
    } else {
        cli.command.run(&mut output).and_then(|outcome| output.flush().map(|()| outcome))
    };
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
            say(&format!("{error}error{error:#}: "), "error: ".len(), message);
            if let Some(hint) = hint {
                say(&format!("{hint_style}hint{hint_style:#}: "), "hint: ".len(), hint);
            }
        }
        Failure::Configuration(lines) => {
            for line in lines {
                say("", 0, line);
            }
            let plural = if lines.len() == 1 { "" } else { "s" };
            tell(&format!("{error}error{error:#}: {} problem{plural} in the configuration", lines.len()));
        }
        Failure::BrokenPipe => {}
    }
}

/// A line on stderr. That it cannot be written changes nothing about how the command ends.
fn tell(line: &str) {
    let _unwritten = writeln!(anstream::stderr(), "{line}");
}

/// Writes a message behind its title, which is so many columns wide; on a terminal broken between words.
pub(super) fn say(title: &str, columns: usize, message: &str) {
    let limit = match terminal_size::terminal_size_of(std::io::stderr()) {
        Some((width, _)) => usize::from(width.0).max(40),
        None => usize::MAX,
    };
    // The title may have colours, which take no room: the text is laid out behind as many spaces.
    let room = " ".repeat(columns);
    let mut title = Some(title);
    for line in message.split('\n') {
        let before = if title.is_some() { room.as_str() } else { "" };
        for line in wrapped(line, before, "    ", limit) {
            match title.take() {
                Some(title) => tell(&format!("{title}{}", line.strip_prefix(&room).unwrap_or(&line))),
                None => tell(&line),
            }
        }
    }
}

#[cfg(test)]
mod tests;
