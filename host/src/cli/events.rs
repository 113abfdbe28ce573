//! `anglerfish events`: the log of a running gateway.

use super::bulk::{self, Bulk, BulkArgs};
use super::client::{ApiArgs, Client};
use super::deliveries::delivery_table;
use super::page::{self, Page, PageArgs, text};
use super::period::PeriodArgs;
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::time::Duration;

/// How often a listing that is followed is asked for.
const EVERY: Duration = Duration::from_secs(1);

/// The arguments of `events`.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List events, newest first
    List(ListArgs),
    /// Show one event with its request and its deliveries
    Show(ShowArgs),
    /// Say of each subscription whether it wants an event, and why
    Explain(ExplainArgs),
    /// Deliver an event again, or all events of a time
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only events of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    /// Go on with each new event as it is accepted, oldest first, until ^C
    #[arg(long, conflicts_with_all = ["cursor", "until"])]
    follow: bool,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The event's id
    id: String,
    /// Its source, where several have an event of this id
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Nothing is delivered. Exit codes: 0 a subscription wants it, 1 none does, 2 misuse")]
struct ExplainArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The event's id
    id: String,
    /// Its source, where several have an event of this id
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only what this subscription says
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Without an id a job delivers all events again that the options choose, oldest
first: to those that had them, or to each --subscription what it wants of them
now. It goes on if this command is broken off: `anglerfish jobs` shows and ends
it.

Examples:
  anglerfish events replay evt_1
  anglerfish events replay --source shop --since 2h --subscription orders")]
struct ReplayArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The event's id
    id: Option<String>,
    /// Its source, where several have an event of this id; without an id, the
    /// source of the events
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "id")]
    kind: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    /// For this subscription, may be given several times; without it for all that
    /// had a delivery of the event
    #[arg(long = "subscription", value_name = "ID")]
    subscriptions: Vec<String>,
    #[command(flatten)]
    bulk: BulkArgs,
}

/// Runs the command.
pub(super) async fn run(args: EventsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, &args.api.client()?, output).await?,
        Command::Show(args) => show(&args, &args.api.client()?, output).await?,
        Command::Explain(args) => return explain(&args, &args.api.client()?, output).await,
        Command::Replay(args) => return replay(&args, &args.api.client()?, output).await,
    }
    Ok(Outcome::Fine)
}

async fn list(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let [since, until] = args.period.query();
    let query = [
        ("source", args.source.as_deref()),
        ("type", args.kind.as_deref()),
        (since.0, since.1.as_deref()),
        (until.0, until.1.as_deref()),
    ];
    if args.follow {
        return follow(args, client, output).await;
    }
    let items = args.page.read(client, "events", &query).await?;
    page::write(&items, output, event_table)
}

fn event_table(events: &[Value], output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(["RECEIVED", "SOURCE", "TYPE", "DELIVERIES", "ID"]);
    for event in events {
        let cells = ["/received", "/source", "/type", "/delivery_count", "/id"];
        table.row(cells.map(|cell| text(event, cell)));
    }
    table.write(output)
}

/// Writes what is there, oldest first, and then each new event behind it.
async fn follow(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let [since, _] = args.period.query();
    let filter = [("source", args.source.as_deref()), ("type", args.kind.as_deref())];
    let mut first = filter.to_vec();
    first.push((since.0, since.1.as_deref()));
    let mut items = args.page.read(client, "events", &first).await?;
    items.reverse();
    let mut position = match items.last() {
        Some(newest) => text(newest, "/position"),
        None => newest_position(client).await?,
    };
    loop {
        for item in &items {
            match output.format() {
                Format::Json => output.json(item)?,
                Format::Text => output.paragraph("", "    ", &event_line(item))?,
            }
        }
        output.flush()?;
        let mut query = filter.to_vec();
        query.push(("after", Some(&position)));
        let page: Page = client.get(&["events"], &query).await?;
        let newest = page.items.last().map(|newest| text(newest, "/position"));
        if let Some(newest) = newest {
            position = newest;
        } else {
            tokio::time::sleep(EVERY).await;
        }
        items = page.items;
    }
}

