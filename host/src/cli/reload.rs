//! `anglerfish reload`: lets a running gateway read its configuration again.

use super::client::ApiArgs;
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

/// The arguments of `reload`.
#[derive(Debug, Args)]
#[command(after_help = "The configuration is checked as a whole. If it has a problem, the gateway
goes on by the one that it has, and this command tells each of them.
Sending the process SIGHUP does the same; then its log tells.

Exit codes: 0 in use, 1 something else failed, 2 the configuration has problems")]
pub(super) struct ReloadArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only say how the last reload ended
    #[arg(long)]
    status: bool,
}

/// What is shown of the configuration in use.
#[derive(Debug, Deserialize)]
struct Status {
    file: String,
    generation: u64,
    needs_restart: Vec<String>,
    last: Option<Report>,
}

/// What is shown of the last attempt to change it.
#[derive(Debug, Deserialize)]
struct Report {
    outcome: String,
    error: Option<String>,
    #[serde(default)]
    problems: Vec<Place>,
    #[serde(default)]
    changes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Place {
    #[serde(default)]
    key: String,
    message: String,
}

/// Runs the command.
pub(super) async fn run(args: ReloadArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let client = args.api.client()?;
    let answer: Value = if args.status {
        client.get(&["config", "status"], &[]).await?
    } else {
        client.post(&["config", "reload"], &[], None).await?
    };
    let status = Status::deserialize(&answer)
        .map_err(|error| Failure::failed(format_args!("the answer is not understood: {error}")))?;
    let outcome = match status.last.as_ref().map(|last| last.outcome.as_str()) {
        None | Some("applied") => Outcome::Fine,
        Some("refused") => Outcome::Misconfigured,
        Some(_) => Outcome::Negative,
    };
    if output.format() == Format::Json {
        output.json(&answer)?;
    } else {
        show(&status, output)?;
    }
    Ok(outcome)
}

fn show(status: &Status, output: &mut Output) -> Result<(), Failure> {
    output.line(format_args!("configuration {} of {}", status.generation, plain(&status.file)))?;
    if let Some(last) = &status.last {
        for change in &last.changes {
            output.paragraph("  ", "    ", change)?;
        }
        if last.outcome != "applied" {
            let said = last.error.as_deref().unwrap_or("it has problems");
            output.paragraph("", "    ", &format!("the last reload changed nothing: {said}"))?;
        }
        for Place { key, message } in &last.problems {
            let said = if key.is_empty() { message.clone() } else { format!("{key}: {message}") };
            output.paragraph("  ", "    ", &said)?;
        }
    }
    for key in &status.needs_restart {
        output.line(format_args!("  {} takes effect with the next start", plain(key)))?;
    }
    Ok(())
}
