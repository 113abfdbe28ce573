//! `anglerfish reload`: lets a running gateway read its configuration again.

use super::client::ApiArgs;
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use clap::Args;
use serde_json::Value;

/// The arguments of `reload`.
#[derive(Debug, Args)]
#[command(after_help = "The configuration is checked as a whole. If it has a problem, the gateway
goes on by the one that it has, and this command tells each of them.
Sending the process SIGHUP does the same; then its log tells.")]
pub(super) struct ReloadArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only say how the last reload ended
    #[arg(long)]
    status: bool,
}

/// Runs the command.
pub(super) async fn run(args: ReloadArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let client = args.api.client()?;
    let status: Value = if args.status {
        client.get(&["config", "status"], &[]).await?
    } else {
        client.post(&["config", "reload"], &[], None).await?
    };
    let applied = status["last"]["outcome"].as_str().is_none_or(|outcome| outcome == "applied");
    if output.format() == Format::Json {
        output.json(&status)?;
        return Ok(Outcome::of(applied));
    }
    output.line(format_args!(
        "configuration {} of {}",
        status["generation"],
        plain(status["file"].as_str().unwrap_or_default())
    ))?;
    for change in texts(&status["last"]["changes"]) {
        output.line(format_args!("  {}", plain(change)))?;
    }
    for key in texts(&status["needs_restart"]) {
        output.line(format_args!("  {} takes effect with the next start", plain(key)))?;
    }
    if !applied {
        let error = status["last"]["error"].as_str().unwrap_or("the last reload was refused");
        output.line(format_args!("{}", plain(error)))?;
        for problem in status["last"]["problems"].as_array().into_iter().flatten() {
            let part = |name: &str| problem[name].as_str().unwrap_or_default();
            output.line(format_args!("  {}: {}", plain(part("key")), plain(part("message"))))?;
        }
    }
    Ok(Outcome::of(applied))
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