/// The position of the newest event of the whole log.
async fn newest_position(client: &Client) -> Result<String, Failure> {
    let page: Page = client.get(&["events"], &[("limit", Some("1"))]).await?;
    Ok(page.items.first().map_or_else(|| "0".to_owned(), |newest| text(newest, "/position")))
}

/// One event as a line of its own: what comes later cannot widen the columns of what was written.
fn event_line(event: &Value) -> String {
    let cells = ["/received", "/source", "/type", "/id"].map(|cell| text(event, cell));
    cells.join("  ")
}

async fn show(args: &ShowArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let query = [("source", args.source.as_deref())];
    let detail: Value = client.get(&["events", &args.id], &query).await?;
    if output.format() == Format::Json {
        return output.json(&detail);
    }
    let shown = [
        ("id", "/event/id"),
        ("source", "/event/source"),
        ("type", "/event/type"),
        ("subject", "/event/subject"),
        ("time", "/event/time"),
        ("received", "/event/received"),
        ("content type", "/event/datacontenttype"),
        ("size", "/event/size"),
        ("origin", "/origin"),
        ("secret", "/secret"),
    ];
    page::members(&detail, &shown, output)?;
    let count = text(&detail, "/repetitions/count");
    if !matches!(count.as_str(), "" | "0") {
        let times = detail.pointer("/repetitions/times").and_then(Value::as_array).into_iter().flatten();
        let times: Vec<&str> = times.filter_map(Value::as_str).collect();
        let often = if count == "1" { "once".to_owned() } else { format!("{count} times") };
        page::member("repeated", &format!("{often}: {}", times.join(", ")), output)?;
    }
    for failure in detail.pointer("/failures").and_then(Value::as_array).into_iter().flatten() {
        let failure = format!("{}: {}", text(failure, "/subscription"), text(failure, "/reason"));
        page::member("filter failed", &failure, output)?;
    }
    // What was published came with no request that is kept.
    if detail.get("request").is_some_and(Value::is_object) {
        let request = format!("{} {}", text(&detail, "/request/method"), text(&detail, "/request/url"));
        page::member("request", &request, output)?;
        let added = text(&detail, "/request/added_prefix");
        if !added.is_empty() {
            page::member("", &format!("({added} is put in front of the path as it came in)"), output)?;
        }
    }
    for header in detail.pointer("/request/headers").and_then(Value::as_array).into_iter().flatten() {
        let header = format!("{}: {}", text(header, "/0"), text(header, "/1"));
        page::member("", &header, output)?;
    }
    let deliveries = detail.pointer("/deliveries/items").and_then(Value::as_array).map(Vec::as_slice);
    let deliveries = deliveries.unwrap_or_default();
    if !deliveries.is_empty() {
        output.line("")?;
        delivery_table(deliveries, output)?;
    }
    if detail.pointer("/deliveries/next").is_some_and(|next| !next.is_null()) {
        output.line("there are more deliveries: `anglerfish deliveries list --event` lists them")?;
    }
    Ok(())
}

