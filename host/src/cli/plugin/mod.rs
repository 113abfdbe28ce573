//! `anglerfish plugin`: the author's side of filter plugins.

mod new;

use super::{Failure, Format, Outcome, Output, input};
use crate::cli::clock;
use crate::plugin::{
    Judged, Plugin, PluginConfig, PluginError, Question, Sandbox, Verdict, problems, read_file,
};
use crate::publish::{self, Message, Published, Sources, Unreadable};
use anglerfish_core::problem::Problem;
use bytesize::ByteSize;
use clap::{Args, Subcommand};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a plugin is asked to see how long a warm call takes.
const WARM_CALLS: usize = 100;

/// The arguments of `plugin`.
#[derive(Debug, Args)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Write a project that builds with one command
    New(new::NewArgs),
    /// Ask a plugin about an event
    Test(TestArgs),
    /// Say what a plugin asks for
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  anglerfish plugin test large.wasm --event event.json --config config.json

Exit codes: 0 it is delivered, 1 it is not, 2 misuse")]
struct TestArgs {
    /// The plugin's file
    file: PathBuf,
    /// A CloudEvent as JSON; `-` is stdin
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// What the subscription says to the plugin, as JSON
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The subscription's id
    #[arg(long, default_value = "test")]
    subscription: String,
    /// Memory that it may have
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    memory: ByteSize,
    /// Time that one call may take
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// State that it may keep
    #[arg(long, value_name = "SIZE", default_value = "0B")]
    state: ByteSize,
}

#[derive(Debug, Args)]
struct InspectArgs {
    /// The plugin's file
    file: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: PluginArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        PluginCommand::New(args) => new::run(&args, output),
        PluginCommand::Test(args) => test(&args, output),
        PluginCommand::Inspect(args) => inspect(&args.file, output),
    }
}

fn test(args: &TestArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let Published { event, data } = event(&args.event)?;
    let config = match &args.config {
        Some(file) => {
            let text = input::read(file)?;
            let read: Result<Value, _> = serde_json::from_str(&text);
            read.map_err(|error| Failure::misuse(format_args!("{} is no JSON: {error}", file.display())))?
                .to_string()
        }
        None => "null".to_owned(),
    };
    let limits = PluginConfig {
        memory: args.memory.as_u64(),
        timeout: args.timeout,
        state: args.state.as_u64(),
        instances: 1,
        ..PluginConfig::new("test", &args.file)
    };
    if let Some(problem) = problems([&limits]).first() {
        let option = problem.path.strip_prefix("plugin[0].").unwrap_or("memory");
        return Err(Failure::misuse(format_args!("--{option}: {}", problem.message)));
    }
    let failed = |error: PluginError| failure(&args.file, &error);
    let sandbox = sandbox().map_err(failed)?;
    let plugin = Plugin::load(&sandbox, limits).map_err(|(_, error)| failed(error))?;
    let question = Question { subscription: args.subscription.clone(), event, headers: [].into(), data };
    let first = plugin.judge(&question, &config);
    // One that keeps state may say something else later: what counts is the first answer.
    let mut times: Vec<Duration> = Vec::new();
    if first.result.is_ok() {
        times.extend((0..WARM_CALLS).map(|_| plugin.judge(&question, &config).duration));
        times.sort_unstable();
    }
    let median = times.get(times.len() / 2).copied();
    report(&first, median, plugin.config(), output)?;
    Ok(match first.result {
        Ok(Verdict::Deliver | Verdict::Replace(..)) => Outcome::Fine,
        Ok(Verdict::Drop(_)) | Err(_) => Outcome::Negative,
    })
}

/// A sandbox that keeps what it compiles where the user's programs keep such things: a second test of the same file has
/// nothing to compile.
pub(super) fn sandbox() -> Result<Sandbox, PluginError> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Ok(Sandbox::try_new()?.with_cache(caches.map(|caches| caches.join("anglerfish"))))
}

fn failure(file: &Path, error: &PluginError) -> Failure {
    match error {
        PluginError::Unreadable(why) => Failure::misuse(format_args!("failed to read {why}")),
        error => Failure::misuse(format_args!("{} {error}", file.display())),
    }
}

