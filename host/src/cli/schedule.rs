//! `anglerfish schedule`: every attempt that a policy would make.

use super::configuration::ConfigArgs;
use super::table::Table;
use super::{Failure, Format, Outcome, Output};
use crate::api::ScheduleDocument;
use anglerfish_core::config::{DeliveryConfig, DeliveryMode, RetryConfig, nearest, read_delivery};
use anglerfish_core::policy::plan;
use clap::Args;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The arguments of `schedule`.
#[derive(Debug, Args)]
#[command(after_help = "Without arguments it is the schedule of the default policy. Times are counted
from the first attempt, as if each failed at once and the endpoint asked for
nothing.

Examples:
  anglerfish schedule orders --config anglerfish.toml
  anglerfish schedule --delays 5s,5m,1h
  anglerfish schedule --backoff exponential --first 1s --max-delay 1h \\
    --max-attempts 12 --max-age 2days")]
pub(super) struct ScheduleArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// A subscription of the configuration
    #[arg(conflicts_with_all = [
        "delays", "backoff", "first", "step", "factor", "max_delay", "max_attempts", "max_age", "jitter",
    ])]
    subscription: Option<String>,
    /// The wait before each further attempt
    #[arg(long, value_name = "TIMES", value_delimiter = ',')]
    delays: Option<Vec<String>>,
    /// How waits grow: fixed, linear, arithmetic, exponential or geometric
    #[arg(long, value_name = "WORD")]
    backoff: Option<String>,
    /// The wait before the second attempt
    #[arg(long, value_name = "TIME")]
    first: Option<String>,
    /// How much longer each wait is, with arithmetic
    #[arg(long, value_name = "TIME")]
    step: Option<String>,
    /// How many times longer each wait is, with exponential or geometric
    #[arg(long, value_name = "NUMBER", value_parser = finite)]
    factor: Option<f64>,
    /// The longest wait, before jitter varies it
    #[arg(long, value_name = "TIME")]
    max_delay: Option<String>,
    /// How many attempts there are in all
    #[arg(long, value_name = "NUMBER")]
    max_attempts: Option<u32>,
    /// How old a delivery may be when it is attempted
    #[arg(long, value_name = "TIME")]
    max_age: Option<String>,
    /// How far each wait varies, as a fraction
    #[arg(long, value_name = "NUMBER", value_parser = finite)]
    jitter: Option<f64>,
}

/// Runs the command.
pub(super) fn run(args: &ScheduleArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let policy = match &args.subscription {
        Some(id) => of_subscription(id, &args.config)?,
        None => of_flags(args)?,
    };
    match output.format() {
        Format::Json => output.json(&json!(ScheduleDocument::of(&policy)))?,
        Format::Text if policy.mode == DeliveryMode::Stream => {
            output.line("no attempts: a stream is read by its subscribers, and nothing is delivered")?;
        }
        Format::Text => write(&policy.retry, output)?,
    }
    Ok(Outcome::Fine)
}

fn of_subscription(id: &str, config: &ConfigArgs) -> Result<DeliveryConfig, Failure> {
    let config = config.load()?;
    let mut subscriptions = config.document.subscriptions.iter().map(|(_, subscription)| subscription);
    if let Some(found) = subscriptions.clone().find(|subscription| subscription.id == id) {
        return Ok(found.delivery.clone());
    }
    let failure = Failure::misuse(format_args!("the configuration has no subscription `{id}`"));
    Err(match nearest(id, subscriptions.by_ref().map(|subscription| subscription.id.as_str())) {
        Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
        None => failure,
    })
}

fn of_flags(args: &ScheduleArgs) -> Result<DeliveryConfig, Failure> {
    let mut retry = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            retry.insert(key.to_owned(), value);
        }
    };
    put("delays", args.delays.as_ref().map(|delays| json!(delays)));
    put("backoff", args.backoff.as_ref().map(|word| json!(word)));
    put("first", args.first.as_ref().map(|time| json!(time)));
    put("step", args.step.as_ref().map(|time| json!(time)));
    put("factor", args.factor.map(|number| json!(number)));
    put("max_delay", args.max_delay.as_ref().map(|time| json!(time)));
    put("max_attempts", args.max_attempts.map(|number| json!(number)));
    put("max_age", args.max_age.as_ref().map(|time| json!(time)));
    put("jitter", args.jitter.map(|number| json!(number)));
    let written = json!({ "retry": retry });
    // The words of the configuration: what is tried here is what is written there.
    read_delivery(&written, "").map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let failure = Failure::misuse(lines.join("; "));
        match problems.into_iter().find_map(|problem| problem.hint) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}

fn write(retry: &RetryConfig, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(["ATTEMPT", "WAIT", "AT", "EARLIEST", "LATEST"]);
    for planned in plan(retry) {
        let times = [planned.wait, planned.at, planned.earliest, planned.latest].map(words);
        let [wait, at, earliest, latest] = times;
        table.row([planned.number.to_string(), wait, at, earliest, latest]);
    }
    table.write(output)?;
    match retry.max_age {
        Some(age) => output.line(format_args!("no attempt later than {} after the event", words(age))),
        None => Ok(()),
    }
}

/// A number that JSON has too: it knows no others.
fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| "expected a number such as 1.5".to_owned())
}

/// A duration as the configuration has them, as fine as one reads it. Days are the longest unit: months and years are means.
fn words(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let unit = if duration < Duration::from_secs(10) { 1 } else { 1000 };
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let millis = millis.saturating_add(unit / 2) / unit * unit;
    let days = match millis / DAY {
        0 => return humantime::format_duration(Duration::from_millis(millis)).to_string(),
        1 => "1day".to_owned(),
        days => format!("{days}days"),
    };
    match millis % DAY {
        0 => days,
        rest => format!("{days} {}", humantime::format_duration(Duration::from_millis(rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_days_at_most() {
        for (seconds, said) in [
            (5, "5s"),
            (86_400, "1day"),
            (90_000, "1day 1h"),
            (60 * 86_400, "60days"),
            (59 * 86_400 + 13 * 3600, "59days 13h"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), said);
        }
        assert_eq!(words(Duration::from_millis(1_250)), "1s 250ms");
    }

    #[test]
    fn a_number_is_a_finite_one() {
        assert_eq!(finite("1.5"), Ok(1.5));
        for text in ["NaN", "inf", "-inf", "two", ""] {
            assert!(finite(text).is_err(), "{text}");
        }
    }
}