async fn explain(args: &ExplainArgs, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let query = [("source", args.source.as_deref()), ("subscription", args.subscription.as_deref())];
    let told: Value = client.get(&["events", &args.id, "explain"], &query).await?;
    let said =
        told.pointer("/subscriptions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match output.format() {
        Format::Json => output.json(&told)?,
        Format::Text if said.is_empty() => anstream::eprintln!("no subscriptions"),
        Format::Text => {
            for verdict in said {
                let cells = ["/id", "/outcome", "/reason"].map(|cell| text(verdict, cell));
                output.paragraph("", "    ", &cells.join(": "))?;
                for plugin in plugins(verdict) {
                    let [name, outcome, reason] =
                        ["/plugin", "/outcome", "/reason"].map(|cell| plain(&text(plugin, cell)).to_string());
                    let said = if reason.is_empty() { outcome } else { format!("{outcome}: {reason}") };
                    let took = plugin.pointer("/duration_ms").and_then(Value::as_f64).unwrap_or_default();
                    output.paragraph("  ", "    ", &format!("plugin {name}: {said} ({took} ms)"))?;
                }
            }
        }
    }
    let failed = told.pointer("/failures").and_then(Value::as_array).into_iter().flatten();
    if output.format() != Format::Json {
        for failure in failed {
            let [id, reason] =
                ["/subscription", "/reason"].map(|cell| plain(&text(failure, cell)).to_string());
            output.line(format_args!("{id}: failed when the event was accepted: {reason}"))?;
        }
    }
    let wants = |verdict: &Value| {
        let agrees = |plugin: &Value| matches!(&*text(plugin, "/outcome"), "deliver" | "replace");
        text(verdict, "/outcome") == "match" && plugins(verdict).iter().all(agrees)
    };
    Ok(Outcome::of(said.iter().any(wants)))
}

/// What plugins say, of what one subscription does.
fn plugins(verdict: &Value) -> &[Value] {
    verdict.pointer("/plugins").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

async fn replay(args: &ReplayArgs, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let body = (!args.subscriptions.is_empty()).then(|| json!({"subscriptions": args.subscriptions}));
    let Some(id) = &args.id else {
        if args.source.is_none() && args.kind.is_none() && args.period.is_unbounded() {
            return Err(Failure::misuse("no event is named")
                .with_hint("give its id, or choose several with --source, --type, --since and --until"));
        }
        let [since, until] = args.period.query();
        let query =
            vec![("source", args.source.clone()), ("type", args.kind.clone()), since.clone(), until.clone()];
        let from = since.1.clone().unwrap_or_else(|| "earliest".to_owned());
        let job = |subscription: Option<&String>| {
            let members = [
                ("subscription", subscription),
                ("from", Some(&from)),
                ("until", until.1.as_ref()),
                ("source", args.source.as_ref()),
                ("type", args.kind.as_ref()),
            ];
            bulk::job("replay", members.map(|(name, value)| (name, bulk::member(value))))
        };
        let jobs = match &args.subscriptions[..] {
            [] => vec![job(None)],
            several => several.iter().map(|id| job(Some(id))).collect(),
        };
        let bulk = Bulk { listing: "events", query, done: "replayed", jobs };
        if !args.bulk.is_dry_run() && bulk.is_empty(client).await? {
            return Err(Failure::failed("no event of the log is one of these")
                .with_hint("`anglerfish events list` takes the same --source, --type, --since and --until"));
        }
        return bulk.run(&args.bulk, client, output).await;
    };
    if !args.period.is_unbounded() {
        return Err(Failure::misuse("an event has one time; give its id, or --since and --until"));
    }
    replay_one(id, args.source.as_deref(), body.as_ref(), client, output).await?;
    Ok(Outcome::Fine)
}

async fn replay_one(
    id: &str,
    source: Option<&str>,
    body: Option<&Value>,
    client: &Client,
    output: &mut Output,
) -> Result<(), Failure> {
    let replayed: Value = client.post(&["events", id, "replay"], &[("source", source)], body).await?;
    if output.format() == Format::Json {
        return output.json(&replayed);
    }
    let mut table = Table::new(["DELIVERY", "SUBSCRIPTION"]);
    for delivery in replayed.pointer("/deliveries").and_then(Value::as_array).into_iter().flatten() {
        table.row(["/id", "/subscription"].map(|cell| text(delivery, cell)));
    }
    table.write(output)?;
    for gone in replayed.pointer("/gone").and_then(Value::as_array).into_iter().flatten() {
        anstream::eprintln!("not for subscription {}: it is gone", plain(&text(gone, "")));
    }
    Ok(())
}