fn report(
    judged: &Judged,
    median: Option<Duration>,
    limits: &PluginConfig,
    output: &mut Output,
) -> Result<(), Failure> {
    let verdict = judged.outcome();
    let detail = match &judged.result {
        Ok(Verdict::Replace(kind, data)) => {
            let kind = kind.as_deref().unwrap_or("the same media type");
            format!("{} bytes of {kind}: {}", data.len(), String::from_utf8_lossy(data))
        }
        _ => judged.reason().unwrap_or_default(),
    };
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    if output.format() == Format::Json {
        return output.json(&json!({
            "verdict": verdict,
            "detail": detail,
            "first_microseconds": micros(judged.duration),
            "median_microseconds": median.map(micros),
            "timeout_microseconds": micros(limits.timeout),
            "memory_bytes": judged.memory,
            "memory_limit_bytes": limits.memory,
        }));
    }
    output.line(format_args!("{verdict}{}{detail}", if detail.is_empty() { "" } else { ": " }))?;
    output.line(format_args!("time: {:?} the first call, of {:?}", judged.duration, limits.timeout))?;
    if let Some(median) = median {
        output.line(format_args!("      {median:?} the median of {WARM_CALLS} more"))?;
    }
    if let Some(memory) = judged.memory {
        output.line(format_args!("memory: {} of {}", bytes(memory), bytes(limits.memory)))?;
    }
    Ok(())
}

fn bytes(count: u64) -> String {
    ByteSize::b(count).display().iec().to_string()
}

/// Reads an event as it would be published.
fn event(file: &Path) -> Result<Published, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
    let text = input::read(file)?;
    let wrong = |why: &str| Failure::misuse(format_args!("{} is no event: {why}", file.display()));
    match publish::read(&headers, &text.into(), Sources::All, clock::now()) {
        Ok(Message::One(event)) => Ok(*event),
        Ok(Message::Batch(_)) | Err(Unreadable::Kind) => Err(wrong("give one CloudEvent as JSON")),
        Err(Unreadable::Syntax(why)) => Err(wrong(&why)),
        Err(Unreadable::Invalid(problems)) => {
            let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
            Err(wrong(&problems.join("; ")))
        }
    }
}

fn inspect(file: &Path, output: &mut Output) -> Result<Outcome, Failure> {
    let bytes = read_file(file).map_err(|error| Failure::misuse(format_args!("failed to read {error}")))?;
    let hash = hex::encode(Sha256::digest(&bytes));
    let sandbox = sandbox().map_err(|error| failure(file, &error))?;
    // What it needs is the question, and not what it gets by default.
    let limits = PluginConfig { memory: 1 << 30, ..PluginConfig::new("plugin", file) };
    let loaded = Plugin::load(&sandbox, limits);
    let (memory, (imports, exports), problem) = match loaded {
        Ok(plugin) => (Some(plugin.started_with()), plugin.names(), None),
        Err((_, error)) => {
            let names = sandbox.imports(&bytes).map_err(|error| failure(file, &error))?;
            (None, names, Some(error.to_string()))
        }
    };
    let contract = exports.iter().find_map(|name| name.strip_prefix("anglerfish:plugin/filter@"));
    let contract = contract.map(str::to_owned);
    let outcome = if problem.is_none() { Outcome::Fine } else { Outcome::Negative };
    if output.format() == Format::Json {
        output.json(&json!({
            "bytes": bytes.len(), "sha256": hash, "contract": contract, "memory_bytes": memory,
            "imports": imports, "exports": exports, "problem": problem,
        }))?;
        return Ok(outcome);
    }
    output.line(format_args!("size: {}", self::bytes(bytes.len() as u64)))?;
    if let Some(memory) = memory {
        output.line(format_args!("memory: {} before it is asked anything", self::bytes(memory)))?;
    }
    if let Some(contract) = contract {
        output.line(format_args!("contract: {contract}"))?;
    }
    output.line(format_args!("sha256: {hash}"))?;
    for (title, names) in [("imports", imports), ("exports", exports)] {
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        output.paragraph("", "    ", &format!("{title}: {names}"))?;
    }
    match problem {
        None => output.line("it is a plugin that this gateway runs")?,
        Some(problem) => {
            output.paragraph("", "    ", &format!("this gateway does not run it: it {problem}"))?
        }
    }
    Ok(outcome)
}
