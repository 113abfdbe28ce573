//! `anglerfish resources`: patterns of documents whose changes a running gateway tells, and who is told.

use super::client::{ApiArgs, Client};
use super::page::{self, PageArgs, text};
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output, input};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::PathBuf;

/// The arguments of `resources`.
#[derive(Debug, Args)]
pub(super) struct ResourcesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the resources
    List(ListArgs),
    /// Show one resource
    Show(OneArgs),
    /// Write a resource, or replace one that was written by API
    Put(PutArgs),
    /// Delete a resource that was written by API, with its documents
    Delete(OneArgs),
    /// List the subscriptions of a resource
    Subscriptions(PartArgs),
    /// Tell a subscription that has lost its data everything that exists
    Resync(ResyncArgs),
    /// Say what a subscription would be told of a document now, and why not
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The resource's id
    id: String,
}

#[derive(Debug, Args)]
struct PartArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    page: PageArgs,
    /// The resource's id
    id: String,
}

#[derive(Debug, Args)]
#[command(after_help = "FILE is one resource as TOML (as in [[resource]]) or as JSON, with its `id` unless
--id gives it.

Example:
  echo '{\"id\": \"users\", \"endpoint\": \"http://api.company.com/users/{id}\",
    \"change\": {\"field\": \"version\"}}' | anglerfish resources put -")]
struct PutArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The resource's document; `-` is stdin
    file: PathBuf,
    /// Its id, where the document has none
    #[arg(long)]
    id: Option<String>,
}

#[derive(Debug, Args)]
struct ResyncArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's id
    subscription: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 it would be told; 1 it would not; 2 misuse")]
struct ExplainArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's id
    subscription: String,
    /// The document's own URL
    document: String,
}

/// Runs the command.
pub(super) async fn run(args: ResourcesArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, output).await?,
        Command::Show(args) => show(&args.id, &args.api.client()?, output).await?,
        Command::Put(args) => put(&args, &args.api.client()?, output).await?,
        Command::Delete(args) => delete(&args.id, &args.api.client()?, output).await?,
        Command::Subscriptions(args) => subscriptions(&args, output).await?,
        Command::Resync(args) => resync(&args.subscription, &args.api.client()?, output).await?,
        Command::Explain(args) => return explain(&args, output).await,
    }
    Ok(Outcome::Fine)
}

async fn list(args: &ListArgs, output: &mut Output) -> Result<(), Failure> {
    let items = args.page.read(&args.api.client()?, "resources", &[]).await?;
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["RESOURCE", "ORIGIN", "SUBSCRIPTIONS", "FIELD", "ENDPOINT"]);
        for item in items {
            let cells = ["/id", "/origin", "/subscriptions", "/change/field", "/endpoint"];
            table.row(cells.map(|cell| text(item, cell)));
        }
        table.write(output)
    })
}

async fn show(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let resource: Value = client.get(&["resources", id], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&resource);
    }
    let shown = [
        ("id", "/id"),
        ("origin", "/origin"),
        ("endpoint", "/endpoint"),
        ("field", "/change/field"),
        ("format", "/change/format"),
        ("tombstones", "/tombstones"),
        ("subscriptions", "/subscriptions"),
        ("created", "/created"),
    ];
    page::members(&resource, &shown, output)
}

async fn put(args: &PutArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let document = input::document(&args.file, "resource")?;
    let id = input::name(&document, "id", args.id.as_deref())?;
    let (new, item): (bool, Value) = client.put(&["resources", &id], &document).await?;
    match output.format() {
        Format::Json => output.json(&item),
        Format::Text => {
            let done = if new { "created" } else { "replaced" };
            output.line(format_args!("resource {} is {done}", plain(&id)))
        }
    }
}

async fn delete(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let deleted: Value = client.delete(&["resources", id]).await?;
    match output.format() {
        Format::Json => output.json(&deleted),
        Format::Text => output.line(format_args!("resource {} is deleted with its documents", plain(id))),
    }
}

async fn subscriptions(args: &PartArgs, output: &mut Output) -> Result<(), Failure> {
    let segments = ["resources", &args.id, "subscriptions"];
    let items = args.page.read_at(&args.api.client()?, &segments, "subscriptions", &[]).await?;
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["SUBSCRIPTION", "SINCE", "CATCHING UP"]);
        for item in items {
            let catching_up = item.get("catching_up") == Some(&Value::Bool(true));
            let word = if catching_up { "yes" } else { "no" };
            table.row([text(item, "/subscription"), text(item, "/since"), word.to_owned()]);
        }
        table.write(output)
    })
}

async fn resync(subscription: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let noted: Value = client.post(&["subscriptions", subscription, "resync"], &[], None).await?;
    match output.format() {
        Format::Json => output.json(&noted),
        Format::Text => {
            output.line(format_args!("subscription {} is told everything that exists", plain(subscription)))
        }
    }
}

async fn explain(args: &ExplainArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let client = args.api.client()?;
    let segments = ["subscriptions", &args.subscription, "explain"];
    let told: Value = client.get(&segments, &[("document", Some(&args.document))]).await?;
    let action = text(&told, "/action");
    if output.format() == Format::Json {
        output.json(&told)?;
    } else {
        let word = if action.is_empty() { "nothing" } else { &action };
        page::member("told", word, output)?;
        page::member("because", &text(&told, "/reason"), output)?;
        if told.get("active") == Some(&Value::Bool(false)) {
            page::member("but", "its deliveries wait: it is paused or disabled", output)?;
        }
    }
    Ok(if action.is_empty() { Outcome::Negative } else { Outcome::Fine })
}
