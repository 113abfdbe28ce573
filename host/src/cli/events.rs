//! `anglerfish events`: the log of a running gateway.

use super::client::{ApiArgs, Client};
use super::deliveries::delivery_table;
use super::page::{self, PageArgs, text};
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

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
    /// Deliver an event again
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
struct ReplayArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The event's id
    id: String,
    /// Its source, where several have an event of this id
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// For this subscription, may be given several times; without it for all that
    /// had a delivery of the event
    #[arg(long = "subscription", value_name = "ID")]
    subscriptions: Vec<String>,
}

/// Runs the command.
pub(super) async fn run(args: EventsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, &args.api.client()?, output).await?,
        Command::Show(args) => show(&args, &args.api.client()?, output).await?,
        Command::Replay(args) => replay(&args, &args.api.client()?, output).await?,
    }
    Ok(Outcome::Fine)
}

async fn list(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let query = [("source", args.source.as_deref()), ("type", args.kind.as_deref())];
    let items = args.page.read(client, "events", &query).await?;
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["RECEIVED", "SOURCE", "TYPE", "DELIVERIES", "ID"]);
        for event in items {
            let cells = ["/received", "/source", "/type", "/delivery_count", "/id"];
            table.row(cells.map(|cell| text(event, cell)));
        }
        table.write(output)
    })
}

async fn show(args: &ShowArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let query = [("source", args.source.as_deref())];
    let detail: Value = client.get(&["events", &args.id], &query).await?;
    if output.format() == Format::Json {
        return output.json(&detail);
    }
    for (name, pointer) in [
        ("id", "/event/id"),
        ("source", "/event/source"),
        ("type", "/event/type"),
        ("subject", "/event/subject"),
        ("time", "/event/time"),
        ("received", "/event/received"),
        ("content type", "/event/datacontenttype"),
        ("size", "/event/size"),
    ] {
        let value = text(&detail, pointer);
        if !value.is_empty() {
            output.line(format_args!("{name:14}{}", plain(&value)))?;
        }
    }
    let request = format!("{} {}", text(&detail, "/request/method"), text(&detail, "/request/url"));
    output.line(format_args!("{:14}{}", "request", plain(&request)))?;
    for header in detail.pointer("/request/headers").and_then(Value::as_array).into_iter().flatten() {
        let header = format!("{}: {}", text(header, "/0"), text(header, "/1"));
        output.line(format_args!("{:14}{}", "", plain(&header)))?;
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

async fn replay(args: &ReplayArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let query = [("source", args.source.as_deref())];
    let body = (!args.subscriptions.is_empty()).then(|| json!({"subscriptions": args.subscriptions}));
    let replayed: Value = client.post(&["events", &args.id, "replay"], &query, body.as_ref()).await?;
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
