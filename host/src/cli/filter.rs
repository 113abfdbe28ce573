//! `anglerfish filter`: filters without a gateway.

use super::command::say;
use super::{Failure, Format, Outcome, Output, input};
use crate::cli::clock;
use anglerfish_core::config::{DataTemplate, Node, OrderingConfig, Problems};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::{Header, UnixMillis};
use anglerfish_core::router::{
    RenderConfig, RoutingSubscription, VerdictOutcome, explain_once, render_once, review_filter,
};
use anglerfish_filter::table::{Class, RuleKey, Table};
use anglerfish_filter::{Expression, conformance};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The arguments of `filter`.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is wrong or odd in a filter, and how it is found
    Check(CheckArgs),
    /// Say whether a filter matches an event, and why
    Test(TestArgs),
    /// Run a file of the CEL conformance suite
    #[command(hide = true)]
    Conformance(ConformanceArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Which sources there are is not looked at; `anglerfish check` does that for the
filters of a configuration.

Examples:
  anglerfish filter check 'message.quantity > 0 && event.type == \"order\"'
  anglerfish filter check 'headers.exists(n, n == \"X-A\")' --strict

Exit codes: 0 it can be used, 2 it cannot, or --strict and there are warnings")]
struct CheckArgs {
    /// The filter, in CEL
    expression: String,
    /// Treat warnings as problems
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "The event is {\"event\": {…}, \"message\": …, \"headers\": {…}}: what filters see;
or {\"event\": {…}} with the message as its `data`, as the management API takes
it. Attributes of the event that are left out have stand-ins.

Examples:
  echo '{\"message\": {\"quantity\": 3}}' > event.json
  anglerfish filter test 'message.quantity > 0' --event event.json
  anglerfish filter test true --transform '{\"n\": message.quantity}' --event event.json
  anglerfish filter test true --data 'n={{ message.quantity }}' --event event.json

Exit codes: 0 match, 1 no match or an error, also of the transform, 2 misuse")]
struct TestArgs {
    /// The filter, in CEL
    expression: String,
    /// The event as JSON; `-` is stdin
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// Also say what this CEL expression, a subscription's `delivery.transform`, would have sent
    #[arg(long, value_name = "EXPRESSION")]
    transform: Option<String>,
    /// Also say what this text, an endpoint's `data`, would have been
    #[arg(long, value_name = "TEXT", conflicts_with = "transform")]
    data: Option<String>,
    /// What `content-type` of the endpoint's header fields says of --data
    #[arg(long, value_name = "TYPE", requires = "data")]
    content_type: Option<String>,
}

#[derive(Debug, Args)]
struct ConformanceArgs {
    /// The cases as JSON
    file: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: FilterArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::Check(args) => check(&args, output),
        Command::Test(args) => test(&args, output),
        Command::Conformance(args) => conform(&args.file, output),
    }
}

fn check(args: &CheckArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let expression = match Expression::compile(&args.expression) {
        Ok(expression) => expression,
        Err(error) => {
            if output.format() == Format::Json {
                let problem = |one: &anglerfish_filter::Problem| json!({"line": one.line, "column": one.column, "message": one.message});
                let problems: Vec<Value> = error.problems.iter().map(problem).collect();
                output.json(&json!({"ok": false, "problems": problems, "warnings": []}))?;
            }
            return Err(Failure::misuse(format_args!("the filter does not compile\n{error}")));
        }
    };
    let warnings = review_filter(&of_no_source(&args.expression), &[]);
    let mut table = Table::new();
    table.insert(RuleKey(0), &expression, None);
    let (matching, conditions) = match table.class(RuleKey(0)) {
        Some(Class::Indexed(conditions)) => ("indexed", conditions),
        Some(Class::Never) => ("never", Vec::new()),
        _ => ("scanned", Vec::new()),
    };
    let reads: Vec<String> = expression.paths().iter().map(ToString::to_string).collect();
    let refused = args.strict && !warnings.is_empty();
    match output.format() {
        Format::Json => output.json(&json!({
            "ok": !refused, "matching": matching, "conditions": conditions, "reads": reads,
            "problems": [], "warnings": warnings,
        }))?,
        Format::Text => {
            match warnings.len() {
                0 => output.line("the filter is fine")?,
                1 => output.line("the filter is fine, with 1 warning")?,
                many => output.line(format_args!("the filter is fine, with {many} warnings"))?,
            }
            output.paragraph(
                "  reads  ",
                "         ",
                &if reads.is_empty() { "nothing".to_owned() } else { reads.join(", ") },
            )?;
            match matching {
                "indexed" => {
                    for (position, condition) in conditions.iter().enumerate() {
                        output.paragraph(
                            if position == 0 { "  found by  " } else { "        or  " },
                            "            ",
                            condition,
                        )?;
                    }
                }
                "never" => output.line("  never true")?,
                _ => output.line("  looked at for every event")?,
            }
            for Problem { message, hint, line, column, .. } in &warnings {
                let place = match (line, column) {
                    (Some(line), Some(column)) => format!("line {line}, column {column}: "),
                    _ => String::new(),
                };
                say("", 0, &format!("warning: {place}{message}"));
                if let Some(hint) = hint {
                    say("", 0, &format!("hint: {hint}"));
                }
            }
        }
    }
    Ok(if refused { Outcome::Misconfigured } else { Outcome::Fine })
}

/// The filter of a subscription that listens to whatever there is.
fn of_no_source(filter: &str) -> RoutingSubscription {
    RoutingSubscription {
        id: "filter".to_owned(),
        sources: Vec::new(),
        filter: Some(filter.to_owned()),
        ordering: OrderingConfig::None,
        render: RenderConfig::default(),
        interest: None,
    }
}

fn test(args: &TestArgs, output: &mut Output) -> Result<Outcome, Failure> {
    if let Err(error) = Expression::compile(&args.expression) {
        return Err(Failure::misuse(format_args!("the filter does not compile\n{error}")));
    }
    let sample = Sample::of_file(&args.event)?;
    let subscription = of_no_source(&args.expression);
    let now = clock::now();
    let headers: Vec<Header<'_>> =
        sample.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    let verdict =
        explain_once(&subscription, &sample.event, &headers, &sample.data, now).map_err(|problems| {
            Failure::misuse(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
    let outcome = match verdict.outcome {
        VerdictOutcome::Match => "match",
        VerdictOutcome::NoMatch => "no-match",
        VerdictOutcome::Error => "error",
    };
    let what = if args.data.is_some() { "data" } else { "transform" };
    let data = args.data.as_ref().map(|text| DataTemplate::of(text, args.content_type.as_deref()));
    let data = data.transpose().map_err(|problem| Failure::misuse(format_args!("the data {problem}")))?;
    let data = data.map(|template| template.pieces).unwrap_or_default();
    let render = RenderConfig { transform: args.transform.clone(), data, ..RenderConfig::default() };
    let rendered = render_once(&render, &sample.event, &headers, &sample.data, now).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::misuse(format_args!("the {what} does not compile\n{}", lines.join("\n")))
    })?;
    let sent = match verdict.outcome {
        VerdictOutcome::Match => {
            rendered.map(|made| made.body.map(|body| String::from_utf8_lossy(&body).into_owned()))
        }
        // Nothing is made of what is not wanted.
        VerdictOutcome::NoMatch | VerdictOutcome::Error => Ok(None),
    };
    match output.format() {
        Format::Json => {
            // What is written is JSON; a text of it keeps every digit.
            let sent_text = sent.as_ref().ok().and_then(Option::as_deref);
            let mut document = json!({"outcome": outcome, "reason": verdict.reason});
            let is_made = args.transform.is_some() || args.data.is_some();
            if let Some(members) = document.as_object_mut().filter(|_| is_made) {
                members.insert("sent".to_owned(), json!(sent_text));
                members.insert(format!("{what}_error"), json!(sent.as_ref().err()));
            }
            output.json(&document)?;
        }
        Format::Text => {
            output.paragraph("", "    ", &format!("{outcome}: {}", verdict.reason))?;
            match &sent {
                Ok(None) => {}
                Ok(Some(sent)) => output.line(format_args!("sent: {sent}"))?,
                Err(reason) => output.paragraph("", "    ", &format!("{what}: {reason}"))?,
            }
        }
    }
    Ok(Outcome::of(verdict.outcome == VerdictOutcome::Match && sent.is_ok()))
}

/// What a filter sees.
pub(super) struct Sample {
    event: Event,
    headers: Vec<(String, String)>,
    data: Vec<u8>,
}

impl Sample {
    /// Reads a sample from a file.
    pub(super) fn of_file(file: &Path) -> Result<Self, Failure> {
        Self::read(&input::read(file)?)
            .map_err(|reason| Failure::misuse(format_args!("{}: {reason}", file.display())))
    }

    /// The sample as the management API takes an event that is written out.
    pub(super) fn document(&self) -> Value {
        let headers: BTreeMap<&str, &str> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        json!({
            "id": self.event.id,
            "source": self.event.source,
            "type": self.event.kind,
            "subject": self.event.subject,
            "time": self.event.time.rfc3339(),
            "datacontenttype": self.event.datacontenttype,
            "headers": headers,
            "data_base64": STANDARD.encode(&self.data),
        })
    }

    fn read(text: &str) -> Result<Self, String> {
        let (value, message) = apart(text).map_err(|error| format!("not JSON: {error}"))?;
        let problems = Problems::default();
        let sample = Self::from_node(&Node::root(&value, "", &problems), message);
        let problems: Vec<String> = problems
            .into_vec()
            .iter()
            .map(|problem| {
                let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                format!("{}{hint}", problem.to_string().trim_start_matches(": "))
            })
            .collect();
        sample.filter(|_| problems.is_empty()).ok_or_else(|| problems.join("; "))
    }

    fn from_node(root: &Node<'_>, mut data: Vec<u8>) -> Option<Self> {
        let mut headers = Vec::new();
        let table = root.table(&["event", "message", "headers"])?;
        let mut event = Event {
            id: "evt_1".to_owned(),
            source: "test".to_owned(),
            kind: "test".to_owned(),
            subject: None,
            time: clock::now(),
            datacontenttype: Some("application/json".to_owned()),
            ..Event::default()
        };
        if let Some(node) = table.get("event") {
            let attributes = node.table(ATTRIBUTES)?;
            if let Some(written) = attributes.get("headers") {
                headers.extend(fields(&written)?);
            }
            if let Some(written) = attributes.get("data") {
                if !data.is_empty() {
                    written.report("there is `message` as well; give one of them");
                }
                data = written.value().to_string().into_bytes();
            }
            if let Some(written) = attributes.get("data_base64") {
                if !data.is_empty() {
                    written.report("there is other data as well; give one of them");
                }
                data = STANDARD.decode(written.string()?).ok().or_else(|| {
                    written.report("not base64");
                    None
                })?;
            }
            let text = |key| attributes.get(key).and_then(|node| node.string().map(str::to_owned));
            event.id = text("id").unwrap_or(event.id);
            event.source = text("source").unwrap_or(event.source);
            event.kind = text("type").unwrap_or(event.kind);
            event.subject = text("subject");
            event.datacontenttype = text("datacontenttype").or(event.datacontenttype);
            if let Some(node) = attributes.get("time") {
                event.time = UnixMillis::from_rfc3339(node.string()?).or_else(|| {
                    node.report("not an instant such as 2026-01-31T00:00:00Z");
                    None
                })?;
            }
        }
        if let Some(node) = table.get("headers") {
            if !headers.is_empty() {
                node.report("the event has `headers` as well; give them once");
            }
            headers.extend(fields(&node)?);
        }
        Some(Self { event, headers, data })
    }
}

/// The members of `event`, those that only the management API's test knows included.
const ATTRIBUTES: &[&str] =
    &["id", "source", "type", "subject", "time", "datacontenttype", "headers", "data", "data_base64"];

fn fields(node: &Node<'_>) -> Option<Vec<(String, String)>> {
    node.members()?.map(|(name, value)| Some((name.to_owned(), value.string()?.to_owned()))).collect()
}

/// A sample without its message, and the message as it is written: that can hold what no value here can, such as 1e400, and
/// is read as a request's body is.
fn apart(text: &str) -> serde_json::Result<(Value, Vec<u8>)> {
    let Ok(mut members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else {
        return Ok((serde_json::from_str(text)?, Vec::new()));
    };
    let message = members.get_mut("message").map(|written| std::mem::replace(written, RawValue::NULL));
    let message = message.map(|written| written.get().as_bytes().to_vec()).unwrap_or_default();
    Ok((serde_json::to_value(members)?, message))
}

fn conform(file: &Path, output: &mut Output) -> Result<Outcome, Failure> {
    let report = conformance::run(&input::read(file)?)
        .map_err(|error| Failure::misuse(format_args!("{} is no file of cases: {error}", file.display())))?;
    match output.format() {
        Format::Text => output.line(&report)?,
        Format::Json => {
            let names = |list: &[(String, String)]| {
                list.iter().map(|(name, reason)| json!({"name": name, "reason": reason})).collect::<Vec<_>>()
            };
            output.json(&json!({
                "passed": report.passed,
                "failed": names(&report.failed),
                "skipped": names(&report.skipped),
            }))?;
        }
    }
    Ok(Outcome::of(report.failed.is_empty()))
}
