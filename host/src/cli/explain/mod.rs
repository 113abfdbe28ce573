//! `anglerfish explain`: what the component would decide about a request, and why.

mod plugins;

use super::configuration::ConfigArgs;
use super::request_file::{self, Defaults};
use super::table::plain;
use super::{Failure, Format, Outcome, Output, input};
use crate::cli::clock;
use crate::engine::{Engine, EngineConfig, InboundRequest, StartError};
use crate::gateway::Config;
use crate::plugin::PluginVerdict;
use anglerfish_core::config::nearest;
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{
    ExplainedPart, Explanation, RoutingDocument, Verdict, VerdictOutcome, VerificationOutcome,
};
use clap::Args;
use plugins::{Judgements, Judges};
use serde::Serialize;
use serde_json::json;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// The arguments of `explain`.
#[derive(Debug, Args)]
#[command(
    after_help = "The request is {\"method\", \"url\", \"headers\": {…}, \"body\"} with \"body_base64\"
for a body that is not text. What it leaves out is POST,
http://localhost/in/SOURCE, no header field and an empty body.

Examples:
  anglerfish explain --source shop --request request.json
  anglerfish explain --request - < requests.jsonl

With `--request -` each line of stdin is one request, which may also name its
own \"source\" and \"now\", and each gets one line of JSON in answer.

Exit codes: 0 verified or answered, 1 rejected (any of many), 2 misuse"
)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The source that the request came in through
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The request as JSON; `-` reads one per line from stdin
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// When the request was received, in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIX_SECONDS")]
    now: Option<u64>,
}

/// Runs the command.
pub(super) async fn run(args: ExplainArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let config = args.config.load()?;
    if let Some(source) = &args.source {
        check_source(&config, source)?;
    }
    let lines = args.request == Path::new("-");
    let single = if lines { None } else { Some(input::read(&args.request)?) };
    let defaults = Defaults {
        source: args.source.clone(),
        now: args.now.map_or_else(clock::now, UnixMillis::from_seconds),
    };
    let explainer = Explainer { engine: start(&config)?, judges: Judges::load(&config)? };
    let Some(text) = single else {
        return explain_lines(&explainer, &defaults, args.now.is_none(), output).await;
    };
    let request = request_file::read(&text, false, &defaults).map_err(|problems| {
        let failure = not_a_request(&args.request, &problems);
        if args.source.is_none() { failure.with_hint("name the source with --source NAME") } else { failure }
    })?;
    let explained = explainer.explain(request).await?;
    match output.format_for_programs() {
        Format::Json => output.json(&document(&explained))?,
        Format::Text => write(&explained, output)?,
    }
    Ok(Outcome::of(holds(&explained.explanation)))
}

/// What explains requests.
struct Explainer {
    engine: Engine,
    judges: Judges,
}

/// What would be decided about a request, and what plugins would say of its events then.
struct Explained {
    explanation: Explanation,
    judgements: Judgements,
}

impl Explainer {
    async fn explain(&self, request: InboundRequest) -> Result<Explained, Failure> {
        let explanation = self.engine.explain(request.clone()).await;
        let explanation = explanation
            .map_err(|error| Failure::failed(format_args!("failed to explain the request: {error}")))?;
        let judgements = self.judges.judge(&request, &explanation).await;
        Ok(Explained { explanation, judgements })
    }
}

async fn explain_lines(
    explainer: &Explainer,
    defaults: &Defaults,
    clock_runs: bool,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let mut fine = true;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Failure::failed(format_args!("failed to read stdin: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let now = if clock_runs { clock::now() } else { defaults.now };
        match request_file::read(&line, true, &Defaults { now, ..defaults.clone() }) {
            Ok(request) => {
                let explained = explainer.explain(request).await?;
                fine &= holds(&explained.explanation);
                output.json(&document(&explained))?;
            }
            Err(problems) => {
                fine = false;
                let said: Vec<String> = problems.iter().map(request_file::say).collect();
                output.json(&json!({"error": said.join("; ")}))?;
            }
        }
        output.flush()?;
    }
    Ok(Outcome::of(fine))
}

/// An engine with the configuration and no state: nothing was accepted before. It uses the gateway's compiled component
/// where there is one, and otherwise leaves the data directory alone.
fn start(config: &Config) -> Result<Engine, Failure> {
    let cache = config.server.data_dir.join("cache");
    let options = EngineConfig {
        workers: 1,
        cache: Some(cache).filter(|directory| directory.is_dir()),
        memory: usize::try_from(config.server.memory_limit).unwrap_or(usize::MAX),
        ..EngineConfig::default()
    };
    Engine::start_without_state(RoutingDocument::from(&config.document), &options).map_err(
        |error| match error {
            StartError::Problems(problems) => config.locate(problems).into(),
            error => Failure::failed(format_args!("failed to start the component: {error}")),
        },
    )
}

fn check_source(config: &Config, name: &str) -> Result<(), Failure> {
    let names = || config.document.sources.iter().map(|(_, source)| source.name.as_str());
    if names().any(|known| known == name) {
        return Ok(());
    }
    let failure = Failure::misuse(format_args!("there is no source {name:?} in the configuration"));
    Err(match nearest(name, names()) {
        Some(near) => failure.with_hint(format_args!("did you mean {near:?}?")),
        None => {
            failure.with_hint(format_args!("its sources are: {}", names().collect::<Vec<_>>().join(", ")))
        }
    })
}

fn not_a_request(file: &Path, problems: &[Problem]) -> Failure {
    let file = file.display();
    match problems {
        [only] => Failure::misuse(format_args!("{file}: {}", request_file::say(only))),
        several => {
            let said: Vec<String> =
                several.iter().map(|problem| format!("\n  {}", request_file::say(problem))).collect();
            Failure::misuse(format_args!("{file} is not a request:{}", said.concat()))
        }
    }
}

fn holds(explanation: &Explanation) -> bool {
    matches!(explanation.verification.outcome, VerificationOutcome::Verified | VerificationOutcome::Answered)
}

fn outcome(outcome: VerificationOutcome) -> &'static str {
    match outcome {
        VerificationOutcome::Verified => "verified",
        VerificationOutcome::Rejected => "rejected",
        VerificationOutcome::Answered => "answered",
        VerificationOutcome::Pending => "pending",
    }
}

