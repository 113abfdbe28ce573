//! `anglerfish check`: every problem of a configuration at once.

use super::command::say;
use super::configuration::ConfigArgs;
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use crate::config::{ConfigError, ConfigProblem};
use crate::delivery::{no_flows, no_function};
use crate::gateway::{Config, Examination};
use anglerfish_core::config::{DeliveryMode, SubscriptionConfig, key_path};
use anglerfish_core::problem::Problem;
use anglerfish_core::router::{Router, RoutingDocument};
use anglerfish_filter::table::Class;
use clap::Args;
use serde_json::json;
use std::collections::HashMap;

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish check --config anglerfish.toml
  anglerfish check --format json | jq '.problems[].message'
  anglerfish check --strict

Exit codes: 0 no problem, 2 problems")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Treat warnings as problems
    #[arg(long)]
    strict: bool,
}

/// A configuration without problems, and how its filters are found.
struct Checked {
    config: Config,
    classes: HashMap<String, Class>,
}

/// Runs the command.
pub(super) fn run(args: &CheckArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let file = args.config.file();
    let Examination { result, mut warnings } = args.config.examine();
    let checked = match result.and_then(without_functions).and_then(check) {
        Ok(_) if args.strict && !warnings.is_empty() => {
            Err(ConfigError::Invalid(std::mem::take(&mut warnings)))
        }
        checked => checked,
    };
    match (checked, output.format()) {
        (Ok(checked), Format::Json) => output.json(&summary(&checked, &warnings, &file))?,
        (Ok(checked), Format::Text) => {
            write_summary(&checked, warnings.len(), &file, output)?;
            tell(&warnings);
        }
        (Err(ConfigError::Invalid(problems)), Format::Json) => {
            output.json(&json!({"ok": false, "problems": problems, "warnings": warnings}))?;
            return Err(ConfigError::Invalid(problems).into());
        }
        (Err(error), _) => {
            tell(&warnings);
            return Err(error.into());
        }
    }
    Ok(Outcome::Fine)
}

/// Says on stderr what is no problem and should be seen.
fn tell(warnings: &[ConfigProblem]) {
    for warning in warnings {
        say("", 0, &warning.as_warning().to_string());
        if let Some(hint) = &warning.hint {
            say("", 0, &format!("hint: {hint}"));
        }
    }
}

/// This program has neither functions nor flows: `serve` would refuse a subscription that wants one.
fn without_functions(config: Config) -> Result<Config, ConfigError> {
    let subscriptions = config.document.subscriptions.iter();
    let wanted = subscriptions.filter(|(_, read)| read.delivery.mode == DeliveryMode::Function);
    let problem = |(path, read): &(String, SubscriptionConfig)| {
        let problem = if read.flow.is_some() { no_flows() } else { no_function() };
        Problem { path: key_path(path, &problem.path), ..problem }
    };
    let problems: Vec<Problem> = wanted.map(problem).collect();
    if problems.is_empty() { Ok(config) } else { Err(config.locate(problems)) }
}

/// Looks for what only the router sees.
fn check(config: Config) -> Result<Checked, ConfigError> {
    let document = serde_json::json!(RoutingDocument::from(&config.document)).to_string();
    match Router::load(document.as_bytes()) {
        Ok(router) => {
            let classes = router.classes().map(|(id, class)| (id.to_owned(), class)).collect();
            Ok(Checked { config, classes })
        }
        Err(problems) => Err(config.locate(problems)),
    }
}

fn summary(checked: &Checked, warnings: &[ConfigProblem], file: &str) -> serde_json::Value {
    let document = &checked.config.document;
    let sources = document.sources.iter().map(|(_, source)| {
        json!({
            "name": source.name,
            "scheme": source.verification.scheme,
            "secrets": source.verification.secrets.len(),
        })
    });
    let subscriptions = document.subscriptions.iter().map(|(_, subscription)| {
        let (matching, conditions) = match checked.classes.get(&subscription.id) {
            Some(Class::Indexed(conditions)) => ("indexed", conditions.as_slice()),
            Some(Class::Scanned) => ("scanned", [].as_slice()),
            Some(Class::Never) => ("never", [].as_slice()),
            None => ("unknown", [].as_slice()),
        };
        json!({
            "id": subscription.id,
            "sources": subscription.sources,
            "filter": subscription.filter,
            "matching": matching,
            "conditions": conditions,
            "mode": subscription.delivery.mode.name(),
            "signed": subscription.endpoint.as_ref().is_some_and(|endpoint| !endpoint.secrets.is_empty()),
        })
    });
    json!({
        "ok": true,
        "file": file,
        "sources": sources.collect::<Vec<_>>(),
        "subscriptions": subscriptions.collect::<Vec<_>>(),
        "problems": [],
        "warnings": warnings,
    })
}

fn write_summary(checked: &Checked, warnings: usize, file: &str, output: &mut Output) -> Result<(), Failure> {
    let document = &checked.config.document;
    match warnings {
        0 => output.line(format_args!("{file} is fine"))?,
        some => output.line(format_args!("{file} is fine, with {}", count(some, "warning")))?,
    }
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
    let (mut scanned, mut never) = (Vec::new(), Vec::new());
    for (_, subscription) in &document.subscriptions {
        let sources = match subscription.sources.as_slice() {
            [] => "all sources".to_owned(),
            sources => sources.join(", "),
        };
        let filter = subscription.filter.as_deref().unwrap_or("every event");
        output.paragraph("  ", "    ", &format!("{}: {sources}: {filter}", subscription.id))?;
        match checked.classes.get(&subscription.id) {
            Some(Class::Scanned) if subscription.filter.is_some() => scanned.push(subscription.id.as_str()),
            Some(Class::Never) => never.push(subscription.id.as_str()),
            _ => {}
        }
    }
    if !scanned.is_empty() {
        let filters = count(scanned.len(), "filter");
        let said = format!("{filters} looked at for every event: {}", scanned.join(", "));
        output.paragraph("", "    ", &said)?;
    }
    if !never.is_empty() {
        let said = format!("{} never true: {}", count(never.len(), "filter"), never.join(", "));
        output.paragraph("", "    ", &said)?;
    }
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
