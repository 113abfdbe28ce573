//! `anglerfish jobs`: the work on many deliveries of a running gateway.

use super::client::{ApiArgs, Client};
use super::page::{self, PageArgs, text};
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output};
use anstream::eprintln;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::time::Duration;

/// How often a job is asked for that is watched: at first, and at last.
const EVERY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The arguments of `jobs`.
#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List jobs, newest first
    List(ListArgs),
    /// Show one job: how far it has come, and what holds it up
    Show(ShowArgs),
    /// End a job; what it has done stays done
    Cancel(OneArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// It has work to do
    Running,
    /// All of it is done
    Finished,
    /// Somebody ended it, or its subscription is gone
    Cancelled,
    /// It could not go on
    Failed,
}

impl State {
    /// As the API says it.
    const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only those that stand so
    #[arg(long)]
    state: Option<State>,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Exit codes with --follow: 0 finished, 1 not, 2 misuse")]
struct ShowArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The job's number
    id: String,
    /// Watch it until it has ended
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The job's number
    id: String,
}

/// Runs the command.
pub(super) async fn run(args: JobsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, &args.api.client()?, output).await?,
        Command::Show(args) if args.follow => return follow(&args.id, &args.api.client()?, output).await,
        Command::Show(args) => show(&args.id, &args.api.client()?, output).await?,
        Command::Cancel(args) => cancel(&args.id, &args.api.client()?, output).await?,
    }
    Ok(Outcome::Fine)
}

async fn list(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let query = [("state", args.state.map(State::word))];
    let items = args.page.read(client, "jobs", &query).await?;
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["JOB", "KIND", "STATE", "PROGRESS", "DONE", "SUBSCRIPTION", "CREATED"]);
        for item in items {
            let cells = ["/id", "/kind", "/state", "/done", "/subscription", "/created"];
            let [id, kind, state, done, subscription, created] = cells.map(|cell| text(item, cell));
            let progress = percent(item);
            let subscription = if subscription.is_empty() { "several".to_owned() } else { subscription };
            table.row([id, kind, state, progress, done, subscription, created]);
        }
        table.write(output)
    })
}

/// How much of the way is done, from 0 to 1.
fn progress(job: &Value) -> f64 {
    job.pointer("/progress").and_then(Value::as_f64).unwrap_or_default().clamp(0.0, 1.0)
}

fn percent(job: &Value) -> String {
    format!("{:.0} %", (progress(job) * 100.0).floor())
}

async fn show(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let job: Value = client.get(&["jobs", id], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&job);
    }
    page::members(
        &job,
        &[
            ("id", "/id"),
            ("kind", "/kind"),
            ("state", "/state"),
            ("reason", "/reason"),
            ("waits for", "/waits_for"),
        ],
        output,
    )?;
    page::member("progress", &percent(&job), output)?;
    let rest = [
        ("done", "/done"),
        ("examined", "/examined"),
        ("failed", "/failed"),
        ("position", "/position"),
        ("last", "/last"),
        ("subscription", "/subscription"),
        ("status", "/status"),
        ("since", "/since"),
        ("until", "/until"),
        ("source", "/source"),
        ("type", "/type"),
        ("missing", "/missing"),
        ("created", "/created"),
        ("ended", "/ended"),
    ];
    page::members(&job, &rest, output)
}

async fn cancel(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let job: Value = client.post(&["jobs", id, "cancel"], &[], None).await?;
    match output.format() {
        Format::Json => output.json(&job),
        Format::Text => output.line(format_args!("job {} is cancelled", plain(&text(&job, "/id")))),
    }
}

/// Watches a job to its end, and says what it did.
pub(super) async fn follow(id: &str, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let bar = bar();
    let mut every = EVERY.0;
    let job = loop {
        let job: Value = match client.get(&["jobs", id], &[]).await {
            Ok(job) => job,
            Err(failure) => {
                bar.finish_and_clear();
                let hint = format!(
                    "the job goes on; `anglerfish jobs show {} --follow` watches it again",
                    plain(id)
                );
                return Err(failure.with_hint(hint));
            }
        };
        if text(&job, "/state") != "running" {
            break job;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 1000"
        )]
        bar.set_position((progress(&job) * 1000.0) as u64);
        bar.set_message(said(&job));
        tokio::time::sleep(every).await;
        every = (every * 2).min(EVERY.1);
    };
    bar.finish_and_clear();
    let is_finished = text(&job, "/state") == "finished";
    match output.format() {
        Format::Json => output.json(&job)?,
        Format::Text => output.paragraph("", "", &summary(&job))?,
    }
    let failed = text(&job, "/failed");
    if failed != "0" && output.format() == Format::Text {
        eprintln!("the filter failed on {} events: `anglerfish events explain` says why", plain(&failed));
    }
    Ok(Outcome::of(is_finished))
}

/// What a job is doing.
fn said(job: &Value) -> String {
    let done = format!("job {}: {} done", plain(&text(job, "/id")), plain(&text(job, "/done")));
    match text(job, "/waits_for") {
        waits if waits.is_empty() => done,
        waits => format!("{done}; {}", plain(&waits)),
    }
}

/// What a job that has ended did.
fn summary(job: &Value) -> String {
    let [done, state, reason] = ["/done", "/state", "/reason"].map(|cell| plain(&text(job, cell)));
    let what = if text(job, "/kind") == "retry" { "deliveries retried" } else { "deliveries made" };
    match state.as_str() {
        "finished" => format!("{done} {what}"),
        _ if reason.is_empty() => format!("{state}; {done} {what}"),
        _ => format!("{state}: {reason}; {done} {what}"),
    }
}

/// It is drawn on a terminal only.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {percent} % {msg} ({elapsed})");
    let bar = ProgressBar::new(1000);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}
