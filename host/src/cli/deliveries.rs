//! `anglerfish deliveries`: the deliveries of a running gateway.

use super::bulk::{self, Bulk, BulkArgs};
use super::client::{ApiArgs, Client};
use super::page::{self, PageArgs, text};
use super::period::PeriodArgs;
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

/// The arguments of `deliveries`.
#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List deliveries, newest first
    List(ListArgs),
    /// Show one delivery with its attempts
    Show(OneArgs),
    /// Attempt a delivery again, whatever became of it, or all that died
    Retry(RetryArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    /// It waits for its next attempt
    Pending,
    /// The endpoint took it
    Delivered,
    /// The endpoint answered with a status that the policy discards
    Discarded,
    /// All attempts failed
    Dead,
}

impl Status {
    /// As the API says it.
    const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Discarded => "discarded",
            Self::Dead => "dead",
        }
    }
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only for this subscription
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// Only with this status
    #[arg(long)]
    status: Option<Status>,
    /// Only of the event with this id
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// The event's source, where several have an event of this id
    #[arg(long, value_name = "NAME", requires = "event")]
    source: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Without an id a job makes all deliveries due that the options choose, oldest
first; `--status dead` alone chooses all that died. It goes on if this command
is broken off: `anglerfish jobs` shows and ends it.

Examples:
  anglerfish deliveries retry 17
  anglerfish deliveries retry --status dead --subscription orders --since 2days")]
struct RetryArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The delivery's id
    id: Option<String>,
    /// All that have this status
    #[arg(long, conflicts_with = "id")]
    status: Option<Status>,
    /// Only for this subscription
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    subscription: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    bulk: BulkArgs,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The delivery's id
    id: String,
}

/// Runs the command.
pub(super) async fn run(args: DeliveriesArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, &args.api.client()?, output).await?,
        Command::Show(args) => show(&args.id, &args.api.client()?, output).await?,
        Command::Retry(args) => return retry(&args, &args.api.client()?, output).await,
    }
    Ok(Outcome::Fine)
}

async fn list(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let [since, until] = args.period.query();
    let query = [
        ("subscription", args.subscription.as_deref()),
        ("status", args.status.map(Status::word)),
        (since.0, since.1.as_deref()),
        (until.0, until.1.as_deref()),
        ("event", args.event.as_deref()),
        ("source", args.source.as_deref()),
    ];
    let items = args.page.read(client, "deliveries", &query).await?;
    page::write(&items, output, delivery_table)
}

/// Writes deliveries for people.
pub(super) fn delivery_table(deliveries: &[Value], output: &mut Output) -> Result<(), Failure> {
    const CELLS: [&str; 6] = ["/id", "/status", "/attempt_count", "/subscription", "/event/id", "/reason"];
    let rows = deliveries.iter().map(|delivery| CELLS.map(|cell| text(delivery, cell)));
    // Few have a reason: a column of its own only for them.
    if rows.clone().any(|[.., reason]| !reason.is_empty()) {
        let mut table = Table::new(["DELIVERY", "STATUS", "ATTEMPTS", "SUBSCRIPTION", "EVENT", "REASON"]);
        rows.for_each(|row| table.row(row));
        return table.write(output);
    }
    let mut table = Table::new(["DELIVERY", "STATUS", "ATTEMPTS", "SUBSCRIPTION", "EVENT"]);
    rows.for_each(|[id, status, attempts, subscription, event, _]| {
        table.row([id, status, attempts, subscription, event]);
    });
    table.write(output)
}

async fn show(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let detail: Value = client.get(&["deliveries", id], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&detail);
    }
    let shown = [
        ("id", "/delivery/id"),
        ("subscription", "/delivery/subscription"),
        ("status", "/delivery/status"),
        ("reason", "/delivery/reason"),
        ("event", "/delivery/event/id"),
        ("source", "/delivery/event/source"),
        ("type", "/delivery/event/type"),
        ("created", "/delivery/created"),
        ("due", "/delivery/due"),
    ];
    page::members(&detail, &shown, output)?;
    let attempts =
        detail.pointer("/attempts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if attempts.is_empty() {
        return output.line(format_args!("{:14}none yet", "attempts"));
    }
    output.line("")?;
    let mut table = Table::new(["ATTEMPT", "STARTED", "MS", "STATUS", "ERROR"]);
    for attempt in attempts {
        let cells = ["/number", "/started", "/duration_ms", "/status", "/error"];
        table.row(cells.map(|cell| text(attempt, cell)));
    }
    table.write(output)?;
    match attempts.last().map(|attempt| text(attempt, "/answer")) {
        Some(answer) if !answer.is_empty() => {
            output.line("\nthe last answer:")?;
            answer.lines().try_for_each(|line| output.paragraph("", "", line))
        }
        _ => Ok(()),
    }
}

async fn retry(args: &RetryArgs, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let Some(id) = &args.id else {
        let Some(status) = args.status else {
            return Err(Failure::misuse("no delivery is named")
                .with_hint("give its id, or choose several with --status, as in --status dead"));
        };
        let is_all = args.subscription.is_none() && args.period.is_unbounded() && !args.bulk.is_dry_run();
        if matches!(status, Status::Delivered) && is_all {
            return Err(Failure::misuse("that would send everything again that ever arrived").with_hint(
                "choose with --subscription, --since and --until; --dry-run says how many there are",
            ));
        }
        let [since, until] = args.period.query();
        let status = Some(status.word().to_owned());
        let query = vec![("subscription", args.subscription.clone()), ("status", status), since, until];
        let job = bulk::job("retry", query.iter().map(|(name, value)| (*name, bulk::member(value.as_ref()))));
        let bulk = Bulk { listing: "deliveries", query, done: "retried", jobs: vec![job] };
        return bulk.run(&args.bulk, client, output).await;
    };
    if !args.period.is_unbounded() {
        return Err(Failure::misuse(
            "a delivery has one time; give its id, or --status with --since and --until",
        ));
    }
    let retried: Value = client.post(&["deliveries", id, "retry"], &[], None).await?;
    match output.format() {
        Format::Json => output.json(&retried)?,
        Format::Text => output.line(format_args!("delivery {} is due now", plain(&text(&retried, "/id"))))?,
    }
    Ok(Outcome::Fine)
}
