//! `anglerfish check`: every problem of a configuration at once.

use super::configuration::ConfigArgs;
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use crate::config::{Config, ConfigError};
use clap::Args;
use serde_json::json;

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish check --config anglerfish.toml
  anglerfish check --format json | jq '.problems[].message'

Exit codes: 0 no problem, 2 problems")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub(super) fn run(args: &CheckArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let checked = args.config.load().and_then(|config| match config.filter_problems() {
        problems if problems.is_empty() => Ok(config),
        problems => Err(config.locate(problems)),
    });
    match (checked, output.format()) {
        (Ok(config), Format::Json) => output.json(&summary(&config, &args.config.file()))?,
        (Ok(config), Format::Text) => write_summary(&config, &args.config.file(), output)?,
        (Err(ConfigError::Invalid(problems)), Format::Json) => {
            output.json(&json!({"ok": false, "problems": problems}))?;
            return Err(ConfigError::Invalid(problems).into());
        }
        (Err(error), _) => return Err(error.into()),
    }
    Ok(Outcome::Fine)
}

fn summary(config: &Config, file: &str) -> serde_json::Value {
    let sources: Vec<_> = config
        .document
        .sources
        .iter()
        .map(|(_, source)| {
            json!({
                "name": source.name,
                "scheme": source.verification.scheme,
                "secrets": source.verification.secrets.len(),
            })
        })
        .collect();
    let subscriptions: Vec<_> = config
        .document
        .subscriptions
        .iter()
        .map(|(_, subscription)| {
            json!({
                "id": subscription.id,
                "sources": subscription.sources,
                "filter": subscription.filter,
                "signed": !subscription.endpoint.secrets.is_empty(),
            })
        })
        .collect();
    json!({"ok": true, "file": file, "sources": sources, "subscriptions": subscriptions, "problems": []})
}

fn write_summary(config: &Config, file: &str, output: &mut Output) -> Result<(), Failure> {
    let document = &config.document;
    output.line(format_args!("{file} is fine"))?;
    output.line(count(document.sources.len(), "source"))?;
    for (_, source) in &document.sources {
        let verification = &source.verification;
        let secrets = match verification.secrets.len() {
            0 => String::new(),
            number => format!(", {}", count(number, "secret")),
        };
        output.line(format_args!("  {}: {}{secrets}", source.name, plain(&verification.scheme)))?;
    }
    output.line(count(document.subscriptions.len(), "subscription"))?;
    for (_, subscription) in &document.subscriptions {
        let sources = match subscription.sources.as_slice() {
            [] => "all sources".to_owned(),
            sources => sources.join(", "),
        };
        let filter = subscription.filter.as_deref().map_or("every event".to_owned(), plain);
        output.line(format_args!("  {}: {sources}: {filter}", subscription.id))?;
    }
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