fn verdict(outcome: VerdictOutcome) -> &'static str {
    match outcome {
        VerdictOutcome::Match => "match",
        VerdictOutcome::NoMatch => "no-match",
        VerdictOutcome::Error => "error",
    }
}

/// What programs read, in this order.
#[derive(Serialize)]
struct JsonExplanation<'a> {
    verification: JsonVerification<'a>,
    event: Option<JsonEvent<'a>>,
    subscriptions: Vec<JsonSubscription<'a>>,
    /// The events of a batch that the source splits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<JsonPart<'a>>,
}

#[derive(Serialize)]
struct JsonPart<'a> {
    event: JsonEvent<'a>,
    duplicate: bool,
    subscriptions: Vec<JsonSubscription<'a>>,
}

#[derive(Serialize)]
struct JsonVerification<'a> {
    outcome: &'static str,
    scheme: &'a str,
    reason: &'a str,
    /// What was tried, one after the other.
    steps: &'a [String],
}

#[derive(Serialize)]
struct JsonEvent<'a> {
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: Option<&'a str>,
    time: Option<String>,
    datacontenttype: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonSubscription<'a> {
    id: &'a str,
    outcome: &'static str,
    reason: &'a str,
    /// What its plugins say, of an event that it wants.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    plugins: &'a [PluginVerdict],
}

fn document(Explained { explanation, judgements }: &Explained) -> JsonExplanation<'_> {
    let verification = &explanation.verification;
    let parts = explanation.parts.iter().enumerate().map(|(position, part)| JsonPart {
        event: told_event(&part.event),
        duplicate: part.duplicate,
        subscriptions: told_subscriptions(position, &part.subscriptions, judgements),
    });
    JsonExplanation {
        verification: JsonVerification {
            outcome: outcome(verification.outcome),
            scheme: &verification.scheme,
            reason: &verification.reason,
            steps: &verification.steps,
        },
        event: explanation.event.as_ref().map(told_event),
        subscriptions: told_subscriptions(0, &explanation.subscriptions, judgements),
        parts: parts.collect(),
    }
}

fn told_event(event: &Event) -> JsonEvent<'_> {
    JsonEvent {
        id: &event.id,
        source: &event.source,
        kind: &event.kind,
        subject: event.subject.as_deref(),
        time: event.time.rfc3339(),
        datacontenttype: event.datacontenttype.as_deref(),
    }
}

fn told_subscriptions<'a>(
    position: usize,
    verdicts: &'a [Verdict],
    judgements: &'a Judgements,
) -> Vec<JsonSubscription<'a>> {
    { verdicts.iter() }
        .map(|said| JsonSubscription {
            id: &said.subscription,
            outcome: verdict(said.outcome),
            reason: &said.reason,
            plugins: judgements.of(position, &said.subscription),
        })
        .collect()
}

fn write(explained: &Explained, output: &mut Output) -> Result<(), Failure> {
    let Explained { explanation, judgements } = explained;
    let verification = &explanation.verification;
    let said = outcome(verification.outcome);
    let said = format!("{said} ({}): {}", verification.scheme, verification.reason);
    output.paragraph("", "    ", &said)?;
    for step in &verification.steps {
        output.paragraph("  ", "    ", step)?;
    }
    if let Some(event) = &explanation.event {
        let again = if explanation.duplicate { ", accepted before" } else { "" };
        output.line(format_args!("event {}{again}", named(event)))?;
    }
    write_verdicts("", &told_subscriptions(0, &explanation.subscriptions, judgements), output)?;
    for (position, ExplainedPart { event, duplicate, subscriptions, .. }) in
        explanation.parts.iter().enumerate()
    {
        let again = if *duplicate { ", accepted before" } else { "" };
        output.line(format_args!("part {position}: event {}{again}", named(event)))?;
        write_verdicts("  ", &told_subscriptions(position, subscriptions, judgements), output)?;
    }
    Ok(())
}

/// What an event is called by: what filters see as `event.id`, `event.type` and `source`.
fn named(event: &Event) -> String {
    format!("{} of type {} from source {}", plain(&event.id), plain(&event.kind), plain(&event.source))
}

fn write_verdicts(
    indent: &str,
    verdicts: &[JsonSubscription<'_>],
    output: &mut Output,
) -> Result<(), Failure> {
    for JsonSubscription { id, outcome, reason, plugins } in verdicts {
        output.paragraph(indent, "    ", &format!("{id}: {outcome}: {reason}"))?;
        for verdict in *plugins {
            output.paragraph(&format!("{indent}  "), "    ", &plugins::told(verdict))?;
        }
    }
    Ok(())
}
